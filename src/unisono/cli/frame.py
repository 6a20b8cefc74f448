"""`unisono frame`: the training frame."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from unisono.cli.answer import Answer
from unisono.cli.options import COMMON_DEFAULTS, Common, PredictorName, RequestsFile, option
from unisono.cli.progress import progress

EXAMPLES = ("unisono frame late --out frame.parquet",)
FIELDS = {
    "predictor": "its name",
    "rows": "requests",
    "columns": "names, the label last",
    "out": "the file written, or null",
}


def frame(
    predictor: PredictorName,
    /,
    *,
    requests: RequestsFile = None,
    out: Annotated[
        Path | None,
        option("FILE", "File to write: .parquet or .csv. Default: none; a few rows are shown."),
    ] = None,
    common: Common = COMMON_DEFAULTS,
) -> Answer:
    """Make the point-in-time training frame of a predictor.

    One row a request: its columns, each feature as it was known at the time of the request, what the transforms
    make of both, and the label last (null where the truth is not known). Nothing that was not known yet gets into
    a row. Shows the size and a few rows; --out writes all of it.
    """
    from unisono.cli import tables
    from unisono.drivers.project import load

    if out is not None:
        tables.check_suffix(out)
    project = load(common.project)
    asked = None if requests is None else tables.read_requests(project, predictor, requests)
    with progress(quiet=common.quiet) as report:
        report("training frame", 0, None)
        table = project.training_frame(predictor, asked)
    if out is not None:
        tables.write(table, out)
    written = "" if out is None else f"\nwritten to {out}"
    data = {"predictor": predictor, "rows": table.height, "columns": table.columns, "out": out and str(out)}
    return Answer(data, f"{tables.shown(table)}{written}")
