"""A search for recipes that make a predictor's model smaller."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from unisono.compress.running.run import subject_of
from unisono.compress.search.document import SearchJson
from unisono.compress.search.evaluating import Evaluation
from unisono.compress.search.searching import Search
from unisono.compress.search.space import Space
from unisono.compress.search.study import Sampler
from unisono.compress.search.writing import write
from unisono.drivers.compressing import with_derived
from unisono.drivers.predictors import ReadyPredictor
from unisono.spec.progress import Progress


@dataclass(frozen=True, slots=True)
class Searched:
    """What a search found.

    search: its trials and its front.
    files:  search.json, front.svg, and the recipes of the front, the most accurate first: front-1.toml, ...
    """

    search: SearchJson
    files: tuple[Path, ...]


def search(
    ready: ReadyPredictor,
    model: object,
    space: Space,
    *,
    frame: pl.DataFrame,
    unlabelled: pl.DataFrame | None = None,
    columns: Sequence[str] | None = None,
    trials: int,
    sampler: Sampler = "tpe",
    seed: int = 0,
    folder: Path,
    progress: Progress,
) -> Searched:
    """Looks for recipes by the validation rows; the report's test rows are not looked at.

    model:  what an importer takes, or an ImportedModel.
    folder: where stages are kept, those of single recipes too, and the search beside them, to go on with it.
    trials: those of an earlier run of the same search included.

    Raises DefinitionError, InputError and ModelError as a single recipe does, where nothing can be tried at all.
    """
    evaluation = Evaluation(
        subject=subject_of(model, ready, columns),
        frame=with_derived(ready, frame),
        definition=ready,
        folder=folder,
        unlabelled=None if unlabelled is None else with_derived(ready, unlabelled),
        progress=progress,
    )
    place = folder / "search"
    found = Search(space=space, evaluate=evaluation, sampler=sampler, seed=seed).run(trials, place, progress)
    return Searched(found, tuple(write(found, place)))
