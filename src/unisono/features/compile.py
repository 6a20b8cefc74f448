"""A feature view as a plan for the kernel, and a source's events as the arrays that plan folds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from unisono.features.frames import EventTable
from unisono.features.keys import Codes
from unisono.kernel import Column, Events, Output, Plan
from unisono.spec.errors import DefinitionError
from unisono.spec.types import Decimal, DType
from unisono.spec.view import FeatureView, validate_derived


@dataclass(frozen=True, slots=True)
class ViewPlan:
    """A view, compiled.

    view:    the view.
    plan:    what the kernel computes for one key.
    columns: the event columns that the plan reads, in its order, with their dtypes.
    """

    view: FeatureView
    plan: Plan
    columns: Mapping[str, DType]

    @property
    def names(self) -> tuple[str, ...]:
        """The feature names, in the order of the plan's outputs."""
        return self.view.feature_names

    @property
    def keys(self) -> Mapping[str, DType]:
        """The key columns with their dtypes."""
        return {name: self.view.source.columns[name] for name in self.view.key}


def compile_view(view: FeatureView, derived: Mapping[str, DType] | None = None) -> ViewPlan:
    """What the kernel computes for a view.

    derived: the columns that the view's transforms make, with their dtypes; None: it has none.

    Raises DefinitionError if the view aggregates a column that neither its source nor its transforms have.
    """
    derived = derived or {}
    problems = validate_derived(view, derived)
    if problems:
        raise DefinitionError(problems)
    known = {**view.source.columns, **derived}
    used = dict.fromkeys(item.column for item in view.aggregations if item.column is not None)
    columns = {name: known[name] for name in used}
    plan = Plan(
        columns=tuple(_column(dtype) for dtype in columns.values()),
        windows=view.windows,
        outputs=tuple(_outputs(view, list(columns))),
        has_ids=view.source.id is not None,
        remember_us=(view.source.remember_ids or 0) if None in view.windows else 0,
    )
    return ViewPlan(view, plan, columns)


def _column(dtype: DType) -> Column:
    if dtype.name == "Float64":
        return Column("float")
    return Column("fixed", dtype.places if isinstance(dtype, Decimal) else 0)


def _outputs(view: FeatureView, columns: list[str]) -> Iterable[Output]:
    for window in range(len(view.windows)):
        for item in view.aggregations:
            yield Output(item.kind, -1 if item.column is None else columns.index(item.column), window)


def events_for(plan: ViewPlan, table: EventTable, codes: Codes) -> Events:
    """A source's events as the kernel takes them for one view.

    codes: int32, one an event: the slot of its key.
    """
    return Events(
        key=codes,
        time=table.time,
        ingest=table.ingest,
        values=[table.values(name, dtype) for name, dtype in plan.columns.items()],
        id=table.ids(),
        retraction=table.retractions(),
    )
