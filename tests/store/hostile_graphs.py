"""Graphs that must not be run: what each is called, its bytes, and a part of the reason for which it is refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper

from unisono.models.emit import IR_VERSION, OPSET, OPSET_ML

FLOAT, DOUBLE, INT64, STRING, BOOL = (
    *(TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.INT64),
    *(TensorProto.STRING, TensorProto.BOOL),
)
OPSETS = (helper.make_opsetid("", OPSET), helper.make_opsetid("ai.onnx.ml", OPSET_ML))


class Hostile(NamedTuple):
    """Bytes, and what the refusal says, as a regular expression."""

    data: bytes
    reason: str


def model(
    nodes: Sequence[NodeProto],
    tensors: Sequence[TensorProto] = (),
    *,
    given: Sequence[ValueInfoProto] | None = None,
    out: Sequence[ValueInfoProto] | None = None,
) -> ModelProto:
    """A model of x (int64, a row has one) and y (float, any length) unless other values are named."""
    given = [value("x", INT64, "N")] if given is None else given
    out = [value("y", FLOAT, "M")] if out is None else out
    graph = helper.make_graph(nodes, "graph", given, out, initializer=tensors)
    return helper.make_model(graph, opset_imports=OPSETS, ir_version=IR_VERSION)


def value(name: str, kind: int, *shape: int | str) -> ValueInfoProto:
    """An input or output."""
    return helper.make_tensor_value_info(name, kind, list(shape))


def number(name: str, *values: float) -> TensorProto:
    """A constant: one int64 or float a value."""
    return numpy_helper.from_array(np.array(values), name)


def words(name: str, *texts: str) -> TensorProto:
    """A constant of text."""
    return numpy_helper.from_array(np.array(texts, object), name)


def claim(**changes: object) -> TensorProto:
    """A tensor of four floats, all there, or not quite."""
    tensor = TensorProto(name="w", data_type=FLOAT, dims=[4], raw_data=bytes(16))
    for name, changed in changes.items():
        if isinstance(changed, list):
            del getattr(tensor, name)[:]
            getattr(tensor, name).extend(changed)
        else:
            setattr(tensor, name, changed)
    return tensor


def using(tensor: TensorProto) -> ModelProto:
    """A model that reads a tensor w."""
    return model([helper.make_node("Gather", ["w", "x"], ["y"])], [tensor])


def after(*nodes: NodeProto, tensors: Sequence[TensorProto] = (), kind: int = FLOAT) -> ModelProto:
    """A model in which nodes make a value `made`, of constants."""
    last = helper.make_node("Gather", ["made", "x"], ["y"])
    return model([*nodes, last], tensors, out=[value("y", kind, "M")])


def node(op_type: str, given: str, out: str, **attributes: object) -> NodeProto:
    """A node; inputs and outputs are parted by spaces."""
    return helper.make_node(op_type, given.split(), out.split(), **attributes)  # type: ignore[arg-type]


@cache
def hostile_graphs() -> dict[str, Hostile]:
    """All of them."""
    found: dict[str, Hostile] = {}
    for part in (_claims, _amplified, _operators, _structures, _versions, _wires):
        for name, (made, reason) in part().items():
            data = made if isinstance(made, bytes) else made.SerializeToString()
            found[name] = Hostile(data, reason)
    return found


Made = Mapping[str, tuple[ModelProto | bytes, str]]


def _claims() -> Made:
    """Tensors that are not what they say."""
    entry = {"key": "location", "value": "../../../etc/passwd"}
    outside = using(claim(raw_data=b"", data_location=TensorProto.EXTERNAL))
    outside.graph.initializer[0].ClearField("raw_data")
    outside.graph.initializer[0].external_data.add(**entry)
    quiet = using(claim())
    quiet.graph.initializer[0].external_data.add(**entry)
    sparse = model([node("Identity", "x", "y")])
    sparse.graph.sparse_initializer.add(dims=[1 << 40])
    held = node("Constant", "", "w")
    held.attribute.add(name="sparse_value", type=AttributeProto.SPARSE_TENSOR).sparse_tensor.dims.append(1 << 40)
    inside = node("Constant", "", "w", value=claim(dims=[2_500_000_000]))
    return {
        "a claim of 10 GB": (using(claim(dims=[2_500_000_000], raw_data=b"")), "claims 10000000000 bytes"),
        "a claim of 10 GB in a node": (model([inside, node("Gather", "w x", "y")]), "claims 10000000000 bytes"),
        "a claim beyond 64 bits": (using(claim(dims=[1 << 40, 1 << 40])), "claims .* bytes"),
        "a claim of 1 GB and no data": (using(claim(dims=[1 << 28], raw_data=b"")), "claims 268435456 elements, and"),
        "less data than claimed": (using(claim(raw_data=bytes(12))), "claims 4 elements, and has 3"),
        "more data than claimed": (using(claim(raw_data=bytes(1 << 20))), "claims 4 elements, and has 262144"),
        "half an element": (using(claim(raw_data=bytes(14))), "claims 4 elements, and has 3.5"),
        "data in two places": (using(claim(float_data=[1.0] * 4)), "has float_data"),
        "data of another type": (using(claim(double_data=[1.0] * 4)), "has double_data"),
        "a negative size": (using(claim(dims=[-4])), r"of shape \[-4\]"),
        "two negative sizes": (using(claim(dims=[-2, -2])), r"of shape \[-2, -2\]"),
        "seventeen sizes": (using(claim(dims=[1] * 17)), "at most 16 sizes"),
        "an unknown type": (using(claim(data_type=99)), "elements of type 99"),
        "complex numbers": (using(claim(data_type=TensorProto.COMPLEX64, dims=[2])), "elements of type 14"),
        "fewer texts than claimed": (using(claim(data_type=STRING, string_data=[b"a"], raw_data=b"")), "claims 4 elem"),
        "texts as raw bytes": (using(claim(data_type=STRING)), "has raw_data"),
        "external data": (outside, "external data, which lies in other files"),
        "external data that is not used": (quiet, "external data, which lies in other files"),
        "a sparse initializer": (sparse, "sparse tensors"),
        "a sparse attribute": (model([held, node("Gather", "w x", "y")]), "sparse tensors"),
    }


def _amplified() -> Made:
    """A few bytes that would be gigabytes, or hours, while the graph is loaded."""
    huge, large = number("n", 2_500_000_000), number("n", 1 << 26)
    doubled = [node("StringConcat", f"s{index} s{index}", f"s{index + 1}") for index in range(40)]
    many = [node("ConstantOfShape", "n", f"c{index}") for index in range(100)]
    fixed = {"given": [value("x", INT64, 1000)]}
    power = [node("Pow", "s three", "huge"), node("ConstantOfShape", "huge", "made"), node("Gather", "made x", "y")]
    chosen = node("If", "yes", "n", then_branch=_constant(1 << 31, "a"), else_branch=_constant(1, "b"))
    square = [node("Expand", "one n", "wide"), node("Reshape", "wide sides", "square")]
    return {
        "ConstantOfShape": (after(node("ConstantOfShape", "n", "made"), tensors=[huge]), r"of shape \[2500000000\]"),
        "Expand": (after(node("Expand", "one n", "made"), tensors=[huge, number("one", 1.0)], kind=DOUBLE), "of shape"),
        "Tile": (after(node("Tile", "one n", "made"), tensors=[huge, number("one", 1.0)], kind=DOUBLE), "of shape"),
        "Range": (
            after(node("Range", "a b c", "made"), tensors=_scalars(a=0.0, b=1e10, c=1.0), kind=DOUBLE),
            r"of shape \[10000000000\]",
        ),
        "Pad": (
            after(node("Pad", "one n", "made"), tensors=[number("n", 0, 1 << 33), number("one", 1.0)], kind=DOUBLE),
            r"of shape \[8589934593\]",
        ),
        "a size that only the values say": (
            after(node("NonZero", "n", "z"), node("ConstantOfShape", "z", "made"), tensors=[large]),
            "of a size that cannot be known",
        ),
        "the size of a fixed input, cubed": (
            model([node("Shape", "x", "s"), *power], [number("three", 3)], **fixed),
            "of a size that cannot be known",
        ),
        "an If that is decided": (
            after(chosen, node("ConstantOfShape", "n", "made"), tensors=[_scalars(yes=True)[0]]),
            "of a size that cannot be known",
        ),
        "a hundred values of 256 MB": (
            model([*many, node("Gather", "c99 x", "y")], [large]),
            "at most 134217728 elements",
        ),
        "one text a million times": (
            after(node("Expand", "s n", "made"), tensors=[number("n", 1_000_000), words("s", "a" * 9999)], kind=STRING),
            "of text of a length that cannot be known",
        ),
        "a text doubled forty times": (
            model([*doubled, node("Gather", "s40 x", "y")], [words("s0", "ab")], out=[value("y", STRING, "M")]),
            "at a cost that cannot be known",
        ),
        "a product of hours": (
            after(
                *(*square, node("MatMul", "square square", "product"), node("Reshape", "product n", "made")),
                tensors=[number("one", 1.0), large, number("sides", 8192, 8192)],
                kind=DOUBLE,
            ),
            "MatMul makes of constants, at a cost that cannot be known",
        ),
    }


def _scalars(**values: object) -> list[TensorProto]:
    return [numpy_helper.from_array(np.array(one), name) for name, one in values.items()]


def _constant(one: int, name: str) -> GraphProto:
    inner = node("Constant", "", name, value=number("", one))
    return helper.make_graph([inner], "branch", [], [value(name, INT64, 1)])


def _operators() -> Made:
    """Operators that are not ONNX's own, or that do not answer by their inputs alone."""
    given = [value("x", FLOAT, "N")]

    def one(op_type: str, domain: str = "") -> ModelProto:
        return model([helper.make_node(op_type, ["x"], ["y"], domain=domain)], given=given)

    imported = one("Identity")
    imported.opset_import.add(domain="com.example", version=1)
    functions = one("Identity")
    functions.functions.add(name="Hidden", domain="com.example")
    overload = one("Identity")
    overload.graph.node[0].overload = "other"
    training = one("Identity")
    training.training_info.add()
    return {
        "an unknown operator": (one("LaunchMissiles"), '"LaunchMissiles", which is not known'),
        "an operator without a name": (one(""), "which is not known"),
        "a custom domain": (one("Identity", "com.example"), 'of the domain "com.example"'),
        "onnxruntime's own operators": (one("FusedGemm", "com.microsoft"), 'of the domain "com.microsoft"'),
        "an imported domain": (imported, 'operators of the domain "com.example"'),
        "a local function": (functions, "functions, which can hide operators"),
        "an overload": (overload, "functions, which can hide operators"),
        "a graph for training": (training, "a graph for training"),
        "random numbers": (one("RandomNormalLike"), "gives another answer each time"),
        "sequences": (one("SequenceConstruct"), "is of sequences"),
        "a decoder of files": (one("ImageDecoder"), "decodes files"),
        "maps": (one("ZipMap", "ai.onnx.ml"), "is of maps"),
        "an operator in the wrong domain": (one("Scaler"), '"Scaler", which is not known'),
    }


