from __future__ import annotations

import typing

import pytest

import unisono as un
from unisono.spec.aggregations import AGGREGATIONS, Accumulator, Aggregation
from unisono.spec.types import DTYPE_NAMES, DType

BUILDERS = {
    "count": un.count,
    "sum": un.sum,
    "mean": un.mean,
    "var": un.var,
    "std": un.std,
    "min": un.min,
    "max": un.max,
    "range": un.range,
    "first": un.first,
    "last": un.last,
}
DTYPES: dict[str, DType] = {
    str(dtype.name): dtype for dtype in (un.String, un.Int64, un.Float64, un.Bool, un.Timestamp, un.Decimal(2))
}


def test_every_kind_in_the_table_has_a_builder_and_every_builder_a_kind() -> None:
    assert {*BUILDERS} == {*AGGREGATIONS}


@pytest.mark.parametrize("kind", BUILDERS)
def test_a_builder_makes_the_aggregation_of_its_name(kind: str) -> None:
    assert BUILDERS[kind]("arr_delay") == Aggregation(kind, "arr_delay")
    assert BUILDERS[kind]("arr_delay").name == f"arr_delay_{kind}"


def test_count_without_a_column_counts_events() -> None:
    assert un.count() == Aggregation("count", None)
    assert un.count().name == "count"


@pytest.mark.parametrize("kind", [kind for kind in AGGREGATIONS if kind != "count"])
def test_every_other_aggregation_needs_a_column(kind: str) -> None:
    with pytest.raises(un.DefinitionError, match=f"aggregation {kind}: column: None"):
        Aggregation(kind)


@pytest.mark.parametrize("column", ["", "a__b", 3, ["a"]])
def test_a_column_is_a_name(column: object) -> None:
    with pytest.raises(un.DefinitionError, match=r"aggregation mean: column: .* allowed: the name of a column; write"):
        un.mean(column)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["median", "MEAN", "", None, ["mean"]])
def test_an_unknown_kind_is_refused(kind: object) -> None:
    with pytest.raises(un.DefinitionError, match=r"aggregation: kind: .* is unknown; allowed: count, sum, mean"):
        Aggregation(kind, "x")  # type: ignore[arg-type]


def test_strings_are_only_counted() -> None:
    assert [kind for kind in AGGREGATIONS if Aggregation(kind, "x").accepts(un.String)] == ["count"]


def test_times_are_compared_and_never_summed() -> None:
    accepting = {kind for kind in AGGREGATIONS if Aggregation(kind, "x").accepts(un.Timestamp)}
    assert accepting == {"count", "min", "max", "range", "first", "last"}


@pytest.mark.parametrize("kind", AGGREGATIONS)
@pytest.mark.parametrize("dtype", ["Int64", "Float64", "Bool", "Decimal"])
def test_numbers_have_every_aggregation(kind: str, dtype: str) -> None:
    assert Aggregation(kind, "x").accepts(DTYPES[dtype])


@pytest.mark.parametrize("kind", AGGREGATIONS)
def test_the_table_names_known_dtypes_and_accumulators(kind: str) -> None:
    rule = AGGREGATIONS[kind]
    assert {*rule.dtypes} <= {*DTYPE_NAMES}
    assert {*rule.accumulators} <= {*typing.get_args(Accumulator)} and rule.accumulators
