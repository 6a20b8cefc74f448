"""Environments of the peers: made once, with the versions of environments.toml."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path

from benchmarks.harness import say
from benchmarks.workload import cache

_VERSIONS = Path(__file__).with_name("environments.toml")


class UnavailableError(Exception):
    """A peer cannot be installed or started; the message says why."""


def python_of(name: str) -> Path:
    """The Python of an environment, which is made if it is not there yet. Raises UnavailableError."""
    packages: list[str] = tomllib.loads(_VERSIONS.read_text())[name]["packages"]
    folder = cache() / "serving-peers" / name
    record = folder / "installed.txt"
    if not record.exists() or record.read_text().split() != packages:
        _make(folder, packages)
        record.write_text("\n".join(packages))
    return folder / "bin" / "python"


def _make(folder: Path, packages: Sequence[str]) -> None:
    say(f"installing {', '.join(packages)}")
    shutil.rmtree(folder, ignore_errors=True)
    _run(sys.executable, "-m", "venv", str(folder))
    _run(str(folder / "bin" / "python"), "-m", "pip", "install", "-q", "--disable-pip-version-check", *packages)


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["nothing was said"])[-1]
        raise UnavailableError(f"not installed: {last[:200]}")
