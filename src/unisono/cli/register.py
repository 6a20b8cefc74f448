"""`unisono register`: a fitted model becomes a version."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from unisono.cli.answer import Answer
from unisono.cli.options import COMMON_DEFAULTS, Common, PredictorName, RequestsFile, option
from unisono.cli.pairs import numbers_of
from unisono.cli.progress import progress
from unisono.cli.registered import told
from unisono.spec.errors import InputError

if TYPE_CHECKING:
    import polars as pl

    from unisono.drivers.project import Project

EXAMPLES = (
    "unisono register late train:fit",
    "unisono register late model.txt --sample frame.parquet",
    'unisono register late train:fit --why "more data" --metric cost=12.5 --alias challenger',
)
FIELDS = {
    "predictor": "its name",
    "version": "content id of the version, 32 hexadecimal digits",
    "artifact": "path or URL of its file",
    "alias": "that it has from now on, or null",
    "numeric_class": "exact: every machine gives the same bits; bounded: they may differ by `bound`",
    "bound": "largest difference between machines, absolute or relative; 0 for exact",
    "verification": "graph against fitted model: rows, edges, splits, skipped, is_equal, max_abs, max_rel, max_gap, "
    "max_ulp, differs, flips, bound, worst, ...; an infinite difference is null",
    "golden_rows": "that are tried wherever it is loaded",
    "labelled_rows": "of the sample, whose truth is known",
    "metrics": "name -> number, computed from the graph's answers to these rows",
    "given_metrics": "name -> number, those of --metric",
    "signed_by": "fingerprints of the keys that signed it",
}


def register(
    predictor: PredictorName,
    model: Annotated[
        str,
        Parameter(
            help="MODULE:FUNCTION or FILE.py:FUNCTION, called with the training frame and returning a fitted model; "
            "or a file: LightGBM text (.txt), XGBoost (.json, .ubj), CatBoost (.cbm, .json), ONNX (.onnx), pickle "
            "(.pkl, .pickle), joblib (.joblib); or a folder: of MLflow, or what save_pretrained wrote."
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
    columns: Annotated[
        str | None,
        option(
            "COLUMNS",
            "The model's inputs in the order it was fitted with, with commas between, for a model that does not know "
            "their names: of a bare matrix, or most ONNX files. Default: as the model says.",
        ),
    ] = None,
    bound: Annotated[
        float | None,
        option(
            "NUMBER",
            "Largest difference allowed between graph and model, absolute or relative, whichever is smaller; labels "
            "may then differ, too. Default: 1e-6, or 1e-5 for a graph that sums float32 numbers, and no other label.",
        ),
    ] = None,
    metric: Annotated[
        tuple[str, ...],
        option(
            "NAME=VALUE",
            "A metric of your own, to be kept with the version; may be given more than once. Default: none but ours.",
        ),
        Parameter(negative=""),
    ] = (),
    sign: Annotated[
        Path | None,
        option("FILE", "PEM file of a private Ed25519 key that signs the artifact. Default: it is not signed."),
    ] = None,
    alias: Annotated[
        str | None,
        option("NAME", "Alias that the version gets: champion answers, challenger is judged. Default: champion."),
    ] = None,
    no_promote: Annotated[
        bool,
        Parameter(help="Give the version no alias: what answers stays as it is.", negative="", show_default=False),
    ] = False,
    by: Annotated[str | None, option("NAME", "Who registers it, for the history. Default: your login name.")] = None,
    why: Annotated[str, option("TEXT", "Why, for the history. Default: nothing.")] = "",
    common: Common = COMMON_DEFAULTS,
) -> Answer:
    """Import a fitted model, verify it, and let it answer.

    Transforms and model become one graph. It is compared with the fitted model on the sample and on rows at the edges:
    nulls, zeros, the limits of floats, the questions of trees, unknown categories, strange texts. A larger difference
    than the bound is refused with the row that shows it, and nothing is stored. What is stored holds data only, no
    code.

    A MODULE is looked for in the project's folder first; files are relative to the current folder. Opening a
    pickle or a joblib file runs code that is in it, in this process: open only what you made or trust.
    """
    from unisono.cli.fitted import open_model, training_of
    from unisono.drivers.project import load

    given, key = numbers_of(metric, "metric"), None if sign is None else _key(sign)
    chosen = _alias(alias, no_promote=no_promote)
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
        registered = project.register(
            predictor,
            fitted,
            sample=rows,
            columns=None if columns is None else columns.split(","),
            bound=bound,
            metrics=given,
            key=key,
            alias=chosen,
            by=by,
            why=why,
            progress=report,
        )
    return told(registered)


def _key(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(
            f"key {path}: {error.strerror}; allowed: the PEM file of a private key; make one with `unisono keys new`"
        ) from error


def _alias(alias: str | None, *, no_promote: bool) -> str | None:
    if alias is not None and no_promote:
        raise InputError(f"--alias {alias} and --no-promote: both; allowed: one of them; leave one out")
    return None if no_promote else alias or "champion"


def _read_sample(project: Project, predictor: str, path: Path) -> pl.DataFrame:
    from unisono.cli import tables

    return tables.read_sample(project, predictor, path)


def _training_frame(project: Project, predictor: str, requests: Path | None) -> pl.DataFrame:
    from unisono.cli import tables

    asked = None if requests is None else tables.read_requests(project, predictor, requests)
    return project.training_frame(predictor, asked)
