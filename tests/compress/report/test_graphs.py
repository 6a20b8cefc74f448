"""What a graph holds and does is counted as one would count it by hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper

from tests.compress.conftest import Case
from tests.compress.report.conftest import graph_of
from unisono.compress.report.energy import energy_mj
from unisono.compress.report.graphs.constants import ConstantsOf
from unisono.compress.report.graphs.operations import Work, work_of
from unisono.compress.report.graphs.parameters import Parameters, parameters_of
from unisono.compress.report.serving import Serving, requests_of
from unisono.models.emit import Emitter, value
from unisono.models.front_graph import with_front

WEIGHTS = np.array([[1, 0, 2], [0, 0, 3], [4, 5, 6], [7, 8, 0]], np.float32)


def constants_of(emit: Emitter, output: str, kind: type[np.generic] = np.float32) -> ConstantsOf:
    """A graph of one input, x: float32, rows x 4."""
    emit.rename(output, "y")
    model = emit.model([value("x", np.float32, "N", 4)], [value("y", kind, "N", 3)])
    encoded: bytes = model.SerializeToString()
    return ConstantsOf(encoded)


def one_row() -> list[dict[str, NDArray[Any]]]:
    return [{"x": np.ones((1, 4), np.float32)}]


def test_weights_and_biases_are_parameters_and_their_zeros_are_counted() -> None:
    emit = Emitter()
    product = emit("MatMul", "x", emit.constant(WEIGHTS))
    constants = constants_of(emit, emit("Add", product, emit.constant(np.ones(3, np.float32))))
    assert parameters_of(constants) == Parameters(12 + 3, 4)
    assert work_of(constants, one_row()) == [[Work(12, 32, constants.stored_bytes("_c0"))]]


def test_a_tensor_that_is_used_as_it_is_and_transposed_counts_once() -> None:
    emit = Emitter()
    weights = emit.constant(WEIGHTS)
    product = emit("MatMul", "x", weights)
    back = emit("MatMul", product, emit("Transpose", weights, perm=[1, 0]))
    constants = constants_of(emit, emit("MatMul", back, weights))
    assert parameters_of(constants) == Parameters(12, 4)


def test_weights_that_are_stored_packed_count_as_what_they_expand_to() -> None:
    emit = Emitter()
    places = emit.constant(np.argwhere(WEIGHTS != 0))
    packed = emit.constant(WEIGHTS[WEIGHTS != 0])
    empty = emit("ConstantOfShape", emit.constant(np.array([4, 3])))
    constants = constants_of(emit, emit("MatMul", "x", emit("ScatterND", empty, places, packed)))
    assert parameters_of(constants) == Parameters(12, 4)
    assert work_of(constants, one_row()) == [[Work(12, 32, 4 * 12)]]  # as they are once they were unpacked


@pytest.mark.parametrize("zero", [0, 2])
def test_weights_of_8_bits_count_without_scales_and_with_their_own_zero(zero: int) -> None:
    emit = Emitter()
    numbers = emit.constant((WEIGHTS + zero).astype(np.uint8))
    scales, zeros = emit.constant(np.ones(3, np.float32)), emit.constant(np.full(3, zero, np.uint8))
    weights = emit("DequantizeLinear", numbers, scales, zeros, axis=1)
    constants = constants_of(emit, emit("MatMul", "x", weights))
    assert parameters_of(constants) == Parameters(12, 4)


@pytest.mark.parametrize("scales_first", [True, False])
def test_a_product_of_whole_numbers_has_one_parameter_a_weight(*, scales_first: bool) -> None:
    emit = Emitter()
    emit.nodes.append(helper.make_node("DynamicQuantizeLinear", ["x"], ["q", "scale", "zero"]))
    numbers, zero = emit.constant((WEIGHTS + 3).astype(np.uint8)), emit.constant(np.uint8(3))
    product = emit("Cast", emit("MatMulInteger", "q", numbers, "zero", zero), to=TensorProto.FLOAT)
    scale = emit.constant(np.array([0.1, 0.2, 0.3], np.float32))
    if scales_first:
        found = emit("Mul", product, emit("Mul", "scale", scale))
    else:
        found = emit("Mul", emit("Mul", product, "scale"), scale)
    constants = constants_of(emit, found)
    assert parameters_of(constants) == Parameters(12, 4)
    (row,) = work_of(constants, one_row()) or []
    assert [(one.operations, one.bits) for one in row] == [(12, 8)]


def test_what_is_computed_in_a_loop_is_not_known() -> None:
    emit = Emitter()
    inner = Emitter("inner")
    inner.rename(inner("MatMul", "x", emit.constant(WEIGHTS)), "found")
    body = helper.make_graph(inner.nodes, "body", [], [value("found", np.float32, "N", 3)])
    emit.nodes.append(helper.make_node("If", [emit.constant(np.True_)], ["z"], then_branch=body, else_branch=body))
    assert work_of(constants_of(emit, "z"), one_row()) is None


@pytest.mark.slow  # an export
@pytest.mark.parametrize(("name", "operations"), [("numbers", 4 * 32 + 32 * 32 + 32 * 2), ("images", None)])
def test_modules_have_as_many_parameters_as_torch_says(
    name: str, operations: int | None, request: pytest.FixtureRequest
) -> None:
    case: Case = request.getfixturevalue(name)
    constants, work = counted(case)
    module = case.subject.module()
    # A batch normalisation is folded into the layer before, or stays: no number a channel, or four.
    assert parameters_of(constants).count == pytest.approx(module.parameters, abs=33)
    if operations is not None:
        assert [sum(one.operations for one in row) for row in work] == [operations] * len(work)


def test_a_convolution_is_counted_by_its_output() -> None:
    emit = Emitter()
    kernel = emit.constant(np.ones((8, 2, 3, 3), np.float32))
    emit.rename(emit("Conv", "x", kernel, pads=[1, 1, 1, 1], group=2), "y")
    model = emit.model([value("x", np.float32, "N", 4, 10, 12)], [value("y", np.float32, "N", 8, 10, 12)])
    (row,) = work_of(ConstantsOf(model.SerializeToString()), [{"x": np.ones((1, 4, 10, 12), np.float32)}]) or []
    assert [one.operations for one in row] == [8 * 10 * 12 * 2 * 3 * 3]


def test_a_forest_asks_as_much_as_its_leaves_are_deep(trees: Case) -> None:
    rows = trees.data.test[:20]
    _, work = counted(trees, rows)
    booster = trees.subject.ensemble.booster_
    leaves = booster.predict(rows.select("a", "b", "c", "d").to_numpy(), pred_leaf=True)
    told = booster.trees_to_dataframe()
    depths = {(tree, node): depth for tree, node, depth in told[["tree_index", "node_index", "node_depth"]].to_numpy()}
    asked = [sum(depths[tree, f"{tree}-L{leaf}"] - 1 for tree, leaf in enumerate(row)) for row in leaves]
    assert [sum(one.operations for one in row) for row in work] == asked


def counted(case: Case, rows: Any = None) -> tuple[ConstantsOf, Sequence[Sequence[Work]]]:
    """The constants of a case's graph, and what it does for some test rows."""
    graph = graph_of(case)
    requests = requests_of(graph, case.data.test[:3] if rows is None else rows)
    serving = Serving(graph, "onnxruntime")
    constants = ConstantsOf(with_front(graph.onnx))
    work = work_of(constants, [serving.feeds(requests.part(place, 1)) for place in range(len(requests))])
    assert work is not None
    return constants, work


@pytest.mark.slow  # an export
def test_texts_take_more_work_the_longer_they_are(texts: Case) -> None:
    rows = texts.data.test.sort(texts.data.test["text"].str.len_chars())
    _, work = counted(texts, rows[[0, -1]])
    short, long = (sum(one.operations for one in row) for row in work)
    assert short < long


def test_energy_has_an_interval_and_is_less_for_fewer_bits() -> None:
    full, narrow = energy_mj([Work(1e6, 32, 4e6)]), energy_mj([Work(1e6, 8, 1e6)])
    assert full.low < full.value < full.high
    assert narrow.value < full.value / 3
    # By hand: 1e6 x 4.6 pJ and 4e6 bytes x 12.5 pJ.
    assert full.low == pytest.approx((4.6 + 50) * 1e6 * 1e-9)