def _structures() -> Made:
    """Subgraphs, loops, names and attributes."""
    identity = node("Identity", "x", "y")
    typed = node("Flatten", "x", "y", axis=1)
    typed.attribute[0].type = AttributeProto.FLOAT
    twofold = node("Flatten", "x", "y", axis=1)
    twofold.attribute[0].s = b"more"
    hidden = node("Identity", "x", "y")
    hidden.attribute.add(name="body", type=AttributeProto.GRAPH).g.name = "hidden"
    referring = node("Flatten", "x", "y")
    referring.attribute.add(name="axis", type=AttributeProto.INT, ref_attr_name="other")
    rows: Any = {"out": [value("y", INT64, "N")]}
    shadow = helper.make_graph([node("Identity", "n", "x")], "branch", [], [value("x", INT64, 1)])
    branches = {"then_branch": shadow, "else_branch": _constant(1, "b")}
    decided = [*_scalars(yes=True), number("n", 1)]
    return {
        "subgraphs nine deep": (_nested(9), "too deep in each other"),
        "a Loop without an end": (_loops([None]), "a Loop that may go round for ever"),
        "a Loop of a billion": (_loops([10**9]), "may go round 1000000000 times; allowed: .* at most 10000"),
        "three Loops of a thousand in each other": (_loops([1000] * 3), "may go round 1000 times; allowed: .* 10 here"),
        "two initializers of one name": (model([identity], [number("n", 1)] * 2, **rows), 'of the name "n"'),
        "two outputs of one name": (model([identity, identity], **rows), 'of the name "y"'),
        "a name that means something else inside": (
            model([node("If", "yes", "z", **branches), identity], decided, **rows),
            'of the name "x"',
        ),
        "an input left out that is needed": (
            model([helper.make_node("Sum", ["x", ""], ["y"])], **rows),
            "Sum without its input 1",
        ),
        "an axis that wraps around": (
            model([node("Flatten", "x", "y", axis=1 << 31)], **rows),
            'attribute "axis" of Flatten of 2147483648; allowed: numbers from -16 to 16',
        ),
        "a size that wraps around": (
            model([node("LpPool", "x", "y", kernel_shape=[-(1 << 31)])], **rows),
            "of -2147483648; allowed: numbers from -2147483647 to 2147483647",
        ),
        "a type that is unknown": (
            model([node("Cast", "x", "y", to=65537)], **rows),
            'attribute "to" of Cast of 65537; allowed: numbers from 0 to 16',
        ),
        "a type below all": (
            model([node("Cast", "x", "y", to=-1)], **rows),
            'attribute "to" of Cast of -1; allowed: numbers from 0 to 16',
        ),
        "a value of an unknown type": (model([identity], out=[value("y", 65537, "N")]), "a value of type 65537"),
        "a value that nobody makes": (model([node("Identity", "nothing", "y")], **rows), "a well-formed ONNX model"),
        "values in a circle": (model([node("Add", "x z", "y"), node("Neg", "y", "z")], **rows), "a well-formed"),
        "an unknown attribute": (model([node("Identity", "x", "y", colour=1)], **rows), "a well-formed ONNX model"),
        "an attribute of another type": (model([typed], **rows), "holds something else than it says"),
        "an attribute of two types": (model([twofold], **rows), "holds something else than it says"),
        "an attribute of a function": (model([referring], **rows), "attributes of a function"),
        "a graph where none belongs": (model([hidden], **rows), "is a graph; allowed: graphs in If, Loop, Scan only"),
        "a value of 10 GB": (model([identity], given=[value("x", INT64, 1 << 31)], **rows), r"of shape \[2147483648\]"),
        "no graph": (ModelProto(ir_version=IR_VERSION, opset_import=OPSETS), "a well-formed ONNX model"),
        "a hundred thousand operators": (
            model([NodeProto(op_type="Neg", input=["x"], output=[f"v{index}"]) for index in range(100_001)]),
            "100001 operators or more",
        ),
    }


