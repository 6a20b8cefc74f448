"""`unisono init`: a project that runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from unisono.cli import prose
from unisono.cli.answer import Answer
from unisono.cli.options import REPORTING_DEFAULTS, Reporting

EXAMPLES = ("unisono init parcels",)
FIELDS = {
    "project": "the folder",
    "files": "names of its files, relative to the folder",
}


def init(
    directory: Annotated[Path, Parameter(help="Folder to make; it must be new or empty.", name="DIR")],
    /,
    *,
    reporting: Reporting = REPORTING_DEFAULTS,
) -> Answer:
    """Make a project that runs: definitions, a training script, and data to try them on.

    The project predicts which parcels will come late. Everything in it is small and meant to be changed: the
    definitions (definitions.py), the training (train.py), the data (made by make_data.py, the same on every
    machine). Its README.md names the commands to run next.
    """
    from unisono.cli.starter import NEXT_STEPS, write_project

    files = write_project(directory)
    listed = "\n".join(f"  {name}" for name in files)
    steps = prose.table((f"unisono {step} --project {directory}", does) for step, does in NEXT_STEPS)
    text = f"made {directory}:\n{listed}\nnext:\n{steps}"
    return Answer({"project": str(directory), "files": files}, text)
