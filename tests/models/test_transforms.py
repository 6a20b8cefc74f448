from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import ndonnx as xp
import numpy as np
import onnx
import polars as pl
import pytest

import unisono as un
from tests.models.samples import calendar
from unisono.models import TracedTransform, category, derive, fill_null, is_null, load_transform, trace
from unisono.spec.types import DType

COLUMNS: Mapping[str, Mapping[str, DType]] = {
    "request": {
        "at": un.Timestamp,
        "x": un.Float64,
        "y": un.Float64,
        "n": un.Int64,
        "m": un.Int64,
        "name": un.String,
        "flag": un.Bool,
        "fare": un.Decimal(places=2),
    },
    "features": {"v__a": un.Float64, "v__b": un.Float64},
}
UTC = UTC


def traced(function: Callable[[Any], Any]) -> TracedTransform:
    """A function of the request, traced; lambdas have no names of their own."""
    return trace(un.Transform("made", function, ("request",)), COLUMNS)


def of_request(function: Callable[[Any], Mapping[str, Any]], **columns: Any) -> dict[str, list[Any]]:
    """What a function of the request makes of a frame."""

    return derive([traced(function)], pl.DataFrame(columns, strict=False)).to_dict(as_series=False)


def of_features(function: Callable[[Any], Mapping[str, Any]], **columns: Any) -> dict[str, list[Any]]:
    graph = trace(un.Transform("made", function, ("features",)), COLUMNS)
    return derive([graph], pl.DataFrame(columns, strict=False)).to_dict(as_series=False)


# What DESIGN.md promises


def test_the_examples_of_the_design_run_as_written() -> None:
    @un.transform
    def lateness(arrivals: Any) -> Mapping[str, Any]:
        return {"late": arrivals["arr_delay"] > 15}

    late = trace(lateness, {"arrivals": {"arr_delay": un.Decimal(places=0)}})
    assert late.outputs == {"late": un.Bool}
    assert derive([late], pl.DataFrame({"arr_delay": [15, 16, None]}))["late"].to_list() == [False, True, None]

    hour = trace(calendar, {"request": {"sched_dep": un.Timestamp}})
    assert hour.outputs == {"hour": un.Int64}
    times = [datetime(2013, 1, 1, 5, 59, tzinfo=UTC), None, datetime(1969, 12, 31, 23, 59, tzinfo=UTC)]
    assert derive([hour], pl.DataFrame({"sched_dep": times}))["hour"].to_list() == [5, None, 23]


def test_only_what_is_used_is_read() -> None:
    assert traced(lambda r: {"z": r["x"] + r["y"] * 0 + r["x"]}).reads == {
        "request": {"x": un.Float64, "y": un.Float64}
    }


def test_a_function_may_take_columns_that_it_does_not_use() -> None:
    assert traced(lambda r: {"z": (r["x"], r["n"])[0] * 2.0}).reads == {"request": {"x": un.Float64}}


@pytest.mark.parametrize(
    ("function", "dtype"),
    [
        (lambda request: request["flag"], un.Bool),
        (lambda request: request["n"].astype("int8"), un.Int64),
        (lambda request: request["x"].astype("float32"), un.Float64),
        (lambda request: request["fare"], un.Float64),
        (lambda request: request["name"], un.String),
        (lambda request: request["at"] + np.timedelta64(1, "s"), un.Timestamp),
    ],
)
def test_each_kind_of_array_has_its_dtype(function: Callable[[Any], Any], dtype: DType) -> None:
    assert traced(lambda request: {"z": function(request)}).outputs == {"z": dtype}


def test_a_decimal_column_enters_as_the_nearest_float() -> None:
    fares = pl.Series(["0.10", "90071992547409.93", None]).cast(pl.Decimal(18, 2))
    assert of_request(lambda request: {"z": request["fare"]}, fare=fares)["z"] == [0.1, 90071992547409.93, None]


# Nulls


def test_a_value_is_null_where_a_column_behind_it_is() -> None:
    made = of_request(lambda r: {"z": r["x"] + r["y"], "w": r["x"] > 0}, x=[1.0, None, 3.0], y=[1.0, 2.0, None])
    assert made == {"z": [2.0, None, None], "w": [True, None, True]}


def test_nan_is_not_null_in_a_request() -> None:
    made = of_request(lambda r: {"z": xp.isnan(r["x"])}, x=[float("nan"), None, 1.0])
    assert made == {"z": [True, None, False]}


def test_a_features_nan_is_null() -> None:
    made = of_features(lambda f: {"z": f["v__a"] > 0, "w": xp.isnan(f["v__a"])}, v__a=[1.0, None, float("nan")])
    assert made == {"z": [True, None, None], "w": [False, True, True]}


def test_a_filled_column_is_not_null() -> None:
    made = of_request(
        lambda r: {"z": fill_null(r["n"], 7) + 1, "w": fill_null(r["name"], "?")}, n=[1, None], name=[None, "a"]
    )
    assert made == {"z": [2, 8], "w": ["?", "a"]}


