"""A graph cut around its network: what makes the numbers that go in, the network itself, and what is made of the rest.

The network is what computes in float32 and in 8-bit integers around matrix products and convolutions. Texts, float64,
whole numbers of 64 bits and trees stay outside, since OpenVINO has none of them: it computes float64 in float32, and
int64 in int32, and says nothing. Token ids are the exception: they are below the number of rows of a table.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import onnx
from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto, shape_inference

from unisono.models.canonical import refill
from unisono.models.engines.base import UnsuitableError
from unisono.models.engines.networks import NetworkParts
from unisono.models.engines.splitting import encoded, has_subgraph, made_by, makers, part, used_by
from unisono.models.names import is_tokens_name

_PRODUCTS = "MatMul Gemm Conv ConvTranspose Einsum MatMulInteger ConvInteger QLinearMatMul QLinearConv LSTM GRU RNN"
_HEAVY = frozenset(_PRODUCTS.split())
_ROUNDS = frozenset(["QuantizeLinear", "DynamicQuantizeLinear", "QLinearMatMul", "QLinearConv"])
_SMALL = frozenset(["Shape", "Size", "ArgMax", "ArgMin", "NonZero"])
"""Give whole numbers that never need more than 32 bits."""

_KINDS = frozenset(
    getattr(TensorProto, name) for name in ["FLOAT", "INT64", "INT32", "INT8", "UINT8", "INT4", "UINT4", "BOOL"]
)
_LONG = (TensorProto.INT64, TensorProto.UINT64, TensorProto.UINT32)


def cut_network(graph: bytes) -> NetworkParts:
    """A graph in parts. Raises UnsuitableError if there is no network in it that can be cut out."""
    model = onnx.load_model_from_string(graph)
    whole = model.graph
    _lift_constants(whole)
    if any(has_subgraph(node) for node in whole.node):
        raise UnsuitableError("it has branches or loops")
    before, network, after = _in_three(whole, _Types(model))
    first = _model(whole, before, [], [*network, *after])
    middle = _model(whole, network, [] if first is None else first.graph.output, after)
    given = [one for made in (first, middle) if made is not None for one in made.graph.output]
    last = part(whole, after, given, [one.name for one in whole.output if one.name in made_by(after)])
    assert middle is not None  # there is a heavy node in it
    return NetworkParts(
        before=encoded(first),
        network=middle.SerializeToString(),
        reads=[one.name for one in middle.graph.input],
        gives=[one.name for one in middle.graph.output],
        after=encoded(last),
        outputs=[one.name for one in whole.output],
        ids=_ids(middle.graph),
    )


def rounds(graph: bytes) -> bool:
    """Whether a graph rounds to 8 bits on the way."""
    return any(node.op_type in _ROUNDS for node in onnx.load_model_from_string(graph).graph.node)


def _lift_constants(graph: GraphProto) -> None:
    """Makes nodes that are constants into constants of the graph, of which every part can have its own."""
    kept = []
    for node in graph.node:
        value = node.attribute[0] if node.op_type == "Constant" and not node.domain else None
        if value is None or value.type != AttributeProto.TENSOR:
            kept.append(node)
        else:
            value.t.name = node.output[0]
            graph.initializer.append(value.t)
    refill(graph.node, kept)


def _model(
    whole: GraphProto, nodes: Sequence[NodeProto], given: Iterable[ValueInfoProto], later: Iterable[NodeProto]
) -> ModelProto | None:
    """Some nodes as a graph, which gives what later ones read, and outputs of the whole."""
    wanted = made_by(nodes) & (used_by(later) | {one.name for one in whole.output})
    return part(whole, nodes, list(given), sorted(wanted))


def _in_three(whole: GraphProto, types: _Types) -> tuple[list[NodeProto], list[NodeProto], list[NodeProto]]:
    """The nodes that have to come before the network, those of the network, and those after it."""
    fits = {node.output[0]: types.fits(node) for node in whole.node}
    heavy = [node for node in whole.node if node.op_type in _HEAVY and fits[node.output[0]]]
    blocking = [node for node in makers(whole, used_by(heavy)) if not fits[node.output[0]]]
    before = made_by(blocking) | made_by(makers(whole, used_by(blocking)))
    if not heavy:
        raise UnsuitableError("it has no network: no matrix product or convolution of float32 or of 8-bit numbers")
    if 2 * sum(node.output[0] in before for node in heavy) >= len(heavy):
        raise UnsuitableError("most of its products come before something that OpenVINO does not do")
    after = _followers(
        whole, [node for node in whole.node if not fits[node.output[0]] and node.output[0] not in before]
    )
    groups: tuple[list[NodeProto], list[NodeProto], list[NodeProto]] = ([], [], [])
    for node in whole.node:
        groups[0 if node.output[0] in before else 2 if node.output[0] in after else 1].append(node)
    return groups


def _followers(whole: GraphProto, nodes: Sequence[NodeProto]) -> set[str]:
    """What some nodes make, and all that is made of it."""
    found = made_by(nodes)
    for node in whole.node:
        if found & set(node.input):
            found |= set(node.output)
    return found


class _Types:
    """Which nodes OpenVINO computes as ONNX says."""

    def __init__(self, model: ModelProto) -> None:
        graph = shape_inference.infer_shapes(model).graph
        self._kinds = {one.name: one.data_type for one in graph.initializer}
        for one in (*graph.input, *graph.output, *graph.value_info):
            self._kinds[one.name] = one.type.tensor_type.elem_type
        constants = {one.name for one in graph.initializer}
        self._constants = constants
        # OpenVINO takes an input with a value to fall back to for a constant.
        self._outside = {one.name for one in graph.input if one.name in constants}
        self._outside |= {one.name for one in graph.input if self._is_long(one.name) and not is_tokens_name(one.name)}
        for node in graph.node:
            self._outside |= set(self._long_outputs(node))

    def _is_long(self, name: str) -> bool:
        return self._kinds.get(name) in _LONG

    def _long_outputs(self, node: NodeProto) -> Iterator[str]:
        """Whole numbers that may need more than 32 bits: those that are made of such, of texts or of float64."""
        if node.op_type in _SMALL or all(self._is_inside(name) for name in node.input):
            return
        yield from (name for name in node.output if self._is_long(name))

    def _is_inside(self, name: str) -> bool:
        return not name or (self._kinds.get(name) in _KINDS and name not in self._outside)

    def fits(self, node: NodeProto) -> bool:
        """Whether OpenVINO has it, and the types of all that it reads and makes."""
        if node.domain or (node.op_type == "QuantizeLinear" and node.input[1] not in self._constants):
            return False  # it takes the scale of a row for that of a column
        return all(self._is_inside(name) for name in (*node.input, *node.output))


def _ids(network: GraphProto) -> dict[str, int]:
    """Inputs that say which rows of a table are read -> the rows that there are, of the shortest."""
    lengths = {one.name: one.dims[0] for one in network.initializer if one.dims}
    inputs = {one.name for one in network.input}
    found: dict[str, int] = {}
    for node in network.node:
        if node.op_type == "Gather" and node.input[1] in inputs and node.input[0] in lengths and _axis(node) == 0:
            name = node.input[1]
            found[name] = min(lengths[node.input[0]], found.get(name, lengths[node.input[0]]))
    return found


def _axis(node: NodeProto) -> int:
    given: Mapping[str, int] = {one.name: one.i for one in node.attribute}
    return given.get("axis", 0)
