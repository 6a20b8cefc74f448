from __future__ import annotations

import ast
import doctest
import importlib
import pkgutil
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import unisono
import unisono.cli
from tests.cli import commands_page
from tests.cli.conftest import RunHere
from tests.cli.shell import UNISONO
from unisono.cli import exit_codes
from unisono.cli.app import COMMANDS, FAMILIES, Command, make_app
from unisono.drivers import plants
from unisono.spec import errors
from unisono.spec.errors import ParityError, StoreError, UnisonoError

MODELS = ("list", "show", "compare", "history", "tag", "promote", "rollback", "retire")
SCHEDULE = ("list", "run", "export")
PROMISED = (
    *("init", "frame", "register", "compress"),
    *(f"models {word}" for word in MODELS),
    *("artifact show", "artifact export", "artifact import", "keys new", "keys show"),
    *("predict", "stream", "serve"),
    *("tokens new", "tokens list", "tokens revoke"),
    *(f"schedule {word}" for word in SCHEDULE),
    *("runs", "parity"),
)
OF_NO_PROJECT = ("init", "artifact show", "keys new", "keys show")
CAN_STAND_ALONE = ("models list", "serve", "tokens list", "schedule list", "schedule run", "runs")
SLOW = ("polars", "numpy", "numba", "onnxruntime", "onnx", "pyarrow", "lightgbm", "sklearn")
MODULES = [module.name for module in pkgutil.iter_modules(unisono.cli.__path__, "unisono.cli.") if not module.ispkg]

HELPS = (("--help",), *((*name.split(), "--help") for name in PROMISED))

every_command = pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)


def words(text: str) -> str:
    """A help text without its boxes and line breaks."""
    return " ".join(re.sub(r"[│╭╮╰╯─]", " ", text).split())


def test_the_commands_are_those_that_were_promised() -> None:
    assert tuple(command.name for command in COMMANDS) == PROMISED


def test_help_lists_every_command_and_every_exit_code(run_here: RunHere) -> None:
    shown = run_here("--help")
    assert shown.exit_code == 0
    for command in COMMANDS:
        summary = (command.run.__doc__ or "").partition("\n")[0]
        listed = shown if command.family is None else run_here(command.family, "--help")
        assert f"{command.word} {summary}" in words(listed.out)
    for family, about in FAMILIES.items():
        assert f"{family} {about}" in words(shown.out)
    for code, meaning in exit_codes.MEANINGS.items():
        assert f"{code} {meaning}" in words(shown.out)


@every_command
def test_help_of_a_command_says_its_purpose_its_options_its_fields_and_an_example(
    command: Command, run_here: RunHere
) -> None:
    shown = words(run_here(*command.name.split(), "--help").out)
    purpose = words(command.run.__doc__ or "")
    assert len(purpose.split()) > 30
    assert purpose in shown
    for argument in commands_page.arguments(make_app(), command.name):
        assert argument.name in shown
        assert words(argument.parameter.help or "nothing is said") in shown
    assert f"With --json: {', '.join(command.fields)}." in shown
    assert command.examples
    for example in command.examples:
        assert example in shown


@every_command
def test_no_option_has_a_second_name_that_only_its_library_knows(command: Command, run_here: RunHere) -> None:
    assert "--empty-" not in run_here(*command.name.split(), "--help").out


@every_command
def test_every_option_says_what_it_is_without_it(command: Command) -> None:
    for argument in commands_page.arguments(make_app(), command.name):
        default = argument.field_info.default
        if not argument.required and not argument.is_flag():
            assert "Default: " in (argument.parameter.help or ""), argument.name
            assert argument.parameter.metavar, argument.name
        if isinstance(default, int) and not isinstance(default, bool):
            assert f"Default: {default}." in (argument.parameter.help or "")


def test_help_of_parity_names_every_fault_that_can_be_planted(run_here: RunHere) -> None:
    shown = words(run_here("parity", "--help").out)
    assert f"faults: {', '.join(plants.KINDS)}; drivers: {', '.join(plants.DRIVERS)}." in shown


