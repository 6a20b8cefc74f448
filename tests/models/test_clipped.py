from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from onnx import TensorProto, helper

from unisono.models.emit import Emitter, value
from unisono.models.session import Runner
from unisono.models.verifying.operators import unsure_operators

Make = Callable[[Emitter], str]


def shifted(emit: Emitter, low: int, high: int, bits: int, *, to: int = TensorProto.INT8) -> str:
    ends = (emit.constant(np.int32(low)), emit.constant(np.int32(high)))
    whole = emit("Cast", emit("Clip", "x", *ends), to=TensorProto.UINT32)
    return emit("Cast", emit("BitShift", whole, emit.constant(np.uint32(bits)), direction="RIGHT"), to=to)


def clipped(emit: Emitter, low: int, high: int) -> str:
    ends = (emit.constant(np.int32(low)), emit.constant(np.int32(high)))
    return emit("Transpose", emit("Cast", emit("Clip", "x", *ends), to=TensorProto.INT8), perm=[1, 0])


CASES: list[tuple[Make, bool]] = [
    (lambda emit: clipped(emit, -63, 63), True),
    (lambda emit: clipped(emit, -64, 63), False),
    (lambda emit: clipped(emit, -63, 255), False),
    (lambda emit: clipped(emit, 193, 200), False),
    (lambda emit: shifted(emit, -63 << 10, (64 << 10) - 1, 10), True),
    (lambda emit: shifted(emit, -63 << 10, 64 << 10, 10), False),
    (lambda emit: shifted(emit, -63 << 24, (64 << 24) - 1, 24), True),
    (lambda emit: shifted(emit, -(2**30), 2**30, 25), False),
    (lambda emit: emit("Cast", "x", to=TensorProto.INT8), False),
    (lambda emit: emit("Expand", emit.constant(np.array([[1]], np.int8)), emit.constant(np.array([4, 1]))), True),
    (lambda emit: emit("Expand", emit.constant(np.array([[99]], np.int8)), emit.constant(np.array([4, 1]))), False),
]


@pytest.mark.parametrize(("make", "is_sure"), CASES)
def test_a_product_with_numbers_made_by_the_graph_is_sure_if_a_clip_leaves_them_7_bits(
    make: Make, is_sure: bool
) -> None:
    emit = Emitter()
    emit.rename(emit("MatMulInteger", "a", make(emit)), "y")
    inputs = [value("a", np.uint8, "N", 4), value("x", np.int32, 4, 4)]
    model = emit.model(inputs, [value("y", np.int32, "N", "M")])
    assert (unsure_operators(model) == ()) == is_sure


def test_the_lowest_bits_of_a_number_below_0_are_shifted_as_two_s_complement_has_it() -> None:
    emit = Emitter()
    emit.rename(shifted(emit, -63 << 24, (64 << 24) - 1, 24), "y")
    graph = emit.model(
        [value("x", np.int32, "N")], [helper.make_tensor_value_info("y", TensorProto.INT8, ["N"])]
    ).SerializeToString()
    x = np.array([-(2**31), -63 << 24, -(1 << 24), -1, 0, 5 << 24, 2**31 - 1], np.int32)
    assert Runner(graph)({"x": x})[0].tolist() == [-63, -63, -1, -1, 0, 5, 63]
