"""`unisono register`: a fitted model becomes a version."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from unisono.cli import prose
from unisono.cli.answer import Answer
from unisono.cli.options import COMMON_DEFAULTS, Common, PredictorName, RequestsFile, option
from unisono.cli.progress import progress

if TYPE_CHECKING:
    import polars as pl

    from unisono.drivers.project import Project
    from unisono.drivers.registering import Registered

EXAMPLES = (
    "unisono register late train:fit",
    "unisono register late model.txt --sample frame.parquet",
)
FIELDS = {
    "predictor": "its name",
    "version": "content id of the version, 32 hexadecimal digits",
    "artifact": "folder of the version",
    "verification": "how far the graph is from the fitted model on the sample",
}


def register(
    predictor: PredictorName,
    model: Annotated[
        str,
        Parameter(
            help="MODULE:FUNCTION or FILE.py:FUNCTION, called with the training frame and returning a fitted model; "
            "or a file: LightGBM text (.txt), pickle (.pkl, .pickle), joblib (.joblib)."
        ),
    ],
    /,
    *,
    sample: Annotated[
        Path | None,
        option(
            "FILE",
            "Rows to compare graph and model on: .parquet, .csv, .ndjson with the columns of the training frame. "
            "Default: the training frame.",
        ),
    ] = None,
    requests: RequestsFile = None,
    bound: Annotated[
        float | None,
        option(
            "NUMBER",
            "Largest difference allowed between graph and model, in units of the prediction. Default: what the "
            "kind of model is known to keep.",
        ),
    ] = None,
    common: Common = COMMON_DEFAULTS,
) -> Answer:
    """Import a fitted model, verify it, and let it answer.

    Transforms and model become one graph, which is compared with the fitted model on the sample; a larger
    difference than the bound is refused, and nothing is stored. What is stored holds data only, no code.

    A MODULE is looked for in the project's folder first; files are relative to the current folder. Opening a
    pickle or a joblib file runs code that is in it, in this process: open only what you made or trust.
    """
    from unisono.cli.fitted import open_model, training_of
    from unisono.drivers.project import load

    training = training_of(model, common.project)
    fitted = None if training else open_model(Path(model), common.project)
    project = load(common.project)
    with progress(quiet=common.quiet) as report:
        rows = None if sample is None else _read_sample(project, predictor, sample)
        if training or rows is None:
            report("training frame", 0, None)
            frame = _training_frame(project, predictor, requests)
            rows = frame if rows is None else rows
            if training:
                report("training", 0, None)
                fitted = training.fit(frame)
        report("verifying", 0, None)
        registered = project.register(predictor, fitted, sample=rows, bound=bound)
    return _answer(registered)


def _read_sample(project: Project, predictor: str, path: Path) -> pl.DataFrame:
    from unisono.cli import tables

    return tables.read_sample(project, predictor, path)


def _training_frame(project: Project, predictor: str, requests: Path | None) -> pl.DataFrame:
    from unisono.cli import tables

    asked = None if requests is None else tables.read_requests(project, predictor, requests)
    return project.training_frame(predictor, asked)


def _answer(registered: Registered) -> Answer:
    version, verification = registered.version, registered.verification.as_dict()
    data = {"predictor": version.predictor, "version": version.id, "artifact": version.artifact}
    measured = prose.table((name, _shown(value)) for name, value in verification.items())
    text = f"registered {version.predictor}: version {version.id} answers from now on\ngraph against model:\n{measured}"
    return Answer({**data, "verification": verification}, text)


def _shown(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_shown(inner)}" for name, inner in value.items())
    return f"{value:.3g}" if isinstance(value, float) else str(value)