@every_command
def test_every_command_has_the_common_options(command: Command) -> None:
    names = {argument.name for argument in commands_page.arguments(make_app(), command.name)}
    assert {"--json", "--quiet", "--debug"} <= names
    assert ("--project" in names) == (command.name not in OF_NO_PROJECT)


@every_command
def test_examples_are_command_lines_that_can_be_parsed(command: Command) -> None:
    for example in command.examples:
        program, *typed = shlex.split(example)
        assert (program, " ".join(typed).startswith(command.name)) == ("unisono", True)
        run, bound, ignored = make_app().parse_args(typed, exit_on_error=False, print_error=False)
        assert run is command.run
        assert bound.args or bound.kwargs or command.name in CAN_STAND_ALONE
        assert not ignored


def test_the_page_of_commands_is_what_the_commands_say() -> None:
    hint = "write it again: python -m tests.cli.commands_page"
    assert commands_page.PAGE.read_text("utf-8") == commands_page.page(), hint


def test_every_error_has_an_exit_code_that_is_documented() -> None:
    classes = [thing for thing in vars(errors).values() if isinstance(thing, type) and issubclass(thing, UnisonoError)]
    for error in classes:
        told = error("text")
        assert exit_codes.exit_code(told) in exit_codes.MEANINGS
        assert exit_codes.kind(told) in exit_codes.KINDS.values()
    assert exit_codes.exit_code(ParityError("bits differ")) == 1


def test_an_error_of_a_family_is_told_as_its_family() -> None:
    class FullError(StoreError):
        """A store that is full."""

    assert exit_codes.kind(FullError("full")) == "store"
    assert exit_codes.exit_code(FullError("full")) == StoreError.exit_code


def test_lines_of_exit_codes_fit_a_terminal(run_here: RunHere) -> None:
    table = run_here("--help").out.partition("Exit codes:")[2]
    assert len(table.strip().splitlines()) == len(exit_codes.MEANINGS)


def test_the_version_is_printed(run_here: RunHere) -> None:
    assert run_here("--version").out.strip() == unisono.__version__


def test_without_a_command_help_is_printed(run_here: RunHere) -> None:
    shown = run_here()
    assert shown.exit_code == 0
    assert shown.out.startswith("Usage: unisono COMMAND")


@pytest.fixture(scope="module")
def loaded() -> list[list[str]]:
    """Of one process that shows every help: what is loaded after each."""
    each = "unisono.cli.main(one); print([*sys.modules], file=sys.stderr)"
    script = f"import sys, unisono.cli\nfor one in {HELPS!r}: {each}"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return [ast.literal_eval(line) for line in done.stderr.splitlines()]


@pytest.mark.parametrize("place", range(len(HELPS)), ids=[" ".join(one) for one in HELPS])
def test_help_loads_nothing_slow(place: int, loaded: list[list[str]]) -> None:
    assert len(loaded) == len(HELPS)
    assert [name for name in SLOW if name in loaded[place]] == []


def test_the_installed_command_and_the_module_are_the_same_program() -> None:
    script = Path(sys.executable).with_name("unisono")
    if not script.exists():
        pytest.skip("unisono is not installed beside this Python")
    answers = [
        subprocess.run([*command, "--help"], capture_output=True, text=True, check=True).stdout
        for command in ([str(script)], UNISONO)
    ]
    assert answers[0] == answers[1]


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_in_docstrings_run(name: str) -> None:
    assert doctest.testmod(importlib.import_module(name)).failed == 0


@pytest.mark.parametrize("name", MODULES)
def test_every_public_thing_has_a_docstring(name: str) -> None:
    module = importlib.import_module(name)
    own = [thing for thing in vars(module).values() if getattr(thing, "__module__", None) == name]
    public = [thing for thing in own if not getattr(thing, "__name__", "_").startswith("_")]
    assert [thing.__name__ for thing in public if callable(thing) and not thing.__doc__] == []
