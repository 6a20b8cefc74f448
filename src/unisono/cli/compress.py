"""`unisono compress`: a model becomes a smaller version, by a recipe."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from unisono.cli.answer import Answer
from unisono.cli.options import COMMON_DEFAULTS, Common, PredictorName, option
from unisono.cli.progress import Report, progress
from unisono.spec.errors import InputError

if TYPE_CHECKING:
    import polars as pl

    from unisono.compress.recipe import Recipe
    from unisono.drivers.compressing import Compressed
    from unisono.drivers.project import Project

EXAMPLES = (
    "unisono compress late train:fit --recipe smaller.toml",
    "unisono compress late --recipe smaller.toml --data frame.parquet --no-register",
)
FIELDS = {
    "predictor": "its name",
    "version": "content id of the version, or null if it is not registered",
    "alias": "that it has from now on, or null",
    "page": "path of the report for people, an HTML file",
    "reused": "stages that an earlier run had made",
    "report": "original and result side by side; docs/compression-report.md has its fields",
}


def compress(
    predictor: PredictorName,
    model: Annotated[
        str | None,
        Parameter(
            help="The fitted model, as `unisono register` takes it: MODULE:FUNCTION, which is called without the rows that "
            "the report judges by, a file, or a folder. Default: the "
            "graph of the version that answers now, which steps that train or rebuild a module of torch cannot use."
        ),
    ] = None,
    /,
    *,
    recipe: Annotated[Path, option("FILE", "The recipe, a TOML file: its steps, data and budget.")],
    data: Annotated[
        Path | None,
        option(
            "FILE",
            "Rows with what the model reads, the label, and the columns of slices: .parquet, .csv, .ndjson. Default: "
            "the training frame.",
        ),
    ] = None,
    unlabelled: Annotated[
        Path | None, option("FILE", "Rows without a label, to distil on. Default: rows whose label is null.")
    ] = None,
    columns: Annotated[
        str | None,
        option(
            "COLUMNS",
            "The model's inputs in the order it was fitted with, with commas between, for a model that does not know "
            "their names. Default: as the model says.",
        ),
    ] = None,
    alias: Annotated[
        str | None, option("NAME", "Alias that the version gets: a challenger is judged. Default: challenger.")
    ] = None,
    no_register: Annotated[
        bool, Parameter(help="Make the report alone: no version is kept.", negative="", show_default=False)
    ] = False,
    by: Annotated[str | None, option("NAME", "Who registers it, for the history. Default: your login name.")] = None,
    why: Annotated[str, option("TEXT", "Why, for the history. Default: nothing.")] = "",
    common: Common = COMMON_DEFAULTS,
) -> Answer:
    """Make a model smaller by a recipe, and report what it cost.

    A recipe is a list of steps: low-rank layers, distillation, pruning of weights and nodes, quantisation. What comes out
    is measured beside the original: size, latency, memory, energy, accuracy with its interval, and what changed in
    every slice of the data. A result over the recipe's budget is refused with the reason; any other becomes a version
    with the alias challenger, and what answers stays as it is.

    Each step is a stage that is kept: a run that was cut goes on where it was, and one with another last step begins
    there.
    """
    from unisono.compress.recipe import read_recipe
    from unisono.drivers.compressing import rows_to_fit_on
    from unisono.drivers.project import load

    chosen = read_recipe(recipe)
    project = load(common.project)
    with progress(quiet=common.quiet) as report:
        rows = _data(project, predictor, chosen, data, report)
        others = None if unlabelled is None else _rows(project, predictor, chosen, unlabelled)
        fit_on = partial(rows_to_fit_on, project.ready(predictor), rows, chosen)
        fitted = None if model is None else _fitted(model, project, fit_on, report)
        made = project.compress(
            predictor,
            chosen,
            fitted,
            data=rows,
            unlabelled=others,
            columns=None if columns is None else columns.split(","),
            alias=_alias(alias, no_register=no_register),
            register=not no_register,
            by=by,
            why=why,
            progress=report,
        )
    return _told(made)


def _data(project: Project, predictor: str, recipe: Recipe, path: Path | None, report: Report) -> pl.DataFrame:
    if path is not None:
        return _rows(project, predictor, recipe, path)
    report("training frame", 0, None)
    return project.training_frame(predictor)


def _rows(project: Project, predictor: str, recipe: Recipe, path: Path) -> pl.DataFrame:
    from unisono.drivers.compressing import read_rows

    return read_rows(project.ready(predictor), path, recipe)


def _fitted(model: str, project: Project, fit_on: Callable[[], pl.DataFrame], report: Report) -> object:
    """A model from a file, or from a function that is not shown the rows that the report will judge by."""
    from unisono.cli.fitted import open_model, training_of

    training = training_of(model, project.root)
    if training is None:
        return open_model(Path(model), project.root)
    report("training", 0, None)
    return training.fit(fit_on())


def _alias(alias: str | None, *, no_register: bool) -> str | None:
    if alias is not None and no_register:
        raise InputError(f"--alias {alias} and --no-register: both; allowed: one of them; leave one out")
    return None if no_register else alias or "challenger"


def _told(made: Compressed) -> Answer:
    import msgspec

    from unisono.cli import prose
    from unisono.compress.report.terminal import lines

    registered = made.registered
    data = {
        "predictor": made.report.predictor,
        "version": None if registered is None else registered.version.id,
        "alias": None if registered is None else registered.alias,
        "page": str(made.page),
        "reused": made.reused,
        "report": msgspec.to_builtins(made.report),
    }
    rows = [*lines(made.report), ("report", str(made.page))]
    return Answer(data, f"{_headline(made)}\n{prose.table(rows)}")


def _headline(made: Compressed) -> str:
    registered = made.registered
    if registered is None:
        return f"compressed {made.report.predictor}: nothing is registered"
    alias = "" if registered.alias is None else f", {registered.alias}"
    return f"compressed {made.report.predictor}: version {registered.version.id}{alias}"
