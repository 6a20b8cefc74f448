"""What answers a row: predictors with their scorers, and what they need of a table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from unisono.drivers.batch.frames import with_outputs
from unisono.drivers.memory import join_features
from unisono.drivers.predictors import ReadyPredictor
from unisono.drivers.scores import Outputs
from unisono.drivers.scoring import Scorer
from unisono.features.answers import Matrix, matrix
from unisono.features.frames import RequestTable
from unisono.spec.errors import InputError
from unisono.spec.types import DType


@dataclass(frozen=True, slots=True)
class Contestant:
    """A predictor in a run.

    ready:  it, traced and compiled.
    scorer: the version that answers.
    events: of its views' sources.
    """

    ready: ReadyPredictor
    scorer: Scorer
    events: Mapping[str, object]

    @property
    def name(self) -> str:
        """The predictor's name."""
        return self.ready.name

    @property
    def asked(self) -> Mapping[str, DType]:
        """What its features are found by: keys and time; nothing if it has none."""
        spec = self.ready.spec
        keys = [column for view in spec.features for column in view.key]
        return {name: spec.columns[name] for name in [*keys, *([spec.time] if keys else [])]}

    @property
    def reads(self) -> Mapping[str, DType]:
        """Every request column that its answers depend on."""
        return {**self.scorer.reads, **self.asked}


def columns_of(contestants: Iterable[Contestant]) -> Mapping[str, DType]:
    """What all of them declare. Raises InputError if two declare one column differently."""
    columns: dict[str, DType] = {}
    for one in contestants:
        for name, dtype in one.ready.spec.columns.items():
            if columns.setdefault(name, dtype) != dtype:
                raise InputError(
                    f'predictor {one.name}, column "{name}": {dtype}; allowed: {columns[name]}, as another predictor '
                    "of this run has it; run them one by one"
                )
    return columns


def features_of(contestants: Sequence[Contestant], requests: pl.DataFrame) -> Mapping[str, Matrix]:
    """The feature rows of each, by predictor; a view that several have is computed once."""
    found = {one.name: np.empty((requests.height, 0)) for one in contestants}
    times = {one.ready.spec.time for one in contestants if one.ready.views}
    for time in times:
        group = [one for one in contestants if one.ready.views and one.ready.spec.time == time]
        views = {view.name: view for one in group for view in one.ready.views}
        events = {source: frame for one in group for source, frame in one.events.items()}
        frame = join_features(list(views.values()), RequestTable(requests, time), events)
        found.update({one.name: matrix(frame, one.ready.feature_names) for one in group})
    return found


def answers_of(
    contestants: Sequence[Contestant], kept: pl.DataFrame, requests: pl.DataFrame, features: Mapping[str, Matrix]
) -> pl.DataFrame:
    """Columns that are kept, then the outputs; of several predictors as PREDICTOR__OUTPUT."""
    for one in contestants:
        outputs = one.scorer.score(requests, features[one.name])
        kept = with_outputs(kept, outputs if len(contestants) == 1 else _named(one.name, outputs))
    return kept


def _named(predictor: str, outputs: Outputs) -> Outputs:
    return {f"{predictor}__{name}": values for name, values in outputs.items()}
