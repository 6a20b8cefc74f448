"""The command line: one thin module a command, each of which calls one public function of the drivers."""

from __future__ import annotations

from unisono.cli.app import main

__all__ = ["main"]