@pytest.mark.parametrize(
    "function",
    [
        lambda f: xp.where(xp.isnan(f["v__a"]), -1.0, f["v__a"]),
        lambda f: xp.where(~xp.isnan(f["v__a"]), f["v__a"], -1.0),
        lambda f: xp.where(is_null(f["v__a"]), -1.0, f["v__a"]),
        lambda f: fill_null(f["v__a"], -1.0),
    ],
)
def test_a_feature_can_be_filled_in_any_of_these_ways(function: Callable[[Any], Any]) -> None:
    assert of_features(lambda f: {"z": function(f)}, v__a=[1.0, None, float("nan")]) == {"z": [1.0, -1.0, -1.0]}


def test_what_fills_a_null_may_be_null_itself() -> None:
    made = of_request(
        lambda r: {"z": xp.where(is_null(r["x"]), r["y"], r["x"])}, x=[1.0, None, None], y=[None, 2.0, None]
    )
    assert made == {"z": [None, 2.0, None]}


def test_is_null_is_never_null() -> None:
    assert of_request(lambda r: {"z": is_null(r["at"])}, at=[datetime(2013, 1, 1, tzinfo=UTC), None]) == {
        "z": [False, True]
    }


def test_a_function_can_make_nulls_of_its_own() -> None:
    made = of_request(lambda r: {"z": xp.extensions.make_nullable(r["n"], r["n"] < 0)}, n=[1, -1, None])
    assert made == {"z": [1, None, None]}


def test_category_gives_positions() -> None:
    made = of_request(lambda r: {"z": category(r["name"], ["EWR", "JFK"])}, name=["JFK", "LGA", "EWR", "", None])
    assert made == {"z": [1, -1, 0, -1, None]}


# Whatever the batch, whatever the numbers


