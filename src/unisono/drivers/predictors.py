"""Predictors ready to run: their views compiled, their transforms traced, one column after the other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from unisono.drivers.views import ReadyView, make_ready, trace_once
from unisono.spec.errors import DefinitionError
from unisono.spec.ids import content_id
from unisono.spec.predictor import Label, Predictor
from unisono.spec.source import Source
from unisono.spec.transform import Transform
from unisono.spec.types import DType, Float64
from unisono.spec.view import FeatureView
from unisono.store.states import ViewIdentity

if TYPE_CHECKING:  # loaded by the first transform
    from unisono.models import TracedTransform

Traced = dict[tuple[Source, Transform], "TracedTransform"]


@dataclass(frozen=True)
class ReadyPredictor:
    """A predictor whose definition holds together.

    spec:             the predictor.
    views:            its views, compiled.
    transforms:       its own transforms, of `request` and `features`.
    label_transforms: what derives its label from the label's source.
    """

    spec: Predictor
    views: tuple[ReadyView, ...]
    transforms: tuple[TracedTransform, ...]
    label_transforms: tuple[TracedTransform, ...]

    @property
    def name(self) -> str:
        """The predictor's name."""
        return self.spec.name

    @cached_property
    def feature_names(self) -> tuple[str, ...]:
        """Every feature, view by view: the columns of the feature matrix."""
        return self.spec.feature_names

    @cached_property
    def graphs(self) -> Mapping[str, bytes]:
        """The traced graph of each transform, by name."""
        of_views = [transform for view in self.views for transform in view.transforms]
        return {item.name: item.graph for item in (*of_views, *self.transforms, *self.label_transforms)}

    @cached_property
    def identities(self) -> Mapping[str, ViewIdentity]:
        """What the states of each view are folded with."""
        return {
            view.name: ViewIdentity(content_id(view.plan.view, self.graphs), view.plan.plan.id) for view in self.views
        }

    @cached_property
    def inputs(self) -> Mapping[str, DType]:
        """Every column that a model may use: request, features, derived."""
        derived = {name: dtype for item in self.transforms for name, dtype in item.outputs.items()}
        return {**self.spec.columns, **dict.fromkeys(self.feature_names, Float64), **derived}


def make_predictor_ready(predictor: Predictor) -> ReadyPredictor:
    """Trace and compile everything of a predictor. Raises DefinitionError with all faults that are met together."""
    traced: Traced = {}
    views = make_ready(predictor.features, traced)
    own = _own_transforms(predictor)
    label = _label_transforms(predictor.label, predictor.features, traced)
    ready = ReadyPredictor(predictor, views, own, label)
    problems = [*_name_clashes(ready), *_label_problems(ready)]
    if problems:
        raise DefinitionError(problems)
    return ready


def _own_transforms(predictor: Predictor) -> tuple[TracedTransform, ...]:
    if not predictor.derive:
        return ()
    from unisono.models import trace

    namespaces: Mapping[str, Mapping[str, DType]] = {
        "request": predictor.columns,
        "features": dict.fromkeys(predictor.feature_names, Float64),
    }
    return tuple(
        trace(transform, {name: namespaces[name] for name in transform.inputs}) for transform in predictor.derive
    )


def _label_transforms(label: Label | None, views: Iterable[FeatureView], traced: Traced) -> tuple[TracedTransform, ...]:
    """What makes the label's column: its own transforms, else those of the views on its source."""
    if label is None or label.column in label.source.columns:
        return ()
    of_views = [transform for view in views if view.source == label.source for transform in view.derive]
    candidates = [trace_once(transform, label.source, traced) for transform in (*label.derive, *of_views)]
    return tuple(transform for transform in candidates if label.column in transform.outputs)[:1]


def _label_problems(ready: ReadyPredictor) -> list[str]:
    label = ready.spec.label
    if label is None or label.column in label.source.columns or ready.label_transforms:
        return []
    return [
        f"predictor {ready.name}: label: no transform makes column {label.column} of source {label.source.name}; "
        "allowed: a column of the source, or one derived by the label or by a view on that source; derive it"
    ]


def _name_clashes(ready: ReadyPredictor) -> list[str]:
    taken = dict.fromkeys(ready.spec.columns, "a column of the request")
    taken.update(dict.fromkeys(ready.feature_names, "a feature"))
    if ready.spec.label is not None:
        taken[ready.spec.label.column] = "the label"
    problems = []
    for transform in ready.transforms:
        for column in transform.outputs:
            if column in taken:
                problems.append(
                    f"predictor {ready.name}: transform {transform.name}: {column} is the name of {taken[column]} too; "
                    "allowed: a name of its own; rename what the transform returns"
                )
            taken[column] = f"a column of transform {transform.name}"
    return problems
