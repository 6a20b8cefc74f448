"""`unisono predict`: predictions of a table."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter
from cyclopts.types import PositiveInt

from unisono.cli.answer import Answer
from unisono.cli.options import COMMON_DEFAULTS, Common, option
from unisono.cli.progress import progress
from unisono.cli.schedule import NOW, When, predict_when
from unisono.spec.progress import Progress
from unisono.spec.wording import without_password

if TYPE_CHECKING:
    from unisono.drivers.batch import BatchReport
    from unisono.drivers.project import Project

EXAMPLES = (
    "unisono predict late --out predictions.parquet",
    "unisono predict late --requests data/requests.csv --out sqlite:///scores.db#late",
    "unisono predict late --out scores.parquet --only-new parcel",
    'unisono predict late --out "scores/{date}.parquet" --every "0 3 * * *" --timezone Europe/Berlin',
)
FIELDS = {
    "predictors": "their names",
    "rows": "requests",
    "new_rows": "that were scored: fewer if only new ones were wanted, 0 if the result was there already",
    "columns": "names: of the request, then of the outputs; null with --out",
    "out": "the table written, or null",
    "run_id": "of the run; null without --out",
    "versions": "predictor -> the version that answered",
    "engines": "predictor -> what ran its graph; empty if nothing was done",
    "repeated": "whether the result of this run was there already, so that nothing was done",
    "parts": "in which the rows were scored",
    "resumed_parts": "of these, how many a run that was stopped had finished",
    "seconds": "from start to end",
    "cpu_seconds": "of all cores",
    "runs": "with --every and the like, how many runs ended in which state; else null",
}


def predict(
    predictor: Annotated[
        str,
        Parameter(
            help="Name of the predictor, as in the project's definitions. Several, with commas between, share one "
            "reading of the table; their outputs are then called PREDICTOR__OUTPUT."
        ),
    ],
    /,
    *,
    requests: Annotated[
        str | None,
        option(
            "TABLE",
            "Table with the requests: a .parquet, .csv or .ndjson file, a folder or pattern of Parquet files, a Delta "
            "table, or URL#TABLE of a database. Default: the predictor's file in unisono.toml.",
        ),
    ] = None,
    out: Annotated[
        str | None,
        option(
            "TABLE",
            "Table to write: a .parquet, .csv or .ndjson file, a folder of Parquet files (PATH/), a Delta table "
            "(delta:PATH), or URL#TABLE of a database. Default: none; a few rows are shown.",
        ),
    ] = None,
    run_id: Annotated[
        str | None,
        option("ID", "Name of this run: if --out has its result, nothing is done. Default: made of the inputs."),
    ] = None,
    only_new: Annotated[
        str | None,
        option("COLUMN", "Leave out rows whose value here --out has already, and add the others. Default: all rows."),
    ] = None,
    keep: Annotated[
        str | None,
        option("COLUMNS", "Columns to write beside the outputs, with commas between. Default: those of the request."),
    ] = None,
    version: Annotated[
        str | None,
        option("ID", "Id of the version that answers, its first digits, or an alias. Default: the champion."),
    ] = None,
    engine: Annotated[
        str | None,
        option(
            "NAME",
            "What runs the graph: onnxruntime; trees, many times quicker for models of trees, with the same bits; or "
            "openvino, for networks, within a bound. Default: as [engines] in unisono.toml says, else onnxruntime.",
        ),
    ] = None,
    cores: Annotated[PositiveInt | None, option("N", "Parts scored at once. Default: one a core.")] = None,
    chunk: Annotated[
        PositiveInt | None,
        option("ROWS", "Rows scored at a time, and kept as one part. Default: 65536, fewer if there are few rows."),
    ] = None,
    when: When = NOW,
    common: Common = COMMON_DEFAULTS,
) -> Answer:
    """Predict a table of requests in one batch, now or whenever it is time.

    One row a request: its columns, then what the model says, from the features as they were known at the time of
    the request. Memory stays small however large the table is. Readers of --out see the whole result or what was
    there before; the same run twice does nothing the second time. Finished parts are kept in the project's store
    until then: a command that was stopped or killed goes on where it was when it is run again.

    With --every, --on-new-data or --on-new-version it stays and is done again and again; --out can then have {date},
    {time} or {run_id} in it. See `unisono schedule run`, which does the same from unisono.toml, with more rules.
    """
    from unisono.drivers.project import load

    project, names = load(common.project), predictor.split(",")
    kept = None if keep is None else keep.split(",")
    if not when.is_now:
        _refuse_with_schedule({"--engine": engine, "--run-id": run_id, "--cores": cores, "--chunk": chunk})
        settings = {"out": out, "requests": requests, "version": version, "only_new": only_new, "keep": kept}
        done_later = predict_when(project, predictor, when, quiet=common.quiet, **settings)
        data = dict.fromkeys(FIELDS) | {"predictors": names, "out": out, "runs": done_later.data["runs"]}
        return Answer(data, done_later.text)
    if out is not None:
        _refuse_fields(out)
    with progress(quiet=common.quiet) as report:
        if out is None:
            return _shown(project, names, requests, version=version, engine=engine, report=report)
        from unisono.drivers.batch import run_batch

        done = run_batch(
            project,
            names,
            requests,
            out,
            version=version,
            run_id=run_id,
            only_new=only_new,
            keep=kept,
            engine=engine,
            cores=cores,
            chunk=chunk,
            progress=report,
        )
    shown = without_password(out)
    return Answer(_data(names, done, shown), _told(done, shown))


def _refuse_fields(out: str) -> None:
    """A run of now has no instant to put into a name."""
    from unisono.drivers.schedule.names import has_field
    from unisono.spec.errors import InputError

    if has_field(out):
        raise InputError(
            f"--out {out}: has a field for runs of a schedule; allowed: a plain name; fill it in, or say --every"
        )


def _refuse_with_schedule(options: Mapping[str, object]) -> None:
    """A schedule names its runs itself, and takes engines from unisono.toml."""
    from unisono.spec.errors import InputError

    given = [name for name, value in options.items() if value is not None]
    if given:
        raise InputError(
            f"{', '.join(given)} with --every or the like; allowed: --requests, --out, --version, --only-new, --keep; "
            "leave it out; a predictor's engine can be in [engines] in unisono.toml"
        )


def _shown(
    project: Project,
    names: list[str],
    requests: str | None,
    *,
    version: str | None,
    engine: str | None,
    report: Progress,
) -> Answer:
    """Without --out: nothing is written."""
    from unisono.cli import tables
    from unisono.spec.errors import InputError

    if len(names) > 1:
        raise InputError(f"{','.join(names)}: several predictors; allowed without --out: one; name a table with --out")
    asked = None if requests is None else tables.read_requests(project, names[0], Path(requests))
    table = project.predict(names[0], asked, version=version, engine=engine, progress=report)
    data = dict.fromkeys(FIELDS) | {"predictors": names, "rows": table.height, "new_rows": table.height}
    data |= {"columns": table.columns, "engines": {names[0]: engine or project.table_engine(names[0])}}
    return Answer(data | {"repeated": False}, tables.shown(table))


def _data(names: list[str], done: BatchReport, out: str) -> Mapping[str, object]:
    return {
        "predictors": names,
        "rows": done.rows,
        "new_rows": done.new_rows,
        "columns": None,
        "out": out,
        "run_id": done.run_id,
        "versions": dict(done.versions),
        "engines": dict(done.engines),
        "repeated": done.is_repeated,
        "parts": done.parts,
        "resumed_parts": done.resumed_parts,
        "seconds": round(done.seconds, 3),
        "cpu_seconds": round(done.cpu_seconds, 3),
        "runs": None,
    }


def _told(done: BatchReport, out: str) -> str:
    if done.is_repeated:
        return f"nothing to do: {out} has the result of run {done.run_id} already"
    which = f"{done.new_rows:,} rows" if done.new_rows == done.rows else f"{done.new_rows:,} new of {done.rows:,} rows"
    resumed = f", {done.resumed_parts} of {done.parts} parts from before" if done.resumed_parts else ""
    rate = f"{done.new_rows / done.seconds:,.0f} rows/s" if done.seconds else ""
    lines = [f"{which} written to {out}", f"in {done.seconds:.1f} s ({rate}){resumed}", f"run {done.run_id}"]
    versions = (f"{name}: version {version}, by {done.engines[name]}" for name, version in done.versions.items())
    return "\n  ".join([*lines, *versions])
