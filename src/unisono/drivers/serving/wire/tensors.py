"""Tensors as the Open Inference Protocol has them, and their binary form: little-endian, row by row.

A text is four bytes of length, then its bytes. What is announced is checked against what was sent before anything is
made of it.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from unisono.drivers.serving.calls import Answered
from unisono.drivers.serving.repository import Form
from unisono.drivers.serving.wire.datatypes import BYTES, DATATYPES, NUMBERS, datatype_of_values
from unisono.spec.errors import InputError
from unisono.spec.types import MAX_DIMENSIONS
from unisono.spec.wording import listing, quoted

Array = NDArray[Any]

MAX_ELEMENTS = 1 << 26
"""Of one tensor."""
MAX_SIDES = MAX_DIMENSIONS + 1
"""Of a tensor: the rows, and a column's own."""
_LENGTH = struct.Struct("<I")


class InputTensor(Struct, frozen=True, gc=False):  # made in a quarter of a named tuple's time
    """One input of a request.

    name:     of a column, `COLUMN.null`, or `features`.
    datatype: one of DATATYPES.
    shape:    its sides.
    values:   as many as the sides make, row by row: an array of the datatype, or a list of what Python has for it; for
              BYTES a list of bytes or text.
    """

    name: str
    datatype: str
    shape: tuple[int, ...]
    values: Array | list[Any]

    def plain(self) -> list[Any]:
        """The values as Python has them."""
        return self.values if isinstance(self.values, list) else self.values.tolist()


@dataclass(frozen=True, slots=True)
class OutputTensor:
    """One output of an answer: its name, and an array whose first side is the rows."""

    name: str
    values: Array

    @property
    def datatype(self) -> str:
        """Of the protocol."""
        return datatype_of_values(self.values)


def check_announced(name: str, datatype: str, shape: Sequence[int]) -> int:
    """How many elements a tensor says it has. Raises InputError if no tensor of ours is like that."""
    if datatype not in DATATYPES:
        raise tensor_error(name, f"datatype {quoted(datatype)}", listing(DATATYPES))
    if not shape or min(shape) < 0:
        raise tensor_error(name, f"shape {_shown(shape)}", "one or more sides, each 0 or above")
    if len(shape) > MAX_SIDES:
        raise tensor_error(name, f"a shape of {len(shape)} sides", f"at most {MAX_SIDES}")
    elements = shape[0] if len(shape) == 1 else prod(shape)
    if elements > MAX_ELEMENTS:
        raise tensor_error(name, f"shape {_shown(shape)}", f"at most {MAX_ELEMENTS} elements")
    return elements


def decode_raw(name: str, datatype: str, elements: int, raw: memoryview) -> Array | list[Any]:
    """The values of a tensor in binary form. Raises InputError unless they are as many as was said."""
    if datatype == BYTES:
        return _decode_texts(name, elements, raw)
    kind = NUMBERS[datatype]
    if elements * kind.itemsize != len(raw):
        expected = f"{elements * kind.itemsize}: {elements} elements of {datatype}"
        raise tensor_error(name, f"{len(raw)} bytes", expected)
    if datatype == "BOOL" and elements and max(raw) > 1:
        raise tensor_error(name, f"a byte of {max(raw)}", "0 for false, 1 for true")
    return np.frombuffer(raw, kind)


def _decode_texts(name: str, elements: int, raw: memoryview) -> list[bytes]:
    size, place = len(raw), 0
    if elements * _LENGTH.size > size:
        raise tensor_error(name, f"{size} bytes for {elements} elements of BYTES", "4 bytes of length before each")
    texts: list[bytes] = []
    for _ in range(elements):
        start = place + _LENGTH.size
        place = start + _LENGTH.unpack_from(raw, place)[0] if start <= size else start
        if place > size:
            raise tensor_error(name, f"element {len(texts)} ends after the data's {size} bytes", "elements within it")
        texts.append(bytes(raw[start:place]))
    if place != size:
        raise tensor_error(name, f"{size - place} bytes after the last element", f"{elements} elements and no more")
    return texts


def encode_raw(values: Array) -> bytes:
    """An output in binary form."""
    datatype = datatype_of_values(values)
    if datatype != BYTES:
        return values.astype(NUMBERS[datatype], copy=False).tobytes()
    texts = [str(value).encode() for value in values.ravel().tolist()]
    return b"".join([part for text in texts for part in (_LENGTH.pack(len(text)), text)])


def forms_of(outputs: Mapping[str, Array]) -> tuple[Form, ...]:
    """What the outputs of a graph look like, of an answer to some rows.

    >>> forms_of({"shares": np.zeros((3, 2), np.float32)})
    (Form(name='shares', datatype='FP32', shape=(-1, 2)),)
    """
    return tuple(Form(name, datatype_of_values(values), (-1, *values.shape[1:])) for name, values in outputs.items())


def outputs_of(answered: Answered, wanted: Sequence[str] | None, time: str) -> list[OutputTensor]:
    """The outputs that a caller wants, in the caller's order.

    wanted: names; None: all of the graph's.
    time:   the name under which a caller can have the rows' instants, too: INT64, microseconds since 1970, UTC.

    Raises InputError for a name that is none.
    """
    if wanted is None:
        return [OutputTensor(name, values) for name, values in answered.outputs.items()]
    if len(set(wanted)) != len(wanted):  # else a small request could have a very large answer
        raise tensor_error(wanted[0], "an output comes twice", "each output once")
    found: list[OutputTensor] = []
    for name in wanted:
        values = answered.outputs.get(name)
        if values is None and name == time:
            values = np.array(answered.times, np.int64)
        if values is None:
            raise tensor_error(name, "no such output", listing([*answered.outputs, time]))
        found.append(OutputTensor(name, values))
    return found


def tensor_error(name: str, seen: str, allowed: str) -> InputError:
    """What is wrong with one tensor."""
    return InputError(f"{quoted(name)}: {seen}; allowed: {allowed}; correct the request")


def _shown(shape: Sequence[int]) -> str:
    return f"[{listing(side if abs(side) < 10**18 else '...' for side in shape)}]"