def _nested(depth: int) -> ModelProto:
    graph = _constant(1, "leaf")
    for level in range(depth):
        other = _constant(1, f"other{level}")
        chosen = node("If", "yes", f"v{level}", then_branch=graph, else_branch=other)
        graph = helper.make_graph([chosen], "branch", [], [value(f"v{level}", INT64, 1)])
    return model(list(graph.node), _scalars(yes=True), out=[value(f"v{depth - 1}", INT64, 1)])


def _loops(trips: Sequence[int | None]) -> ModelProto:
    """Loops in each other, the first outermost."""
    inner = [node("Identity", "x", "last")]
    made = "last"
    tensors = _scalars(yes=True)
    for level, often in reversed(list(enumerate(trips))):
        body = helper.make_graph(
            [*inner, node("Identity", f"go{level}", f"on{level}"), node("Identity", made, f"kept{level}")],
            "body",
            [value(f"i{level}", INT64), value(f"go{level}", BOOL), value(f"held{level}", INT64, "N")],
            [value(f"on{level}", BOOL), value(f"kept{level}", INT64, "N")],
        )
        name = "" if often is None else f"often{level}"
        loop = helper.make_node("Loop", [name, "yes", "x"], [f"round{level}"], body=body)
        tensors += [] if often is None else _scalars(**{name: np.int64(often)})
        inner, made = [loop], f"round{level}"
    return model(inner, tensors, out=[value(made, INT64, "N")])


