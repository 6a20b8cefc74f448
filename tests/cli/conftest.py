"""What the tests of the command line share."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.cli.shell import Run
from unisono.cli import main

RunHere = Callable[..., Run]


@pytest.fixture
def run_here(capfd: pytest.CaptureFixture[str]) -> RunHere:
    """Runs a command line in this process: quicker, for what does not depend on the process."""

    def run(*arguments: object) -> Run:
        capfd.readouterr()
        code = main([str(argument) for argument in arguments])
        captured = capfd.readouterr()
        return Run(code, captured.out, captured.err)

    return run


@pytest.fixture
def refused(run_here: RunHere) -> Callable[..., Any]:
    """Runs a command line that must fail; returns its exit code, kind and message, once both ways of telling agree."""

    def run(*arguments: object) -> tuple[int, str, str]:
        plain, machine = run_here(*arguments), run_here(*arguments, "--json")
        error = json.loads(machine.out)["error"]
        told = [line for line in plain.err.splitlines() if line.startswith("error: ")]
        assert plain.out == ""
        assert plain.exit_code == machine.exit_code
        assert told == [f"error: {line}" for line in error["message"].splitlines()]
        assert "Traceback" not in plain.err
        return plain.exit_code, error["kind"], error["message"]

    return run
