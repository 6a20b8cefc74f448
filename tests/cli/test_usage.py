from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import RunHere
from tests.cli.shell import UNISONO
from unisono.cli import app, output
from unisono.cli.answer import Answer
from unisono.spec.errors import DefinitionError

Refused = Callable[..., tuple[int, str, str]]


@pytest.mark.parametrize(
    ("arguments", "seen"),
    [
        (("fame",), 'Unknown command "fame". Did you mean "frame"?'),
        (("frame",), 'Command "frame" parameter PREDICTOR requires an argument.'),
        (("frame", "late", "--outt", "x.csv"), "Unknown option: --outt. Did you mean --out?"),
        (("frame", "late", "again"), "Unused Tokens: ['again']."),
        (("stream", "late", "--batch", "none"), 'Invalid value for --batch: unable to convert "none" into int.'),
        (("stream", "late", "--batch", "0"), 'Invalid value "0" for --batch. Must be > 0.'),
        (("predict", "late", "--chunk", "-1"), 'Invalid value "-1" for --chunk. Must be > 0.'),
        (("serve", "--port", "99999"), 'Invalid value "99999" for --port. Must be <= 65535.'),
        (("register", "late"), 'Command "register" parameter MODEL requires an argument.'),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_wrong_usage_says_what_is_wrong_and_where_help_is(
    arguments: tuple[str, ...], seen: str, refused: Refused
) -> None:
    code, kind, message = refused(*arguments)
    assert (code, kind) == (2, "usage")
    command = " frame" if arguments[0] == "frame" else "" if arguments[0] == "fame" else f" {arguments[0]}"
    assert message.startswith(seen)
    assert message.endswith(f"See `unisono{command} --help`.")


def test_a_folder_without_a_project_is_refused_with_the_next_step(tmp_path: Path, refused: Refused) -> None:
    code, kind, message = refused("frame", "late", "--project", tmp_path)
    assert (code, kind) == (6, "store")
    assert "there is no unisono.toml" in message
    assert "unisono init" in message


@pytest.mark.parametrize(
    ("name", "code", "seen"),
    [("frame.xlsx", 4, 'a file of kind ".xlsx"; allowed: .parquet, .csv'), ("no/frame.csv", 6, "there is no folder")],
)
def test_a_file_that_cannot_be_written_is_refused_before_any_work(
    name: str, code: int, seen: str, tmp_path: Path, refused: Refused
) -> None:
    exit_code, _, message = refused("frame", "late", "--out", tmp_path / name, "--project", tmp_path)
    assert exit_code == code
    assert seen in message


def break_frame(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    """Let loading any project fail."""
    import unisono.drivers.project

    def fail(path: Path) -> None:
        print("what a user's own code prints")
        raise error

    monkeypatch.setattr(unisono.drivers.project, "load", fail)


def test_each_fault_of_a_definition_is_a_line(monkeypatch: pytest.MonkeyPatch, run_here: RunHere) -> None:
    break_frame(monkeypatch, DefinitionError(["view a: key: ...", "view b: windows[0]: ..."]))
    done = run_here("frame", "late")
    assert done.exit_code == 3
    assert done.err.splitlines() == ["error: view a: key: ...", "error: view b: windows[0]: ..."]


def test_a_fault_of_unisono_is_told_as_one_without_a_traceback(
    monkeypatch: pytest.MonkeyPatch, run_here: RunHere
) -> None:
    break_frame(monkeypatch, ZeroDivisionError("division by\nzero"))
    done = run_here("frame", "late")
    assert done.exit_code == 70
    assert done.err.startswith("error: unexpected ZeroDivisionError: division by zero; this is a fault of unisono")
    assert len(done.err.splitlines()) == 1


def test_debug_shows_the_traceback_as_well(monkeypatch: pytest.MonkeyPatch, run_here: RunHere) -> None:
    break_frame(monkeypatch, ZeroDivisionError("division by zero"))
    done = run_here("frame", "late", "--debug")
    assert done.exit_code == 70
    assert done.err.startswith("Traceback (most recent call last):")
    assert "in fail" in done.err
    assert "error: unexpected ZeroDivisionError" in done.err


def test_an_interrupt_is_told_with_its_own_exit_code(monkeypatch: pytest.MonkeyPatch, run_here: RunHere) -> None:
    break_frame(monkeypatch, KeyboardInterrupt())
    done = run_here("frame", "late", "--json")
    assert done.exit_code == 130
    assert json.loads(done.out)["error"]["kind"] == "interrupted"


def test_with_json_what_a_users_code_prints_goes_to_stderr(monkeypatch: pytest.MonkeyPatch, run_here: RunHere) -> None:
    break_frame(monkeypatch, DefinitionError("wrong"))
    done = run_here("frame", "late", "--json")
    assert json.loads(done.out) == {"error": {"kind": "definition", "message": "wrong"}}
    assert "what a user's own code prints" in done.err


def test_with_json_native_code_cannot_print_on_stdout_either(
    monkeypatch: pytest.MonkeyPatch, run_here: RunHere
) -> None:
    def noisy(given: list[str]) -> int:
        os.write(1, b"from below\n")
        output.tell(Answer({"a": float("nan")}, "for people"))
        return 0

    monkeypatch.setattr(app, "_run", noisy)
    done = run_here("--json")
    assert (done.out, done.err) == ('{"a":null}\n', "from below\n")
    assert run_here().out == "from below\nfor people\n"


@pytest.mark.parametrize("option", [(), ("--json",)], ids=["for people", "as JSON"])
def test_a_reader_that_goes_away_is_no_error(option: tuple[str, ...], tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    command = [*UNISONO, "init", str(tmp_path / "parcels"), *option]
    done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, text=True)
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, "")


def test_importing_the_command_line_prints_and_starts_nothing() -> None:
    done = subprocess.run([sys.executable, "-c", "import unisono.cli"], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "")
