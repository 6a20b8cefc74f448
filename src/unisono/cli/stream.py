"""`unisono stream`: the log in, predictions out."""

from __future__ import annotations

from typing import Annotated

from cyclopts.types import NonNegativeInt, PositiveInt

from unisono.cli import prose
from unisono.cli.answer import Answer
from unisono.cli.exit_codes import DONE, INTERRUPTED
from unisono.cli.options import COMMON_DEFAULTS, Common, PredictorName, option
from unisono.cli.output import note
from unisono.cli.progress import progress

EXAMPLES = (
    "unisono stream late",
    "unisono stream late --until 1000 --batch 100",
)
FIELDS = {
    "predictor": "its name",
    "requests": "answered by this run",
    "rows": "of the log, events and requests, read by this run",
    "position": "in the log, in rows, where the next run goes on",
    "seconds": "how long this run took",
    "stopped": "whether it was interrupted",
}


def stream(
    predictor: PredictorName,
    /,
    *,
    batch: Annotated[
        PositiveInt, option("ROWS", "Rows of the log (events and requests) in one commit. Default: 8192.")
    ] = 8_192,
    until: Annotated[
        NonNegativeInt | None,
        option(
            "POSITION",
            "Position in the log, in rows from its beginning, at which to stop. Default: its end.",
        ),
    ] = None,
    common: Common = COMMON_DEFAULTS,
) -> Answer:
    """Run a predictor over its log: fold events into the state, answer requests in between.

    First what the files in unisono.toml hold and the log lacks is added to the log. Each run then goes on where the
    last one stopped; state, position and predictions are committed together, so that after a kill at any instant
    nothing is lost and nothing is counted twice. Ctrl-C stops after the commit under way. `unisono serve` answers
    from the state that this command keeps.
    """
    from unisono.drivers.project import load

    project = load(common.project)
    with progress(quiet=common.quiet) as report:
        done = project.stream(predictor, batch=batch, until=until, progress=report)
    if done.stopped:
        note("stopped; everything up to this position is stored: run the same command to go on", quiet=common.quiet)
    data = {
        "predictor": predictor,
        "requests": done.requests,
        "rows": done.rows,
        "position": done.position,
        "seconds": round(done.seconds, 3),
        "stopped": done.stopped,
    }
    rate = f"{done.rows / done.seconds:,.0f}/s" if done.rows and done.seconds > 0 else "nothing was new"
    text = prose.table(
        (
            ("requests answered", f"{done.requests:,}"),
            ("rows of the log", f"{done.rows:,} ({rate})"),
            ("position", f"{done.position:,}"),
            ("seconds", f"{done.seconds:.2f}"),
        )
    )
    return Answer(data, text, INTERRUPTED if done.stopped else DONE)
