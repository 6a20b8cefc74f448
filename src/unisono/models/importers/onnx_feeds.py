"""What the inputs of an ONNX file are fed from: columns of its own names, or those that the user says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from onnx import GraphProto, TensorProto, ValueInfoProto, helper

from unisono.models.columns import encode
from unisono.models.emit import Emitter, value
from unisono.models.importers.base import NUMBERS, Block, matrix_of
from unisono.models.tensors import ELEMENTS
from unisono.spec.errors import ModelError
from unisono.spec.types import DType
from unisono.spec.types import Tensor as TensorType
from unisono.spec.wording import listing, quoted

KINDS: Mapping[int, Any] = {
    TensorProto.DOUBLE: np.float64,
    TensorProto.FLOAT: np.float32,
    TensorProto.INT64: np.int64,
    TensorProto.INT32: np.int32,
    TensorProto.UINT8: np.uint8,
    TensorProto.BOOL: np.bool_,
    TensorProto.STRING: object,
}
"""What an input or output may hold."""


@dataclass(frozen=True, slots=True)
class Feed:
    """One input of the file.

    name:  the file's own.
    kind:  numpy type of what it takes.
    rank:  how many axes it has: one for a column of values; two for a column or a matrix; more for a tensor.
    block: what it is fed from.
    """

    name: str
    kind: Any
    rank: int
    block: Block

    def array(self, frame: pl.DataFrame, inputs: Mapping[str, DType]) -> NDArray[Any]:
        """What the file takes of a frame; a number that is missing where only whole ones fit is 0."""
        if self.block.kind == "tensor":
            column = self.block.columns[0]
            return encode(frame.get_column(column), inputs[column], place="sample")[0]
        if self.block.kind == "text":
            made = frame.get_column(self.block.columns[0]).cast(pl.String).fill_null("").to_numpy().astype(object)
        else:
            made = matrix_of(frame, self.block.columns, inputs)
            fits = np.abs(made) < 2.0**63
            with np.errstate(over="ignore"):  # beyond float32 is infinite
                made = (made if self.kind in (np.float64, np.float32) else np.where(fits, made, 0.0)).astype(self.kind)
        return made.reshape(-1) if self.rank == 1 else made.reshape(frame.height, -1)

    def declared(self, graph: GraphProto) -> ValueInfoProto:
        """The input of our graph."""
        if self.block.kind == "tensor":
            (own,) = (one for one in graph.input if one.name == self.name)
            sizes = (size or f"size{axis}" for axis, size in enumerate(shape_of(own)[1:]))
            return value(self.name, self.kind, "N", *sizes)
        if self.block.kind == "text":
            return value(self.name, object, "N")
        return value(self.name, np.float64, "N", len(self.block.columns))

    def emit(self, emit: Emitter) -> str:
        """What the file's own input gets of ours."""
        made, is_matrix = self.name, self.block.kind == "matrix"
        if is_matrix and self.kind not in (np.float64, np.float32):
            fits = emit("Less", emit("Abs", made), emit.constant(2.0**63))
            made = emit("Where", fits, made, emit.constant(0.0))
        if is_matrix and self.kind is not np.float64:
            made = emit("Cast", made, to=helper.np_dtype_to_tensor_dtype(np.dtype(self.kind)))
        if self.block.kind == "tensor" or (is_matrix and self.rank == 2):
            return made
        return emit("Reshape", made, emit.constant(np.array([-1] if self.rank == 1 else [-1, 1])))


def feeds_of(graph: GraphProto, inputs: Mapping[str, DType], columns: Sequence[str] | None) -> list[Feed]:
    """What each input of the file is fed from. Raises ModelError that says what is not clear."""
    constants = {one.name for one in graph.initializer}
    own = [one for one in graph.input if one.name not in constants]
    if not own:
        raise ModelError("model: no inputs; allowed: one or more; export it with those it was fitted on")
    named = _named(own, columns)
    missing = [name for names in named for name in names if name not in inputs]
    if missing:
        raise ModelError(
            f"model: reads {listing(map(quoted, missing))}, which is not there; its inputs are "
            f"{listing(map(shown, own))}; allowed: {listing(inputs)}; say columns=[...]: those of its matrix, or one "
            "for each input, in order"
        )
    return [_feed(one, names, inputs) for one, names in zip(own, named, strict=True)]


