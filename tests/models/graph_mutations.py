"""Sound graphs, changed at random as a message of protobuf: what is left can be read, and means something else."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

import numpy as np
from onnx import AttributeProto, GraphProto, ModelProto, TensorProto, numpy_helper

NUMBERS = (0, 1, -1, 2, 3, 7, 16, 17, 100, 65537, 1 << 28, (1 << 31) - 1, 1 << 31, -(1 << 31), 1 << 62, -(1 << 63))
FLOATS = (0.0, -1.0, 0.5, 1e30, 1e-30, float("nan"), float("inf"), -float("inf"))
TEXTS = (b"", b"SAME_UPPER", b"VALID", b"constant", b"linear", b"RBF", b"BRANCH_LEQ", b"LEAF", b"x" * 1000, b"SUM")


def mutated(model: ModelProto, chance: Random) -> ModelProto:
    """A copy with one to three things changed; some changes change nothing."""
    copy: ModelProto = ModelProto.FromString(model.SerializeToString())
    for _ in range(chance.randint(1, 3)):
        graph = chance.choice(_graphs(copy.graph))
        chance.choice(_CHANGES)(graph, chance)
    return copy


def _graphs(graph: GraphProto) -> list[GraphProto]:
    inner = [one.g for node in graph.node for one in node.attribute if one.HasField("g")]
    return [graph, *(found for one in inner for found in _graphs(one))]


def _attribute(graph: GraphProto, chance: Random) -> None:
    held = [one for node in graph.node for one in node.attribute]
    if not held:
        return
    one = chance.choice(held)
    if one.type == AttributeProto.INT:
        one.i = chance.choice(NUMBERS)
    elif one.type == AttributeProto.FLOAT:
        one.f = chance.choice(FLOATS)
    elif one.type == AttributeProto.STRING:
        one.s = chance.choice(TEXTS)
    elif one.type == AttributeProto.TENSOR:
        _change(one.t, chance)
    else:
        for field, choices in (("ints", NUMBERS), ("floats", FLOATS), ("strings", TEXTS)):
            _change_list(getattr(one, field), choices, chance)


def _change_list(values: list[object], choices: Sequence[object], chance: Random) -> None:
    if not values:
        return
    kind = chance.randrange(4)
    if kind == 0:
        values[chance.randrange(len(values))] = chance.choice(choices)
    elif kind == 1:
        values.append(chance.choice(choices))
    elif kind == 2:
        del values[chance.randrange(len(values))]
    else:
        del values[:]


def _without_attribute(graph: GraphProto, chance: Random) -> None:
    node = chance.choice(graph.node) if graph.node else None
    if node is not None and node.attribute:
        del node.attribute[chance.randrange(len(node.attribute))]


def _shape(graph: GraphProto, chance: Random) -> None:
    sides = [side for one in (*graph.input, *graph.output) for side in one.type.tensor_type.shape.dim]
    if sides:
        side = chance.choice(sides)
        side.Clear()
        if chance.random() < 0.5:
            side.dim_value = chance.choice(NUMBERS)
        else:
            side.dim_param = chance.choice("NMK")


def _type(graph: GraphProto, chance: Random) -> None:
    values = [*graph.input, *graph.output]
    if values:
        chance.choice(values).type.tensor_type.elem_type = chance.randrange(24)


def _constant(graph: GraphProto, chance: Random) -> None:
    if graph.initializer:
        _change(chance.choice(graph.initializer), chance)


def _change(tensor: TensorProto, chance: Random) -> None:
    """Other numbers, or one more or less of them, and the data that this claims; or a claim that is a lie."""
    kind = chance.randrange(5)
    if kind == 0:
        tensor.dims.append(chance.choice(NUMBERS))
        return
    try:
        values = numpy_helper.to_array(tensor).copy().reshape(-1)
    except ValueError:  # it has become a lie before
        return
    if values.dtype.kind not in "iuf" or not values.size:
        return
    if kind in (1, 2):
        choices = FLOATS if values.dtype.kind == "f" else [one for one in NUMBERS if _fits(one, values.dtype)]
        values[chance.randrange(values.size)] = chance.choice(choices)
        values = values.reshape(tuple(tensor.dims))
    else:
        values = np.append(values, values[:1]) if kind == 3 else values[:-1]
    tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))


def _fits(number: int, kind: np.dtype[np.generic]) -> bool:
    limits = np.iinfo(kind)  # type: ignore[type-var]
    return bool(limits.min <= number <= limits.max)


def _input(graph: GraphProto, chance: Random) -> None:
    """Another value as an input of an operator, or none."""
    node = chance.choice(graph.node) if graph.node else None
    if node is not None and node.input:
        names = ["", *node.input, *[one.name for one in graph.input], *[one.name for one in graph.initializer]]
        node.input[chance.randrange(len(node.input))] = chance.choice(names)


def _operator(graph: GraphProto, chance: Random) -> None:
    if len(graph.node) > 1:
        one, other = chance.sample(range(len(graph.node)), 2)
        graph.node[one].op_type = graph.node[other].op_type
        graph.node[one].domain = graph.node[other].domain


def _order(graph: GraphProto, chance: Random) -> None:
    if graph.node:
        graph.node.append(graph.node[chance.randrange(len(graph.node))])
        del graph.node[chance.randrange(len(graph.node))]


_CHANGES: tuple[Callable[[GraphProto, Random], None], ...] = (
    *(_attribute, _attribute, _without_attribute, _shape, _type, _constant, _constant, _input, _operator, _order),
)
