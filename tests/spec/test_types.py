from __future__ import annotations

import copy
import pickle

import pytest

import unisono as un
from unisono.spec.frozen import Schema
from unisono.spec.types import DTYPE_NAMES, DType, parse_dtype

PLAIN = [un.String, un.Int64, un.Float64, un.Bool, un.Timestamp]
TENSORS = [un.Tensor("UInt8", (28, 28)), un.Tensor("Float32", (384,)), un.Tensor("Int64", (1, 2, 3, 4, 5, 6))]
ALL = [*PLAIN, un.Decimal(places=0), un.Decimal(places=18), *TENSORS]


@pytest.mark.parametrize("dtype", ALL, ids=str)
def test_a_dtype_is_read_from_what_it_prints_as(dtype: DType) -> None:
    assert parse_dtype(str(dtype)) == dtype
    assert repr(dtype) == str(dtype)


@pytest.mark.parametrize("dtype", PLAIN, ids=str)
def test_a_plain_dtype_is_one_object_even_after_pickling(dtype: DType) -> None:
    assert pickle.loads(pickle.dumps(dtype)) is dtype
    assert copy.deepcopy(dtype) is dtype
    assert parse_dtype(str(dtype)) is dtype


def test_decimals_are_equal_by_their_places() -> None:
    assert un.Decimal(places=2) == un.Decimal(2)
    assert un.Decimal(places=2) != un.Decimal(places=3)
    assert pickle.loads(pickle.dumps(un.Decimal(2))) == un.Decimal(2)
    assert len({*ALL}) == len(ALL)


@pytest.mark.parametrize("places", [-1, 19, 2.0, True, "2", None])
def test_a_decimal_with_unsound_places_is_refused(places: object) -> None:
    with pytest.raises(un.DefinitionError, match=r"Decimal: places: .* from 0 to 18; write e.g. Decimal\(places=2\)"):
        un.Decimal(places=places)  # type: ignore[arg-type]


@pytest.mark.parametrize("text", ["", "int64", "Decimal", "Decimal(-1)", "Decimal(19)", "Decimal(2) ", "Decimal(٢)"])
def test_text_that_is_no_dtype_is_refused(text: str) -> None:
    with pytest.raises(un.DefinitionError):
        parse_dtype(text)


@pytest.mark.parametrize(
    "text",
    ["Tensor", "Tensor(UInt8)", "Tensor(UInt8, ())", "Tensor(UInt8, (2))", "Tensor(UInt8, (02,))", "Tensor(A, (2,))"],
)
def test_text_that_is_no_tensor_is_refused(text: str) -> None:
    with pytest.raises(un.DefinitionError):
        parse_dtype(text)


def test_tensors_are_equal_by_element_and_shape() -> None:
    assert un.Tensor("UInt8", (2, 3)) == un.Tensor("UInt8", (2, 3)) != un.Tensor("UInt8", (3, 2))
    assert un.Tensor("UInt8", (2, 3)) != un.Tensor("Int32", (2, 3))
    assert pickle.loads(pickle.dumps(TENSORS[0])) == TENSORS[0]
    assert un.Tensor("UInt8", (2, 3)).size == 6


@pytest.mark.parametrize("shape", [(), 3, [3], (0,), (-1,), (2.0,), (True,), (1,) * 7, (1 << 12, 1 << 13), None])
def test_a_tensor_with_an_unsound_shape_is_refused(shape: object) -> None:
    with pytest.raises(un.DefinitionError, match=r"Tensor: shape: .*allowed: a tuple of 1 to 6 whole numbers"):
        un.Tensor("UInt8", shape)  # type: ignore[arg-type]


@pytest.mark.parametrize("element", ["float32", "String", 4, None])
def test_a_tensor_of_something_else_is_refused(element: object) -> None:
    with pytest.raises(un.DefinitionError, match=r"Tensor: element: .*allowed: UInt8, Int32, Int64, Float32, Float64"):
        un.Tensor(element, (2,))  # type: ignore[arg-type]


def test_events_have_no_tensors_and_a_request_may() -> None:
    schema = {"user": un.String, "face": un.Tensor("UInt8", (8, 8))}
    with pytest.raises(
        un.DefinitionError, match=r'schema\["face"\]: Tensor.* is no dtype for it; allowed: String, Int64'
    ):
        un.Source("logins", schema, event_time="at")
    assert un.Predictor("match", request=schema, time="asked_at", features=()).columns["face"] == schema["face"]


def test_every_dtype_is_in_the_list_of_names() -> None:
    assert {dtype.name for dtype in ALL} == {*DTYPE_NAMES}


def test_a_schema_is_equal_whatever_its_order_and_keeps_the_order_it_was_given() -> None:
    one, two = Schema({"b": un.Int64, "a": un.String}), Schema({"a": un.String, "b": un.Int64})
    assert one == two
    assert hash(one) == hash(two)
    assert list(one) == ["b", "a"]


def test_a_schema_cannot_change() -> None:
    given = {"a": un.String}
    schema = Schema(given)
    given["b"] = un.Int64
    assert dict(schema) == {"a": un.String}
    with pytest.raises(AttributeError):
        schema._items = {}
    with pytest.raises(TypeError):
        schema["b"] = un.Int64  # type: ignore[index]


def test_a_schema_crosses_processes() -> None:
    schema = Schema({"b": un.Decimal(2), "a": un.String})
    assert pickle.loads(pickle.dumps(schema)) == schema
