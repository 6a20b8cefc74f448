"""`unisono predict`: predictions of a table."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts.types import PositiveInt

from unisono.cli.answer import Answer
from unisono.cli.options import COMMON_DEFAULTS, Common, PredictorName, RequestsFile, option
from unisono.cli.progress import progress

EXAMPLES = (
    "unisono predict late --out predictions.parquet",
    "unisono predict late --requests data/requests.csv --out predictions.csv",
)
FIELDS = {
    "predictor": "its name",
    "rows": "requests",
    "columns": "names: of the request, then of the outputs",
    "out": "the file written, or null",
}


def predict(
    predictor: PredictorName,
    /,
    *,
    requests: RequestsFile = None,
    out: Annotated[
        Path | None,
        option("FILE", "File to write: .parquet (resumable) or .csv. Default: none; a few rows are shown."),
    ] = None,
    version: Annotated[
        str | None,
        option("ID", "Id of the version that answers, or its first digits. Default: the champion."),
    ] = None,
    chunk: Annotated[
        PositiveInt, option("ROWS", "Rows scored at a time, and kept as one part. Default: 65536.")
    ] = 65_536,
    common: Common = COMMON_DEFAULTS,
) -> Answer:
    """Predict a table of requests in one batch.

    One row a request: its columns, then what the model says, from the features as they were known at the time of
    the request. With --out FILE.parquet finished parts are kept beside the file until it is whole: a command that
    was stopped or killed goes on where it was when it is run again.
    """
    from unisono.cli import tables
    from unisono.drivers.project import load

    if out is not None:
        tables.check_suffix(out)
    resumable = out if out is not None and out.suffix.lower() == ".parquet" else None
    project = load(common.project)
    asked = None if requests is None else tables.read_requests(project, predictor, requests)
    with progress(quiet=common.quiet) as report:
        table = project.predict(predictor, asked, version=version, output=resumable, chunk=chunk, progress=report)
    if out is not None and resumable is None:
        tables.write(table, out)
    written = "" if out is None else f"\nwritten to {out}"
    data = {"predictor": predictor, "rows": table.height, "columns": table.columns, "out": out and str(out)}
    return Answer(data, f"{tables.shown(table)}{written}")