def test_no_division_of_whole_numbers_ends_the_process() -> None:
    n, m = [7, -7, 5, -(2**63), 3], [2, 2, 0, -1, -1]
    made = of_request(lambda r: {"quotient": r["n"] // r["m"], "rest": r["n"] % r["m"]}, n=n, m=m)
    assert made == {"quotient": [3, -4, 0, -(2**63), -3], "rest": [1, 1, 0, 0, 0]}


@pytest.mark.parametrize("divisor", [1, 7, 24, 3_600_000_000, 2**62])
def test_floor_division_by_a_constant_is_pythons(divisor: int) -> None:
    numbers = [0, 1, -1, 23, -23, 24, -24, 10**15, -(10**15), 2**63 - 1, -(2**63), -(2**63) + 1]
    assert of_request(lambda r: {"z": r["n"] // divisor}, n=numbers) == {"z": [number // divisor for number in numbers]}


def test_the_cosine_is_computed_in_float64() -> None:
    assert of_request(lambda r: {"z": xp.cos(r["x"])}, x=[1.0])["z"] == [pytest.approx(np.cos(1.0), rel=1e-15)]


def test_a_number_that_no_int64_can_hold_becomes_zero() -> None:
    made = of_request(lambda r: {"z": r["x"].astype("int64")}, x=[1.9, -1.9, float("nan"), float("inf"), 1e300])
    assert made == {"z": [1, -1, 0, 0, 0]}


# Graphs


def test_a_loaded_transform_gives_the_same() -> None:
    first = trace(calendar, {"request": {"sched_dep": un.Timestamp}})
    assert load_transform("calendar", first.graph) == first
    loaded = un.Transform("calendar", inputs=("request",), graph=first.graph)
    assert trace(loaded, {"request": {"sched_dep": un.Timestamp}}) == first
    with pytest.raises(un.DefinitionError, match=r"sched_dep.*is Int64; allowed: Timestamp"):
        trace(loaded, {"request": {"sched_dep": un.Int64}})


@pytest.mark.parametrize("graph", [b"", b"no graph", onnx.ModelProto(ir_version=10).SerializeToString()])
def test_bytes_that_are_no_transform_are_refused(graph: bytes) -> None:
    with pytest.raises(un.DefinitionError, match=r"transform calendar: graph: .*; trace the transform again"):
        load_transform("calendar", graph)


_PRINT_GRAPH = """
import hashlib, sys
import ndonnx as xp
import unisono as un
from unisono.models import category, fill_null, trace

def made(request, features):
    hour = request["at"].astype("int64") // 3_600_000_000 % 24
    return {"s": xp.sin(hour / 24.0), "e": xp.exp(features["v__a"]), "c": category(request["name"], ["a", "b"]),
            "f": fill_null(request["n"], 3) // 7, "g": xp.maximum(features["v__a"], features["v__b"])}

columns = {
    "request": {"name": un.String, "n": un.Int64, "at": un.Timestamp},
    "features": {"v__b": un.Float64, "v__a": un.Float64},
}
print(hashlib.sha256(trace(un.transform(made), columns).graph).hexdigest())
"""


@pytest.mark.slow
def test_the_same_function_is_the_same_bytes_in_every_process() -> None:
    seen = set()
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        command = [sys.executable, "-c", _PRINT_GRAPH]
        seen.add(subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout)
    assert len(seen) == 1


def test_names_of_variables_are_no_part_of_the_bytes() -> None:
    def one(request: Any) -> Mapping[str, Any]:
        long_name = request["x"] * 2.0
        return {"z": long_name + 1.0}

    def other(request: Any) -> Mapping[str, Any]:
        """Says the same."""
        return {"z": request["x"] * 2.0 + 1.0}

    assert trace(un.transform(one), COLUMNS).graph == trace(un.transform(other), COLUMNS).graph


# Faults


def unknown_column(request: Any) -> Mapping[str, Any]:
    return {"z": request["nam"]}


def whole_column(request: Any) -> Mapping[str, Any]:
    return {"z": xp.mean(request["x"])}


def mixed_rows(request: Any) -> Mapping[str, Any]:
    return {"z": request["x"] - xp.mean(request["x"])}


def running_sum(request: Any) -> Mapping[str, Any]:
    return {"z": xp.cumulative_sum(request["x"])}


def some_rows(request: Any) -> Mapping[str, Any]:
    return {"z": request["x"][request["n"] > 0]}


def branch(request: Any) -> Mapping[str, Any]:
    return {"z": request["x"]} if request["x"] > 3 else {"z": request["y"]}


def scalar(request: Any) -> Mapping[str, Any]:
    return {"z": 1}


def duration(request: Any) -> Mapping[str, Any]:
    return {"z": request["at"] - request["at"]}


def bad_name(request: Any) -> Mapping[str, Any]:
    return {"z z": request["x"]}


def no_mapping(request: Any) -> Any:
    return request["x"]


def nothing(request: Any) -> Mapping[str, Any]:
    return {}


def lossy(request: Any) -> Mapping[str, Any]:
    return {"z": xp.atan(request["x"])}


def late_fill(request: Any) -> Mapping[str, Any]:
    return {"z": fill_null(request["x"] + 1, 0.0)}


def twice(request: Any) -> Mapping[str, Any]:
    return {"z": category(request["name"], ["a", "a"])}


def unknown_namespace(requests: Any) -> Mapping[str, Any]:
    return {"z": requests["x"]}


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (unknown_column, r'it reads request\["nam"\], which is not there; allowed: .*; did you mean "name"\?'),
        (whole_column, r'"z" has the shape \(\); allowed: one value a row'),
        (mixed_rows, "depends on the rows beside it; allowed: functions of one row at a time"),
        (running_sum, "depends on the rows beside it"),
        (some_rows, '"z" does not have one value a row'),
        (branch, r"ValueError: no propagated value available; .* xp\.where"),
        (scalar, r'"z" is 1 \(of type int\); allowed: one array a column'),
        (duration, r'"z" has the type timedelta64\[us\]; .*convert it'),
        (bad_name, '"z z", which is not a name'),
        (no_mapping, "allowed: a mapping of column name to array"),
        (nothing, "it returns no columns"),
        (lossy, "atan of a float64 column, which onnxruntime has for float32 only"),
        (late_fill, "which is not a column as a namespace gave it; .*before anything is done"),
        (twice, "with one of them twice"),
        (unknown_namespace, 'parameter "requests" names no namespace; .*did you mean "request"'),
    ],
)
def test_a_fault_says_where_what_and_what_next(function: Callable[[Any], Any], message: str) -> None:
    with pytest.raises(un.DefinitionError, match=message) as caught:
        trace(un.transform(function), COLUMNS)
    (problem,) = caught.value.problems
    line = function.__code__.co_firstlineno
    assert problem.startswith(f"transform {function.__name__} ({Path(__file__).name}:")
    assert int(problem.split(":")[1].rstrip(")")) in (line, line + 1)
    assert problem.count("; allowed: ") == 1


def test_all_faulty_columns_are_said_together() -> None:
    with pytest.raises(un.DefinitionError) as caught:
        traced(lambda request: {"a": 1, "b": None})
    assert len(caught.value.problems) == 2


def test_two_transforms_cannot_make_one_column() -> None:
    one = traced(lambda request: {"z": request["x"]})
    with pytest.raises(un.DefinitionError, match='makes "z", which another transform makes too'):
        derive([one, one], pl.DataFrame({"x": [1.0]}))


def test_a_frame_without_rows_gives_columns_without_rows() -> None:
    made = derive([trace(calendar, {"request": {"sched_dep": un.Timestamp}})], pl.DataFrame({"sched_dep": [None]})[:0])
    assert made.schema == {"hour": pl.Int64}
    assert made.height == 0
