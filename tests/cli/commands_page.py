"""Writes docs/commands.md from what the commands say of themselves: `python -m tests.cli.commands_page`."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from functools import reduce
from pathlib import Path

from cyclopts import App
from cyclopts.argument import Argument

from unisono.cli import exit_codes, prose
from unisono.cli.app import COMMANDS, HELP, Command, make_app
from unisono.cli.options import COMMON

PAGE = Path(__file__).parents[2] / "docs" / "commands.md"

_INTRODUCTION = """\
# Commands

{help}

Results go to stdout; progress, notes and errors go to stderr. An error says what was seen, where, and the next step.
With `--json`, stdout gets exactly one line: the fields that each command lists below, or
`{{"error": {{"kind": ..., "message": ...}}}}` (kinds: {kinds}).
The examples work in a project that `unisono init` made.
This page is written by `python -m tests.cli.commands_page`.
"""


def page() -> str:
    """The whole page."""
    app = make_app()
    parts = [_INTRODUCTION.format(help=_wrapped(HELP), kinds=_kinds()), _common(app), _exit_codes()]
    return "\n".join([*parts, *(_section(app, command) for command in COMMANDS)])


def arguments(app: App, name: str) -> list[Argument]:
    """What a command takes: its arguments and options, the common ones too."""
    command = reduce(App.__getitem__, name.split(), app)
    return [argument for argument in command.assemble_argument_collection() if argument.show]


def is_common(argument: Argument) -> bool:
    """Whether other commands take it too, with the same meaning."""
    group = argument.parameter.group
    return isinstance(group, tuple) and COMMON in group


def _section(app: App, command: Command) -> str:
    own = [argument for argument in arguments(app, command.name) if not is_common(argument)]
    names = "".join(f" {_place(argument)}" for argument in own if argument.is_positional_only())
    blocks = [
        f"## unisono {command.name}",
        f"`unisono {command.name}{names} [OPTIONS]`",
        _wrapped(command.run.__doc__),
        _options(own),
        _table("with `--json`", "is", ((f"`{name}`", meaning) for name, meaning in command.fields.items())),
        _shell(command.examples),
    ]
    return "\n\n".join(block for block in blocks if block) + "\n"


def _place(argument: Argument) -> str:
    return argument.name if argument.required else f"[{argument.name}]"


def _wrapped(text: str | None) -> str:
    return "\n".join(textwrap.fill(line, 120, break_on_hyphens=False) for line in prose.flowing(text).split("\n"))


def _kinds() -> str:
    return ", ".join(["usage", *dict.fromkeys(exit_codes.KINDS.values()), "interrupted"])


def _common(app: App) -> str:
    shared = [argument for argument in arguments(app, "frame") if is_common(argument)]
    return f"## Common options\n\n{_options(shared)}\n"


def _options(given: list[Argument]) -> str:
    rows = [(f"`{_written(argument)}`", argument.parameter.help) for argument in given]
    return _table("option", "says", rows) if rows else ""


def _written(argument: Argument) -> str:
    if argument.is_positional_only() or argument.is_flag():
        return argument.name
    return f"{argument.name} {argument.parameter.metavar}"


def _exit_codes() -> str:
    return f"## Exit codes\n\n{_table('code', 'says', exit_codes.MEANINGS.items())}\n"


def _shell(commands: Iterable[str]) -> str:
    return "\n".join(["```sh", *commands, "```"])


def _table(left: str, right: str, rows: Iterable[tuple[object, object]]) -> str:
    return "\n".join([f"| {left} | {right} |", "|---|---|", *(f"| {first} | {second} |" for first, second in rows)])


if __name__ == "__main__":
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(page(), "utf-8")
