"""Tensor columns: one form for whatever holds the numbers, and a reason for what does not fit."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import unisono as un
from unisono.drivers.online.plan import OnlinePlan
from unisono.drivers.online.requests import RequestDecoder
from unisono.features.places import Place
from unisono.features.tensors import array_dtype, tensors
from unisono.models.columns import encode

PLACE = Place("requests").of("image")
IMAGE = un.Tensor("UInt8", (2, 3))
WAVE = un.Tensor("Float32", (4,))


def alone(value: object, dtype: un.Tensor) -> Any:
    """The array that a request with this value gives."""
    plan = OnlinePlan("seen", {"image": dtype, "asked_at": un.Timestamp}, "asked_at", (), ())
    return RequestDecoder(plan).decode(json.dumps({"image": value}).encode())[0]


@given(arrays.arrays(np.uint8, st.tuples(st.integers(1, 5), st.just(2), st.just(3))))
def test_lists_and_arrays_of_any_whole_numbers_have_one_form(images: Any) -> None:
    nested = images.tolist()
    forms = [
        pl.Series("image", images),
        pl.Series("image", nested),
        pl.Series("image", nested, pl.List(pl.Array(pl.Int16, 3))),
        pl.Series("image", nested, pl.Array(pl.List(pl.UInt64), 2)),
    ]
    for form in forms:
        column = tensors(form, IMAGE, PLACE)
        assert column.dtype == array_dtype(IMAGE) and column.name == "image"
        assert (column.to_numpy() == images).all()
        assert (encode(column, IMAGE, place="requests")[0] == images).all()


@given(st.lists(st.floats(-3e38, 3e38), min_size=4, max_size=4))
def test_floats_are_rounded_once_and_the_same_in_a_frame_as_alone(numbers: list[float]) -> None:
    column = tensors(pl.Series("image", [numbers]), WAVE, PLACE)
    single = alone(numbers, WAVE)
    assert single.dtype == np.float32
    assert (column.to_numpy()[0].view(np.int32) == single.view(np.int32)).all()
    assert (single == np.array([np.float32(one) for one in numbers])).all()


def test_part_of_a_column_is_that_part() -> None:
    images = np.arange(24, dtype=np.uint8).reshape(4, 2, 3)
    column = tensors(pl.Series("image", images), IMAGE, PLACE)
    part = tensors(column.slice(1, 2), IMAGE, PLACE)
    assert (part.to_numpy() == images[1:3]).all()
    assert (encode(column.slice(1, 2), IMAGE, place="requests")[0] == images[1:3]).all()


def test_a_column_without_rows_is_one() -> None:
    empty = tensors(pl.Series("image", [], pl.List(pl.List(pl.Int64))), IMAGE, PLACE)
    assert len(empty) == 0 and empty.dtype == array_dtype(IMAGE)
    assert encode(empty, IMAGE, place="requests")[0].shape == (0, 2, 3)


GOOD = [[1, 2, 3], [4, 5, 6]]
UNSOUND: dict[str, Any] = {
    "a missing row": None,
    "a short side": [[1, 2, 3]],
    "an uneven side": [[1, 2, 3], [4, 5]],
    "a missing side": [[1, 2, 3], None],
    "a missing number": [[1, 2, 3], [4, 5, None]],
    "too large a number": [[1, 2, 3], [4, 5, 256]],
    "a negative number": [[1, 2, 3], [4, 5, -1]],
}


@pytest.mark.parametrize("name", UNSOUND)
def test_a_row_that_does_not_fit_is_named(name: str) -> None:
    with pytest.raises(un.InputError, match=r'column "image", row 1: .*; allowed: Tensor\(UInt8, \(2, 3\)\)'):
        tensors(pl.Series("image", [GOOD, UNSOUND[name]]), IMAGE, PLACE)
    if UNSOUND[name] is not None:
        with pytest.raises(un.InputError):
            alone(UNSOUND[name], IMAGE)


@pytest.mark.parametrize("number", [float("nan"), float("inf"), 1e39])
def test_a_number_that_is_not_finite_is_refused(number: float) -> None:
    with pytest.raises(un.InputError, match="finite numbers"):
        tensors(pl.Series("image", [[0.0, 1.0, 2.0, number]]), WAVE, PLACE)
    with pytest.raises(un.InputError):
        alone([0.0, 1.0, 2.0, number], WAVE)


@pytest.mark.parametrize("values", [[1.5], ["[[1]]"], [[1, 2]], [[["a", "b", "c"]] * 2], [[[1.0, 2.0, 3.0]] * 2]])
def test_a_column_of_another_kind_is_refused(values: list[Any]) -> None:
    with pytest.raises(un.InputError, match=r"dtype .*; allowed: Tensor\(UInt8, \(2, 3\)\): a column of"):
        tensors(pl.Series("image", values), IMAGE, PLACE)


def test_a_graph_takes_only_the_one_form() -> None:
    with pytest.raises(
        un.InputError, match=r"allowed: Tensor\(UInt8, \(2, 3\)\): a column of pl.Array\(pl.UInt8, \(2, 3\)\)"
    ):
        encode(pl.Series("image", [GOOD]), IMAGE, place="sample")
    gap = pl.Series("image", [[0.0, 1.0, 2.0, None]], array_dtype(WAVE))
    with pytest.raises(un.InputError, match="finite numbers, none missing"):
        encode(gap, WAVE, place="sample")
