"""`unisono`: the commands, what they have in common, and how errors are told."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import NamedTuple

from cyclopts import App, CycloptsError, Group, UnknownCommandError

import unisono
from unisono.cli import (
    artifact,
    compress,
    exit_codes,
    frame,
    init,
    keys,
    models,
    output,
    parity,
    predict,
    prose,
    register,
    runs,
    schedule,
    serve,
    stream,
    tokens,
)
from unisono.cli.answer import Answer
from unisono.spec.errors import UnisonoError

HELP = """
One definition of features and model, one answer: in batch, in streams and online.

A project is a folder with unisono.toml, which says where definitions and data are. `unisono init DIR` makes one
that runs. The commands after it are in the order in which a project usually needs them.
"""


class Command(NamedTuple):
    """A command.

    run:      does it; its docstring is the help.
    examples: command lines that work in the project that `unisono init` makes.
    fields:   what --json prints: name -> meaning.
    family:   the word before it, if it is one of several commands about the same thing.
    """

    run: Callable[..., Answer | None]
    examples: tuple[str, ...]
    fields: Mapping[str, str]
    family: str | None = None

    @property
    def word(self) -> str:
        """Its own word; a function is called list_ where list means something else."""
        return self.run.__name__.rstrip("_")

    @property
    def name(self) -> str:
        """What is typed."""
        return " ".join(filter(None, (self.family, self.word)))


COMMANDS = (
    Command(init.init, init.EXAMPLES, init.FIELDS),
    Command(frame.frame, frame.EXAMPLES, frame.FIELDS),
    Command(register.register, register.EXAMPLES, register.FIELDS),
    Command(compress.compress, compress.EXAMPLES, compress.FIELDS),
    Command(models.list_, models.LIST_EXAMPLES, models.LIST_FIELDS, "models"),
    Command(models.show, models.SHOW_EXAMPLES, models.SHOW_FIELDS, "models"),
    Command(models.compare, models.COMPARE_EXAMPLES, models.COMPARE_FIELDS, "models"),
    Command(models.history, models.HISTORY_EXAMPLES, models.HISTORY_FIELDS, "models"),
    Command(models.tag, models.TAG_EXAMPLES, models.CHANGED_FIELDS, "models"),
    Command(models.promote, models.PROMOTE_EXAMPLES, models.CHANGED_FIELDS, "models"),
    Command(models.rollback, models.ROLLBACK_EXAMPLES, models.CHANGED_FIELDS, "models"),
    Command(models.retire, models.RETIRE_EXAMPLES, models.CHANGED_FIELDS, "models"),
    Command(artifact.show, artifact.SHOW_EXAMPLES, artifact.SHOW_FIELDS, "artifact"),
    Command(artifact.export, artifact.EXPORT_EXAMPLES, artifact.EXPORT_FIELDS, "artifact"),
    Command(artifact.import_, artifact.IMPORT_EXAMPLES, artifact.IMPORT_FIELDS, "artifact"),
    Command(keys.new, keys.NEW_EXAMPLES, keys.NEW_FIELDS, "keys"),
    Command(keys.show, keys.SHOW_EXAMPLES, keys.SHOW_FIELDS, "keys"),
    Command(predict.predict, predict.EXAMPLES, predict.FIELDS),
    Command(stream.stream, stream.EXAMPLES, stream.FIELDS),
    Command(serve.serve, serve.EXAMPLES, serve.FIELDS),
    Command(tokens.new, tokens.NEW_EXAMPLES, tokens.NEW_FIELDS, "tokens"),
    Command(tokens.list_, tokens.LIST_EXAMPLES, tokens.LIST_FIELDS, "tokens"),
    Command(tokens.revoke, tokens.REVOKE_EXAMPLES, tokens.REVOKE_FIELDS, "tokens"),
    Command(schedule.list_, schedule.LIST_EXAMPLES, schedule.LIST_FIELDS, "schedule"),
    Command(schedule.run, schedule.RUN_EXAMPLES, schedule.RUN_FIELDS, "schedule"),
    Command(schedule.export, schedule.EXPORT_EXAMPLES, schedule.EXPORT_FIELDS, "schedule"),
    Command(runs.runs, runs.EXAMPLES, runs.FIELDS),
    Command(parity.parity, parity.EXAMPLES, parity.FIELDS),
)


FAMILIES: Mapping[str, str] = {
    "models": models.HELP,
    "artifact": artifact.HELP,
    "keys": keys.HELP,
    "tokens": tokens.HELP,
    "schedule": schedule.HELP,
}
"""Words with several commands each, and what these are about."""


@cache
def make_app() -> App:
    """The parser of the command line."""
    app = _app("unisono", HELP)
    app.help_epilogue = f"Exit codes:\n{prose.table(exit_codes.MEANINGS.items())}"
    families = {name: _app(name, help) for name, help in FAMILIES.items()}
    for place, command in enumerate(COMMANDS):
        parent = app if command.family is None else families[command.family]
        printed = f"With --json: {', '.join(command.fields)}."
        epilogue = f"{printed}\n\n{prose.examples(command.examples)}"
        documented = {"help": prose.flowing(command.run.__doc__), "help_epilogue": epilogue}
        parent.command(command.run, name=command.word, sort_key=place, **documented)
        if command.family is not None and command.family not in app:
            parent.sort_key = place
            app.command(parent)
    return app


def _app(name: str, help: str) -> App:
    return App(
        name,
        help=prose.flowing(help),
        help_format="plaintext",
        version=unisono.__version__,
        group_arguments=Group("Arguments", sort_key=0),
        group_parameters=Group("Options", sort_key=1),
        suppress_keyboard_interrupt=False,
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line; returns its exit code.

    arguments: what follows `unisono`; None: of this process.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    with output.json_on_stdout("--json" in given):
        try:
            return _run(given)
        except (Exception, KeyboardInterrupt) as error:
            if "--debug" in given:
                traceback.print_exception(error)
            problem = problem_of(error)
        problem.tell()
        return problem.exit_code


class Problem(NamedTuple):
    """Why a command ended without its result.

    kind:      one word for machines.
    message:   what, where, and the next step.
    exit_code: one of exit_codes.MEANINGS.
    """

    kind: str
    message: str
    exit_code: int

    def tell(self) -> None:
        """On stderr, one line a fault; with --json on stdout as well."""
        for line in self.message.splitlines():
            print(f"error: {line}", file=sys.stderr, flush=True)
        output.print_json({"error": {"kind": self.kind, "message": self.message}})


def _run(arguments: list[str]) -> int:
    answer = make_app()(arguments, exit_on_error=False, print_error=False, result_action="return_value")
    if not isinstance(answer, Answer):  # --help, --version, or a command that has told its result already
        return exit_codes.DONE
    output.tell(answer)
    return answer.exit_code


def problem_of(error: BaseException) -> Problem:
    """How whatever ended a command is told."""
    if isinstance(error, CycloptsError):
        return Problem("usage", _usage(error), exit_codes.USAGE)
    if isinstance(error, UnisonoError):
        return Problem(exit_codes.kind(error), str(error), exit_codes.exit_code(error))
    if isinstance(error, KeyboardInterrupt):
        message = "interrupted; what is stored is whole; run the same command to go on"
        return Problem("interrupted", message, exit_codes.INTERRUPTED)
    seen = f"unexpected {type(error).__name__}: {' '.join(str(error).split())}"
    return Problem(
        "fault", f"{seen}; this is a fault of unisono; --debug shows where: please report it", exit_codes.FAULT
    )


def _usage(error: CycloptsError) -> str:
    chain = () if isinstance(error, UnknownCommandError) else error.command_chain or ()
    return f"{' '.join(str(error).split())} See `{' '.join(['unisono', *chain])} --help`."
