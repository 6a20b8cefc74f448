"""The command that other schedulers call for one instant: one line, once by its run id, with an exit code."""

from __future__ import annotations

from pathlib import Path

from unisono.drivers.schedule.names import Dialect
from unisono.drivers.schedule.settings import Schedule

EXIT_CODES = (
    "Exit codes: 0 done, or done before under this run id; 4 5 6 70 130 try again later, what is done is kept; "
    "2 3 7 the command, the definitions or the model are wrong, another attempt meets the same."
)
"""What the command's exit code says to whoever decides whether to try again."""

_INSTANT = "%Y%m%dT%H%M00Z"


def predict_command(schedule: Schedule, dialect: Dialect) -> str:
    """`unisono predict` for the scheduled instant, to be called in the project's folder.

    dialect: of the program that calls it.
    """
    prefix = dialect.literal(f"{schedule.predictor}.{schedule.name}.")
    run = prefix + dialect.date(_INSTANT, "UTC")
    fixed = {
        "predictor": dialect.literal(schedule.predictor),
        "schedule": dialect.literal(schedule.name),
        "run_id": run,
    }
    words = ["unisono predict", schedule.predictor, "--out", schedule.out.in_words_of(dialect, fixed), "--run-id", run]
    options = {
        "--requests": schedule.requests,
        "--version": schedule.version,
        "--only-new": schedule.only_new,
        "--keep": None if schedule.keep is None else ",".join(schedule.keep),
    }
    for option, value in options.items():
        if value is not None:
            words += [option, dialect.literal(value)]
    return " ".join(words)


def title(schedule: Schedule, root: Path) -> str:
    """What an exported file is, in a line."""
    return f"unisono: predictor {schedule.predictor}, schedule {schedule.name} of {root}"