def _named(own: Sequence[ValueInfoProto], columns: Sequence[str] | None) -> list[tuple[str, ...]]:
    """The columns of each input: those of the same names, or as the user says."""
    if columns is None:
        return [(one.name,) for one in own]
    if len(own) == 1 and len(shape_of(own[0])) <= 2:
        return [tuple(columns)]
    if len(columns) != len(own):
        raise ModelError(
            f"model: inputs {listing(map(shown, own))}; allowed: as many columns ({len(columns)} are named); name one "
            "for each input, in order"
        )
    return [(name,) for name in columns]


def shape_of(one: ValueInfoProto) -> list[int | None]:
    """The sizes of its axes; None where a size is left open."""
    return [axis.dim_value if axis.HasField("dim_value") else None for axis in one.type.tensor_type.shape.dim]


def shown(one: ValueInfoProto) -> str:
    """An input or output as messages call it."""
    kind = one.type.tensor_type.elem_type
    sizes = ", ".join("N" if size is None else str(size) for size in shape_of(one))
    return f"{quoted(one.name)} ({TensorProto.DataType.Name(kind).lower()}, [{sizes}])"


def _feed(one: ValueInfoProto, columns: tuple[str, ...], inputs: Mapping[str, DType]) -> Feed:
    kind = KINDS.get(one.type.tensor_type.elem_type)
    shape = shape_of(one)
    if kind is None or not shape:
        raise ModelError(
            f"model: input {shown(one)}; allowed: tensors of rows, of numbers, booleans or strings; export it so"
        )
    if shape[0] is not None:
        raise ModelError(
            f"model: input {shown(one)} takes {shape[0]} rows at a time; allowed: any number; "
            "export it with a first axis of any size"
        )
    dtype = inputs[columns[0]]
    if isinstance(dtype, TensorType):
        return _tensor_feed(one, kind, columns[0], dtype)
    wants = ("String",) if kind is object else NUMBERS
    wrong = [f"{quoted(name)}, which is {inputs[name]}," for name in columns if inputs[name].name not in wants]
    if wrong or len(shape) > 2:
        seen = listing(wrong) if wrong else quoted(columns[0])
        allowed = listing(wants) if len(shape) <= 2 else f"a Tensor of shape {shape[1:]}"
        raise ModelError(f"model: reads {seen} as {shown(one)}; allowed: {allowed}; declare it so, or say columns=")
    width = 1 if len(shape) == 1 else shape[1]
    if (width is not None and width != len(columns)) or (kind is object and len(columns) > 1):
        raise ModelError(
            f"model: input {shown(one)} of {len(columns)} columns; allowed: as many as it has, and strings one by one; "
            "say columns=[...] in training order"
        )
    block = Block(one.name, columns, kind="text" if kind is object else "matrix")
    return Feed(one.name, kind, len(shape), block)


def _tensor_feed(one: ValueInfoProto, kind: Any, column: str, dtype: TensorType) -> Feed:
    shape = shape_of(one)[1:]
    fits = len(shape) == len(dtype.shape) and all(
        size in (None, known) for size, known in zip(shape, dtype.shape, strict=True)
    )
    if kind is not ELEMENTS[dtype.element] or not fits:
        element = next((name for name, known in ELEMENTS.items() if known is kind), "of another element")
        raise ModelError(
            f"model: reads {quoted(column)}, which is {dtype}, as {shown(one)}; allowed: a Tensor of {element} and "
            f"shape {shape}; declare it so"
        )
    return Feed(one.name, kind, 1 + len(shape), Block(one.name, (column,), kind="tensor"))
