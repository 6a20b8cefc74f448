"""A graph cut at its tree ensembles: what makes their matrices, they themselves, and what is made of their sums."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import onnx
from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto, helper, shape_inference

from unisono.models.emit import finished
from unisono.models.engines.base import UnsuitableError
from unisono.models.engines.ensemble import DOMAIN, OPERATOR, read_ensemble
from unisono.models.engines.parts import Parts
from unisono.models.engines.stepping import steps_of


def cut(graph: bytes) -> Parts:
    """A graph in parts. Raises UnsuitableError if it has no tree ensemble of the kernel's, or cannot be cut there."""
    whole = onnx.load_model_from_string(graph).graph
    if any(has_subgraph(node) for node in whole.node):
        raise UnsuitableError("it has branches or loops")
    ensembles = [node for node in whole.node if (node.domain, node.op_type) == (DOMAIN, OPERATOR)]
    if not ensembles:
        raise UnsuitableError(f"it has no {OPERATOR}")
    matrices, sums = {node.input[0] for node in ensembles}, made_by(ensembles)
    first = makers(whole, matrices)
    made_first = made_by(first)
    if made_first & sums:
        raise UnsuitableError("it has trees that ask about what other trees say")
    rest = [node for node in whole.node if node.output[0] not in made_first | sums]
    outputs = [one.name for one in whole.output]
    before = part(whole, first, [], sorted(made_first & (matrices | used_by(rest) | set(outputs))))
    given = [helper.make_tensor_value_info(name, TensorProto.DOUBLE, None) for name in sorted(sums)]
    given += [] if before is None else before.graph.output
    after = part(whole, rest, given, [name for name in outputs if name in made_by(rest)])
    widths = _widths(whole)
    read = tuple(read_ensemble(node, widths.get(node.input[0])) for node in ensembles)
    is_plain = before is None and len(read) == 1 and after is not None and len(after.graph.output) == len(outputs)
    steps = steps_of(after) if after is not None and is_plain else None
    return Parts(encoded(before), read, encoded(after), tuple(outputs), steps)


def _widths(graph: GraphProto) -> dict[str, int]:
    """Inputs that are matrices -> their columns."""
    shapes = {one.name: [each.dim_value for each in one.type.tensor_type.shape.dim] for one in graph.input}
    return {name: shape[1] for name, shape in shapes.items() if len(shape) == 2 and shape[1] > 0}


def encoded(model: ModelProto | None) -> bytes | None:
    """A part as bytes, if there is one."""
    return None if model is None else model.SerializeToString()


def has_subgraph(node: NodeProto) -> bool:
    """Whether it is a branch or a loop."""
    return any(one.type in (AttributeProto.GRAPH, AttributeProto.GRAPHS) for one in node.attribute)


def used_by(nodes: Iterable[NodeProto]) -> set[str]:
    """The values that some nodes read."""
    return {name for node in nodes for name in node.input}


def made_by(nodes: Iterable[NodeProto]) -> set[str]:
    """The values that some nodes make."""
    return {name for node in nodes for name in node.output}


def makers(graph: GraphProto, names: set[str]) -> list[NodeProto]:
    """The nodes that values are made by, in the graph's order."""
    needed = set(names)
    found: list[NodeProto] = []
    for node in reversed(graph.node):
        if needed & set(node.output):
            found.append(node)
            needed |= set(node.input)
    return found[::-1]


def part(
    whole: GraphProto, nodes: Sequence[NodeProto], given: Sequence[ValueInfoProto], outputs: Sequence[str]
) -> ModelProto | None:
    """Some nodes as a graph of their own; None if there are none.

    given: values that other parts make.

    Raises UnsuitableError if the type of an output is not known.
    """
    if not nodes:
        return None
    used = used_by(nodes)
    inputs = [one for one in (*whole.input, *given) if one.name in used]
    constants = [one for one in whole.initializer if one.name in used]
    made = [next((one for one in whole.output if one.name == name), ValueInfoProto(name=name)) for name in outputs]
    part = finished(helper.make_graph(nodes, whole.name, inputs, made, constants))
    return _with_types(part)


def _with_types(model: ModelProto) -> ModelProto:
    """The same graph, with its outputs' types."""
    known = {one.name: one for one in shape_inference.infer_shapes(model).graph.output}
    for one in model.graph.output:
        if not known[one.name].type.HasField("tensor_type"):
            raise UnsuitableError("it has a value whose type is not known")
        one.CopyFrom(known[one.name])
    return model
