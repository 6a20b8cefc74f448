"""What a recipe has to know of the predictor whose model it makes smaller."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from unisono.compress.running.whole import is_whole, whole_graph
from unisono.models import ImportedModel, PredictorGraph, TracedTransform, build_graph
from unisono.spec.predictor import Predictor
from unisono.spec.types import DType


class Definition(Protocol):
    """A predictor that is ready to run."""

    @property
    def spec(self) -> Predictor:
        """The predictor."""
        ...

    @property
    def transforms(self) -> tuple[TracedTransform, ...]:
        """Its own transforms, traced."""
        ...

    @property
    def feature_names(self) -> tuple[str, ...]:
        """The columns of its feature matrix."""
        ...

    @property
    def inputs(self) -> Mapping[str, DType]:
        """Every column that a model may read."""
        ...


def graph_with(definition: Definition, imported: ImportedModel) -> PredictorGraph:
    """The predictor's one graph with a model in it."""
    if is_whole(imported):
        return whole_graph(imported)
    return build_graph(definition.spec, definition.transforms, imported, definition.feature_names)
