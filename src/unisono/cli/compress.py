"""`unisono compress`: a model becomes a smaller version, by a recipe."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from unisono.cli.answer import Answer
from unisono.cli.compressed import told, told_search
from unisono.cli.options import COMMON_DEFAULTS, Common, PredictorName, option
from unisono.cli.pairs import numbers_of
from unisono.cli.progress import progress
from unisono.spec.errors import InputError
from unisono.spec.progress import Progress

if TYPE_CHECKING:
    import polars as pl

    from unisono.compress.recipe import Recipe
    from unisono.drivers.project import Project

EXAMPLES = (
    "unisono compress late train:fit --recipe smaller.toml",
    "unisono compress late train:fit --recipe smaller.toml --budget size_bytes=300000 --no-register",
)
FIELDS = {
    "predictor": "its name",
    "version": "content id of the version, or null if it is not registered",
    "alias": "that it has from now on, or null",
    "page": "path of the report for people, an HTML file; of a search its picture",
    "reused": "stages that an earlier run had made; null for a search",
    "report": "original and result side by side; docs/compression-report.md has its fields; null for a search",
    "search": "trials, front and predictors of a search; docs/compression-search.md; null for a single recipe",
}


def compress(
    predictor: PredictorName,
    model: Annotated[
        str | None,
        option(
            "MODEL",
            "The fitted model, as `unisono register` takes it: MODULE:FUNCTION, which is called without the rows "
            "that the report judges by, a file, or a folder. Default: the graph of the version that answers now, which "
            "steps that train or rebuild a module of torch cannot use.",
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
    budget: Annotated[
        tuple[str, ...],
        option(
            "NAME=VALUE",
            "What the result may be and cost, beside or instead of what the recipe says; may be given more than once. "
            "Default: the recipe's.",
        ),
        Parameter(negative=""),
    ] = (),
    search: Annotated[
        bool,
        Parameter(
            help="Look for recipes: in the file, settings may be ranges and choices. Nothing is registered.",
            negative="",
            show_default=False,
        ),
    ] = False,
    trials: Annotated[int, option("NUMBER", "Recipes that a search tries, earlier ones included. Default: 20.")] = 20,
    no_register: Annotated[
        bool, Parameter(help="Make the report alone: no version is kept.", negative="", show_default=False)
    ] = False,
    by: Annotated[str | None, option("NAME", "Who registers it, for the history. Default: your login name.")] = None,
    why: Annotated[str, option("TEXT", "Why, for the history. Default: nothing.")] = "",
    common: Common = COMMON_DEFAULTS,
) -> Answer:
    """Make a model smaller by a recipe, and report what it cost.

    A recipe is a list of steps: low-rank layers, distillation, pruning of weights and nodes, quantisation. What comes
    out is measured beside the original: size, latency, memory, energy, accuracy with its interval, and what changed in
    every slice of the data. A result over the recipe's budget is refused with the reason; any other becomes a version
    with the alias challenger, and what answers stays as it is.

    Each step is a stage that is kept: a run that was cut goes on where it was, and one with another last step begins
    there. A search (--search) tries recipes, chooses by rows that are set aside, and writes those that no other beats
    as files for --recipe.
    """
    from unisono.compress.recipe import recipe_of
    from unisono.compress.search.space import space_of
    from unisono.drivers.compressing import rows_to_fit_on
    from unisono.drivers.project import load

    document = _document(recipe, budget)
    space = space_of(document, str(recipe)) if search else None
    chosen = recipe_of(document, str(recipe)) if space is None else space.lowest
    given_alias = _alias(alias, without="--search" if search else "--no-register" if no_register else None)
    project = load(common.project)
    with progress(quiet=common.quiet) as report:
        rows = _data(project, predictor, chosen, data, report)
        fit_on = partial(rows_to_fit_on, project.ready(predictor), rows, chosen)
        asked: dict[str, Any] = {
            "predictor": predictor,
            "model": None if model is None else _fitted(model, project, fit_on, report),
            "data": rows,
            "unlabelled": None if unlabelled is None else _rows(project, predictor, chosen, unlabelled),
            "columns": None if columns is None else columns.split(","),
            "progress": report,
        }
        if space is not None:
            return told_search(predictor, project.search(space=space, trials=trials, **asked))
        kept: dict[str, Any] = {"alias": given_alias, "register": not no_register, "by": by, "why": why}
        return told(project.compress(recipe=chosen, **asked, **kept))


def _document(path: Path, budget: tuple[str, ...]) -> dict[str, Any]:
    """What the file says, with another budget where the command line has one."""
    from unisono.compress.recipe import read_document

    document = read_document(path)
    given = {name: int(value) if value.is_integer() else value for name, value in numbers_of(budget, "budget").items()}
    return {**document, "budget": {**document.get("budget", {}), **given}} if given else document


def _data(project: Project, predictor: str, recipe: Recipe, path: Path | None, report: Progress) -> pl.DataFrame:
    if path is not None:
        return _rows(project, predictor, recipe, path)
    report("training frame", 0, None)
    return project.training_frame(predictor)


def _rows(project: Project, predictor: str, recipe: Recipe, path: Path) -> pl.DataFrame:
    from unisono.drivers.compressing import read_rows

    return read_rows(project.ready(predictor), path, recipe)


def _fitted(model: str, project: Project, fit_on: Callable[[], pl.DataFrame], report: Progress) -> object:
    """A model from a file, or from a function that is not shown the rows that the report will judge by."""
    from unisono.cli.fitted import open_model, training_of

    training = training_of(model, project.root)
    if training is None:
        return open_model(Path(model), project.root)
    report("training", 0, None)
    return training.fit(fit_on())


def _alias(alias: str | None, *, without: str | None) -> str | None:
    if alias is not None and without is not None:
        raise InputError(f"--alias {alias} and {without}: both; allowed: one of them; leave one out")
    return None if without else alias or "challenger"
