"""Options that commands share."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Group, Parameter

COMMON = Group("Common options", sort_key=2)


def flag(help: str) -> Parameter:
    """A common option without a value: off unless given."""
    return Parameter(help=help, negative="", show_default=False, group=COMMON)


def option(value: str, help: str) -> Parameter:
    """An option with a value, which help calls `value`; what it is by default, the help says in words."""
    return Parameter(help=help, metavar=value, show_default=False)


PredictorName = Annotated[str, Parameter(help="Name of the predictor, as in the project's definitions.")]

RequestsFile = Annotated[
    Path | None,
    option(
        "FILE",
        "File with the requests: .parquet, .csv, .ndjson. Default: the predictor's file in unisono.toml.",
    ),
]

ProjectFolder = Annotated[
    Path,
    option("DIR", "Folder of the project: it holds unisono.toml. Default: the current folder."),
    Parameter(group=COMMON),
]
Json = Annotated[bool, flag("Print one JSON line on stdout, and nothing else there.")]
Quiet = Annotated[bool, flag("No progress and no notes: the result, warnings and errors only.")]
Debug = Annotated[bool, flag("Show the traceback of an error.")]


@Parameter(name="*")
@dataclass(frozen=True, slots=True, kw_only=True)
class Common:
    """What every command about a project takes.

    project: the folder that holds unisono.toml.
    json:    one JSON line on stdout and nothing else there.
    quiet:   no progress and no notes.
    debug:   a traceback with each error.
    """

    project: ProjectFolder = Path()
    json: Json = False
    quiet: Quiet = False
    debug: Debug = False


@Parameter(name="*")
@dataclass(frozen=True, slots=True, kw_only=True)
class Reporting:
    """The same for a command that is about no project yet."""

    json: Json = False
    quiet: Quiet = False
    debug: Debug = False


COMMON_DEFAULTS = Common()
REPORTING_DEFAULTS = Reporting()
