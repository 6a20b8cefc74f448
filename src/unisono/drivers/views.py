"""Views ready to run: compiled for the kernel, their transforms traced."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import polars as pl

from unisono.features.compile import ViewPlan, compile_view
from unisono.features.frames import EventTable
from unisono.spec.source import Source
from unisono.spec.transform import Transform
from unisono.spec.view import FeatureView

if TYPE_CHECKING:  # models are loaded by the first transform: views without any do not wait for them
    from unisono.models import TracedTransform


@dataclass(frozen=True, slots=True)
class ReadyView:
    """A view that can be fed.

    plan:       what the kernel computes.
    transforms: its traced transforms, in the order of `derive`.
    """

    plan: ViewPlan
    transforms: tuple[TracedTransform, ...]

    @property
    def name(self) -> str:
        """The view's name."""
        return self.plan.view.name

    @property
    def source(self) -> Source:
        """The view's source."""
        return self.plan.view.source


def make_ready(
    views: Iterable[FeatureView], traced: dict[tuple[Source, Transform], TracedTransform] | None = None
) -> tuple[ReadyView, ...]:
    """Trace and compile views; a transform that several have is traced once.

    traced: transforms that are traced already; new ones are put there too.

    Raises DefinitionError if a transform cannot be traced or a view aggregates what is not there.
    """
    traced = {} if traced is None else traced
    return tuple(_ready(view, traced) for view in views)


def _ready(view: FeatureView, traced: dict[tuple[Source, Transform], TracedTransform]) -> ReadyView:
    transforms = tuple(trace_once(transform, view.source, traced) for transform in view.derive)
    derived = {name: dtype for transform in transforms for name, dtype in transform.outputs.items()}
    return ReadyView(compile_view(view, derived), transforms)


def trace_once(
    transform: Transform, source: Source, traced: dict[tuple[Source, Transform], TracedTransform]
) -> TracedTransform:
    """A transform of a source's columns, from the cache or traced into it."""
    from unisono.models import trace

    key = (source, transform)
    if key not in traced:
        traced[key] = trace(transform, {source.name: source.columns})
    return traced[key]


@dataclass(slots=True)
class Deriving:
    """Derived columns of one table; what several views derive is computed once."""

    table: EventTable
    _done: dict[int, pl.DataFrame] = field(default_factory=dict)

    def for_view(self, view: ReadyView) -> EventTable:
        """The table with the columns that a view derives."""
        return self.deriving(view.transforms)

    def deriving(self, transforms: Iterable[TracedTransform]) -> EventTable:
        """The table with the columns that some transforms make."""
        columns = [column for transform in transforms for column in self._columns(transform).get_columns()]
        return self.table.with_derived(columns) if columns else self.table

    def _columns(self, transform: TracedTransform) -> pl.DataFrame:
        from unisono.models import derive

        key = id(transform)  # two views may have different transforms of one name
        if key not in self._done:
            place, zone = self.table.place.frame, self.table.source.timezone
            read = self.table.frame(name for columns in transform.reads.values() for name in columns)
            self._done[key] = derive([transform], read, place, timezone=zone)
        return self._done[key]


def by_source(views: Iterable[ReadyView]) -> Mapping[str, list[ReadyView]]:
    """The views of each source."""
    grouped: dict[str, list[ReadyView]] = {}
    for view in views:
        grouped.setdefault(view.source.name, []).append(view)
    return grouped
