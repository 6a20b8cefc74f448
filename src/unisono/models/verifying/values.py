"""Values at the edges of what a column can hold, by its dtype and by what a sample of it holds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from unisono.models.tensors import ELEMENTS
from unisono.spec.types import Decimal, DType
from unisono.spec.types import Tensor as TensorType

Tensor = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Edge:
    """A value of one column.

    kind:     what it is, e.g. "null"; a model that fails on a kind is not asked for it.
    value:    as `storable` takes it.
    extreme:  so far out that sums with it depend on their order: in floats that overflow, or swallow what they add.
    """

    kind: str
    value: Any
    extreme: bool = False


NULL = Edge("null", None)

_FLOAT32 = np.finfo(np.float32)
_SMALL = (5e-324, -5e-324, 1e-45, float(_FLOAT32.tiny), 1e-35, -1e-35, 1e-8)
_ODD = (1.0, -1.0, 0.1, 0.5, float(2**24 + 1))
_LARGE = (1e300, -1e300, 1e30, float(2**53), float(_FLOAT32.max), -float(_FLOAT32.max), 3.5e38)
_QUANTILES = (0.0, 0.25, 0.5, 0.75, 1.0)
_TEXTS = ("", " ", "a category that is not there", "é", "日本語", "🙂", "nan", "None", "0", "a,b\tc\n")
_LONG = "very long " * 1000
_YEARS = (-62_135_596_800_000_000, -9_223_372_036_854_775, 4_294_967_296_000_000, 253_402_300_799_999_999)  # 1 to 9999
_DAY = 86_400_000_000


def edges_of(column: pl.Series, dtype: DType) -> list[Edge]:
    """Values to try in a column, each once; the same for the same column.

    column: a sample of it, as `plain` gives it.
    """
    unique: dict[tuple[str, str], Edge] = {}
    for edge in _EDGES[dtype.name](column, dtype):
        unique.setdefault((edge.kind, repr(edge.value)), edge)
    return list(unique.values())


def plain(column: pl.Series, dtype: DType) -> pl.Series:
    """A column in the form in which values are put into it: Timestamps in microseconds, Decimals as floats."""
    if dtype.name == "Timestamp":
        zoned = column if getattr(column.dtype, "time_zone", None) else column.dt.replace_time_zone("UTC")
        return zoned.cast(pl.Datetime("us", "UTC")).to_physical().cast(pl.Int64)
    return column if dtype.name == "Tensor" else column.cast(_PLAIN[dtype.name])


def stored(name: str, values: Any, dtype: DType) -> pl.Series:
    """Plain values as a column of a frame."""
    if isinstance(dtype, TensorType):
        return pl.Series(name, values, pl.Array(getattr(pl, dtype.element), dtype.shape))
    series = pl.Series(name, values, _PLAIN[dtype.name])
    return series.cast(pl.Datetime("us", "UTC")) if dtype.name == "Timestamp" else series


def storable(number: float | None, dtype: DType) -> float | int | bool | None:
    """The nearest number at or below this one that the dtype has; NaN and null are null."""
    if number is None or number != number:
        return None
    match dtype.name:
        case "Int64":
            return int(np.clip(np.floor(number), -(2.0**63), 2.0**63 - 1024))
        case "Bool":
            return number >= 1
    return _rounded(number, dtype) if isinstance(dtype, Decimal) else float(number)


def _rounded(number: float, dtype: Decimal) -> float | None:
    power = 10.0**dtype.places
    digits = np.floor(number * power)
    return float(digits / power) if abs(digits) < 2.0**53 else None


_PLAIN: Mapping[str, type[pl.DataType]] = {
    "String": pl.String,
    "Int64": pl.Int64,
    "Float64": pl.Float64,
    "Decimal": pl.Float64,
    "Bool": pl.Boolean,
    "Timestamp": pl.Int64,
}


def _floats(column: pl.Series, dtype: DType) -> Iterator[Edge]:
    yield from (NULL, Edge("NaN", float("nan")), Edge("zero", 0.0), Edge("zero", -0.0))
    yield from (Edge("small", value) for value in _SMALL)
    yield from (Edge("plain", value) for value in _ODD)
    for value in _quantiles(column.filter(column.is_finite())):
        yield from (Edge("of the sample", one) for one in (value, *_beside(value)))
    yield from (Edge("large", value, extreme=True) for value in _LARGE)
    yield from (Edge("infinite", value, extreme=True) for value in (float("inf"), -float("inf")))


def _beside(value: float) -> tuple[float, float]:
    return float(np.nextafter(value, -np.inf)), float(np.nextafter(value, np.inf))


def _quantiles(column: pl.Series) -> list[Any]:
    known = column.drop_nulls().sort()
    places = sorted({round(part * (len(known) - 1)) for part in _QUANTILES}) if len(known) else []
    return [known[place] for place in places]


def _integers(column: pl.Series, dtype: DType) -> Iterator[Edge]:
    yield NULL
    yield from (Edge("zero", 0), Edge("plain", 1), Edge("plain", -1), Edge("plain", 2**24 + 1))
    for value in _quantiles(column):
        yield from (Edge("of the sample", value + step) for step in (0, -1, 1) if abs(value) < 2**62)
    for power in (31, 53, 62):
        yield from (Edge("large", sign * 2**power + 1, extreme=True) for sign in (1, -1))
    yield from (Edge("large", value, extreme=True) for value in (2**63 - 1, -(2**63)))


def _decimals(column: pl.Series, dtype: DType) -> Iterator[Edge]:
    assert isinstance(dtype, Decimal)
    step = 10.0**-dtype.places
    yield from (NULL, Edge("zero", 0.0), Edge("small", step), Edge("small", -step))
    for value in _quantiles(column):
        yield from (Edge("of the sample", _rounded(value + move, dtype)) for move in (0.5 * step, 1.5 * step))
    largest = (2**53 - 1) / 10**dtype.places
    yield from (Edge("large", _rounded(sign * largest, dtype), extreme=True) for sign in (1, -1))


def _booleans(column: pl.Series, dtype: DType) -> Iterator[Edge]:
    yield from (NULL, Edge("plain", True), Edge("plain", False))


def _times(column: pl.Series, dtype: DType) -> Iterator[Edge]:
    yield from (NULL, Edge("the epoch", 0), Edge("the epoch", -1), Edge("the epoch", 1))
    for value in _quantiles(column):
        midnight = value // _DAY * _DAY
        yield from (Edge("of the sample", one) for one in (value, midnight, midnight - 1))
    yield from (Edge("a far year", value, extreme=True) for value in _YEARS)


def _strings(column: pl.Series, dtype: DType) -> Iterator[Edge]:
    yield NULL
    yield from (Edge("text", value) for value in _TEXTS)
    yield Edge("long text", _LONG)
    for value in _frequent(column):
        yield from (Edge("of the sample", one) for one in (value, value.swapcase(), f" {value}", f"{value}x"))


def _frequent(column: pl.Series) -> Iterable[str]:
    """Some of its values, the most frequent first; of equally frequent ones the least."""
    counts = pl.DataFrame({"value": column, "count": 1}).drop_nulls("value").group_by("value").sum()
    return counts.sort(["count", "value"], descending=[True, False]).get_column("value").head(3).to_list()


def _tensors(column: pl.Series, dtype: DType) -> Iterator[Edge]:
    assert isinstance(dtype, TensorType)
    element = ELEMENTS[dtype.element]
    values: Tensor = column.to_numpy().reshape(-1, *dtype.shape)
    low, high = (values.min(), values.max()) if values.size else (element(0), element(1))
    random = np.random.default_rng(0)
    yield Edge("one number everywhere", np.zeros(dtype.shape, element))
    yield from (Edge("one number everywhere", np.full(dtype.shape, one, element)) for one in (low, high))
    drawn = random.random(dtype.shape)
    yield Edge("noise", (float(low) + drawn * (float(high) - float(low))).astype(element))
    yield Edge("noise", np.where(drawn < 0.5, low, high).astype(element))
    limits: Any = np.finfo(element) if np.issubdtype(element, np.floating) else np.iinfo(element)
    extreme = dtype.element != "UInt8"
    yield from (Edge("large", np.full(dtype.shape, one, element), extreme) for one in (limits.min, limits.max))


_EDGES: Mapping[str, Callable[[pl.Series, DType], Iterator[Edge]]] = {
    "Float64": _floats,
    "Int64": _integers,
    "Decimal": _decimals,
    "Bool": _booleans,
    "Timestamp": _times,
    "String": _strings,
    "Tensor": _tensors,
}
