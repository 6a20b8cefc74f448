from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper

from tests.kernel.integer.networks import grown
from unisono.models.emit import Emitter, value
from unisono.models.integer.floats import float_operators
from unisono.models.integer.graph import integer_graph


def test_a_float_operator_that_is_planted_is_found() -> None:
    """Two casts that change no bit of a small number."""
    model = onnx.load_model_from_string(integer_graph(grown(3, layers=1).network))
    assert float_operators(model) == []
    node = next(one for one in model.graph.node if one.op_type == "Clip")
    there = helper.make_node("Cast", [node.output[0]], ["planted"], to=TensorProto.FLOAT)
    back = helper.make_node("Cast", ["planted"], ["back"], to=TensorProto.INT32)
    place = list(model.graph.node).index(node) + 1
    for other in model.graph.node[place:]:
        other.input[:] = ["back" if name == node.output[0] else name for name in other.input]
    model.graph.node.insert(place, back)
    model.graph.node.insert(place, there)
    assert float_operators(model) == ["Cast: planted is FLOAT"]


def test_a_float_attribute_or_constant_is_found() -> None:
    emit = Emitter()
    emit.rename(emit("LeakyRelu", emit("Mul", "x", emit.constant(np.float32(2))), alpha=0.5), "y")
    model = emit.model([value("x", np.float32, "N")], [value("y", np.float32, "N")])
    found = float_operators(model)
    assert "LeakyRelu: alpha is a FLOAT" in found
    assert "Mul: x is FLOAT" in found


def test_a_value_whose_type_nobody_knows_is_found() -> None:
    nodes = [helper.make_node("Own", ["x"], ["y"], domain="elsewhere"), helper.make_node("Identity", ["y"], ["z"])]
    graph = helper.make_graph(nodes, "g", [value("x", np.int32, "N")], [value("z", np.int32, "N")])
    opsets = [helper.make_opsetid("", 21), helper.make_opsetid("elsewhere", 1)]
    found = float_operators(helper.make_model(graph, opset_imports=opsets))
    assert found == ["Own: y is UNDEFINED", "Identity: y is UNDEFINED"]


def test_floats_inside_a_branch_are_found() -> None:
    one = helper.make_node("Constant", [], ["a"], value=helper.make_tensor("a", TensorProto.FLOAT, [], [1.0]))
    branch = helper.make_graph(
        [one, helper.make_node("Cast", ["a"], ["b"], to=TensorProto.INT32)], "branch", [], [value("b", np.int32)]
    )
    node = helper.make_node("If", ["c"], ["y"], then_branch=branch, else_branch=branch)
    graph = helper.make_graph([node], "g", [value("c", np.bool_)], [value("y", np.int32)])
    found = float_operators(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)]))
    assert "Constant: a is FLOAT" in found