def _versions() -> Made:
    def with_opset(*versions: tuple[str, int]) -> ModelProto:
        made = model([node("Identity", "x", "y")], out=[value("y", INT64, "N")])
        del made.opset_import[:]
        made.opset_import.extend(helper.make_opsetid(*one) for one in versions)
        return made

    later = with_opset(("", OPSET))
    later.ir_version = 99
    return {
        "operators of the future": (with_opset(("", 99)), 'operator set 99 of ""'),
        "operators of the past": (with_opset(("", 1)), 'operator set 1 of ""'),
        "two sets of operators": (with_opset(("", 21), ("ai.onnx", 13)), "two operator sets"),
        "no set of operators": (with_opset(), "a well-formed ONNX model"),
        "a format of the future": (later, "version 99 of the format"),
    }


def _wires() -> Made:
    """Bytes that protobuf might read, and that nobody wrote by accident."""
    whole = model([node("Identity", "x", "y")], out=[value("y", INT64, "N")])
    sound = whole.SerializeToString()
    other = model([node("Identity", "x", "y")], out=[value("y", INT64, "N")])
    other.ClearField("ir_version")
    other.producer_name = "ORTM"
    polyglot = b"\x08\x0a" + other.SerializeToString()
    long_text = ModelProto.FromString(sound)
    long_text.doc_string = "a" * (1 << 17)
    deep = b""
    for _ in range(400):
        deep = _field(1, _field(5, _field(6, deep)))
    empty_nodes = b"\x0a\x00" * 1_100_000
    return {
        "nothing": (b"", "version 0 of the format"),
        "text": (b'{"format": 1}', "is cut off or damaged|has a field|a field ModelProto"),
        "cut in the middle": (sound[: len(sound) // 2], "is cut off or damaged"),
        "something after it": (sound + b"\x00", "a field ModelProto.0"),
        "a second graph after it": (sound + sound, "has its field 1 twice"),
        "an unknown field": (sound + b"\xc2\x3e\x00", "a field ModelProto.1000"),
        "a group": (sound + b"\x0b\x0c", "written in another way"),
        "a length beyond the end": (sound + b"\x32\xff\xff\xff\xff\x0f", "is cut off or damaged"),
        "a number that never ends": (sound + b"\x28" + b"\xff" * 20, "is cut off or damaged"),
        "a name that is no text": (sound.replace(b"Identity", b"\xff\xfeentity"), "not UTF-8"),
        "a note that is no text": (_field(14, _field(2, b"\xff")) + sound, "not UTF-8"),
        "a text without end": (long_text, "a text of 131072 bytes"),
        "subgraphs hundreds deep": (_field(7, deep), "messages too deep in each other"),
        "a million empty operators": (_field(7, empty_nodes) + b"\x08\x0a", "more than 1000000 parts"),
        "two formats in one": (polyglot, "in a format of its own"),
    }


def _field(number: int, content: bytes) -> bytes:
    size, digits = len(content), bytearray()
    while size > 127:
        digits.append(size & 127 | 128)
        size >>= 7
    return bytes([number << 3 | 2, *digits, size]) + content
