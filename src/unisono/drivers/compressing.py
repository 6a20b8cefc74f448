"""A fitted model, or a version, becomes a smaller version: by a recipe, with a report of what that saved and cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl

from unisono.compress.data import sample_of
from unisono.compress.recipe import Recipe
from unisono.compress.report.candidate import Candidate
from unisono.compress.report.document import ReportJson, report_bytes
from unisono.compress.report.html import page
from unisono.compress.report.judging import judge
from unisono.compress.running.definition import graph_with
from unisono.compress.running.run import Made, carry_out, subject_of
from unisono.compress.running.splitting import not_test
from unisono.compress.running.whole import version_model
from unisono.connect.files import as_declared, read_table
from unisono.drivers.predictors import ReadyPredictor
from unisono.drivers.registering import Draft, Registered, Terms, draft_of, keep
from unisono.features.places import Place
from unisono.models import ImportedModel, derive, load_graph
from unisono.spec.active import Version
from unisono.spec.errors import ModelError
from unisono.spec.progress import Progress
from unisono.store.artifacts.names import COMPRESSION
from unisono.store.registry import Registry

_SAMPLE_ROWS = 2000
_PAGE = "report.html"


@dataclass(frozen=True, slots=True)
class Compressed:
    """What a recipe made of a model.

    report:     what it saved and what it cost.
    page:       the same for people, an HTML file.
    registered: as which version; None: it was not to be registered.
    reused:     stages that an earlier run had made.
    """

    report: ReportJson
    page: Path
    registered: Registered | None
    reused: int


def compress(
    ready: ReadyPredictor,
    registry: Registry,
    model: object,
    recipe: Recipe,
    *,
    frame: pl.DataFrame,
    unlabelled: pl.DataFrame | None = None,
    terms: Terms,
    register: bool = True,
    folder: Path,
    root: Path | None = None,
    progress: Progress,
) -> Compressed:
    """See `Project.compress`.

    model:  what an importer takes, or an ImportedModel.
    folder: where stages and reports are kept.
    root:   of the project, whose commit the lineage names.
    """
    subject = subject_of(model, ready, terms.columns)
    made = carry_out(
        recipe,
        subject,
        with_derived(ready, frame),
        ready,
        folder=folder,
        unlabelled=None if unlabelled is None else with_derived(ready, unlabelled),
        progress=progress,
    )
    within = replace(terms, bound=recipe.bound)
    drafts = [_draft(ready, one, made, within, root, progress) for one in (made.original, made.result)]
    report = _report(ready, recipe, made, drafts, progress)
    place = _written(report, folder / "reports" / drafts[1].artifact.id[:32])
    if report.broken:
        raise ModelError("\n".join([*report.broken, f"nothing is registered; the whole report is in {place}"]))
    registered = keep(_with_report(drafts[1], report), registry, terms) if register else None
    return Compressed(report, place, registered, made.reused)


def version_of(registry: Registry, version: Version) -> ImportedModel:
    """A registered version as the model that a recipe begins with: its graph."""
    files = registry.artifact(version).files
    return version_model(load_graph(files["graph.onnx"], files), files)


def read_rows(ready: ReadyPredictor, path: Path, recipe: Recipe) -> pl.DataFrame:
    """Rows for a recipe from a file: what the predictor's model may read, and the columns that the recipe names.

    Raises StoreError if there is no such file, InputError if it cannot be read.
    """
    settings = recipe.data
    label = ready.spec.label
    named = [settings.label, settings.split, None if label is None else label.column]
    others = [*(name for name in named if name), *settings.slices, *(settings.group or ())]
    what = f"data for predictor {ready.name}"
    frame = read_table(path, {}, also=dict.fromkeys([*ready.inputs, *others]), what=what)
    known = {name: dtype for name, dtype in ready.inputs.items() if name in frame.columns}
    return as_declared(frame, known, Place(f"{what} ({path.name})"))


def rows_to_fit_on(ready: ReadyPredictor, frame: pl.DataFrame, recipe: Recipe) -> pl.DataFrame:
    """The rows that a model may be fitted on, if its report is to be true: all but those that it will be judged by."""
    label = ready.spec.label
    return not_test(frame, recipe.data, ready.inputs, None if label is None else label.column)


def with_derived(ready: ReadyPredictor, frame: pl.DataFrame) -> pl.DataFrame:
    """The same rows with the columns that the predictor's transforms make, where they are not there."""
    missing = [one for one in ready.transforms if not set(one.outputs) <= set(frame.columns)]
    if not missing:
        return frame
    return frame.hstack(derive(missing, frame, "data").get_columns())


def _draft(
    ready: ReadyPredictor, imported: ImportedModel, made: Made, terms: Terms, root: Path | None, progress: Progress
) -> Draft:
    sample = sample_of(made.data.test, _SAMPLE_ROWS, seed=0)
    return draft_of(ready, imported, graph_with(ready, imported), sample, terms=terms, folder=root, progress=progress)


def _report(ready: ReadyPredictor, recipe: Recipe, made: Made, drafts: list[Draft], progress: Progress) -> ReportJson:
    original, result = (
        Candidate(
            graph=draft.graph,
            size_bytes=len(draft.artifact.to_bytes()),
            numeric_class=draft.passport.target().numeric_class,
            runtime=runtime,
        )
        for draft, runtime in zip(drafts, (None, recipe.runtime), strict=True)
    )
    return judge(
        original,
        result,
        made.data,
        predictor=ready.name,
        recipe=recipe,
        notes=made.subject.notes,
        progress=progress,
    )


def _written(report: ReportJson, folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / COMPRESSION).write_bytes(report_bytes(report))
    place = folder / _PAGE
    place.write_text(page(report), "utf-8")
    return place


def _with_report(draft: Draft, report: ReportJson) -> Draft:
    files: Mapping[str, bytes] = {**draft.files, COMPRESSION: report_bytes(report)}
    return Draft(draft.predictor, files, draft.graph, draft.verification, draft.passport, draft.metrics)
