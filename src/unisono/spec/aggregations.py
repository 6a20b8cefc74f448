"""Aggregations: what is computed over the events of a window. One table says what each needs.

`count`, `sum`, `min`, `max` and `range` hide Python's builtins in this module: it uses none of those.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from unisono.spec.errors import DefinitionError
from unisono.spec.types import COLUMN_DTYPES, DType
from unisono.spec.wording import did_you_mean, is_name, listing, quoted

Accumulator = Literal["count", "sum", "squares", "min", "max", "first", "last"]


@dataclass(frozen=True, slots=True)
class Rule:
    """What one kind of aggregation needs.

    column:       whether it is of a column always, or may be of the events themselves.
    dtypes:       names of the dtypes it may be of.
    accumulators: what must be kept over the window to answer it.
    """

    column: Literal["required", "optional"]
    dtypes: tuple[str, ...]
    accumulators: tuple[Accumulator, ...]


_NUMBERS = ("Int64", "Float64", "Bool", "Decimal")
_ORDERED = (*_NUMBERS, "Timestamp")

AGGREGATIONS: Mapping[str, Rule] = {
    "count": Rule("optional", COLUMN_DTYPES, ("count",)),
    "sum": Rule("required", _NUMBERS, ("sum",)),
    "mean": Rule("required", _NUMBERS, ("count", "sum")),
    "var": Rule("required", _NUMBERS, ("count", "sum", "squares")),
    "std": Rule("required", _NUMBERS, ("count", "sum", "squares")),
    "min": Rule("required", _ORDERED, ("min",)),
    "max": Rule("required", _ORDERED, ("max",)),
    "range": Rule("required", _ORDERED, ("min", "max")),
    "first": Rule("required", _ORDERED, ("first",)),
    "last": Rule("required", _ORDERED, ("last",)),
}


@dataclass(frozen=True, slots=True)
class Aggregation:
    """One aggregation of one column, or of the events themselves (`count()`).

    kind:   a name of the table AGGREGATIONS.
    column: a column of the source, or one that the view derives; None: the events.

    Raises DefinitionError.
    """

    kind: str
    column: str | None = None

    def __post_init__(self) -> None:
        if self.kind not in (*AGGREGATIONS,):
            allowed, step = listing(AGGREGATIONS), did_you_mean(self.kind, AGGREGATIONS)
            raise DefinitionError(f"aggregation: kind: {quoted(self.kind)} is unknown; allowed: {allowed}; {step}")
        optional = AGGREGATIONS[self.kind].column == "optional"
        if not (is_name(self.column) or (optional and self.column is None)):
            allowed = "the name of a column" + (", or nothing" if optional else "")
            step = f'write e.g. {self.kind}("arr_delay")'
            raise DefinitionError(f"aggregation {self.kind}: column: {quoted(self.column)}; allowed: {allowed}; {step}")

    @property
    def name(self) -> str:
        """Its part of a feature's name: `arr_delay_mean`, or `count`."""
        return self.kind if self.column is None else f"{self.column}_{self.kind}"

    def accepts(self, dtype: DType) -> bool:
        """Whether a column of this dtype can be aggregated so."""
        return dtype.name in AGGREGATIONS[self.kind].dtypes


def count(column: str | None = None) -> Aggregation:
    """How many events; with a column, how many of its values are not null. Empty window: 0."""
    return Aggregation("count", column)


def sum(column: str) -> Aggregation:
    """The sum of the values that are not null, rounded once. Empty window: 0."""
    return Aggregation("sum", column)


def mean(column: str) -> Aggregation:
    """The mean of the values that are not null, rounded once. Empty window: null."""
    return Aggregation("mean", column)


def var(column: str) -> Aggregation:
    """The sample variance (n - 1) of the values that are not null, rounded once. Fewer than two values: null."""
    return Aggregation("var", column)


def std(column: str) -> Aggregation:
    """The sample standard deviation (n - 1) of the values that are not null. Fewer than two values: null."""
    return Aggregation("std", column)


def min(column: str) -> Aggregation:
    """The smallest value; NaN is ignored. Empty window: null. Of a Timestamp: microseconds since 1970."""
    return Aggregation("min", column)


def max(column: str) -> Aggregation:
    """The largest value; NaN is ignored. Empty window: null. Of a Timestamp: microseconds since 1970."""
    return Aggregation("max", column)


def range(column: str) -> Aggregation:
    """The largest value minus the smallest. Empty window: null. Of a Timestamp: microseconds."""
    return Aggregation("range", column)


def first(column: str) -> Aggregation:
    """The value that is first by (event time, log order) among those that are not null. Empty window: null."""
    return Aggregation("first", column)


def last(column: str) -> Aggregation:
    """The value that is last by (event time, log order) among those that are not null. Empty window: null."""
    return Aggregation("last", column)
