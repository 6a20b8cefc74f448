"""What instructions write their operators into."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import helper

from unisono.kernel.integer.network import BYTE_TOP, KEY_ZERO, Int32s, Network, Patches, Rescale
from unisono.kernel.integer.rows import first_only
from unisono.models.emit import Emitter
from unisono.models.integer.proving import Proof
from unisono.models.integer.trios import trios

Kind = type[np.signedinteger[Any]] | type[np.unsignedinteger[Any]]

_MOST_SHIFT = 23
"""That takes 2**31 to where a cast to 8 bits drops it."""


class Site:
    """A graph in the making, and its registers by the types that they have been asked for.

    network: whose graph it is.
    proof:   of that network.
    emit:    writes nodes.
    given:   the input's name.
    trios:   products that are made as one, by the place of their attention.
    """

    def __init__(self, network: Network, proof: Proof, emit: Emitter, given: str) -> None:
        self.network = network
        self.proof = proof
        self.emit = emit
        self.given = given
        self._registers: list[dict[Kind, str]] = []
        self._firsts: dict[str, str] = {}
        self._first_only = first_only(network)
        self.trios = trios(network, proof)
        self._in_trios = {place for one in self.trios.values() for place in one.places}
        self._ones: dict[int, str] = {}

    @property
    def place(self) -> int:
        """Of the instruction that is being written."""
        return len(self._registers)

    def write(self, name: str, kind: Kind) -> None:
        """The instruction's register is this value."""
        self._registers.append({kind: name})

    def is_in_trio(self) -> bool:
        """Whether the instruction is one of three products that are made as one."""
        return self.place in self._in_trios

    def leave_out(self) -> None:
        """The instruction writes no register of its own."""
        self._registers.append({})

    def read(self, place: int, kind: Kind = np.int32, *, whole: bool = False) -> str:
        """A register in some type; its first row, if the instruction makes no others.

        kind:  int8: it is less KEY_ZERO, which stands for 0 in keys and values.
        whole: every row in any case.
        """
        known = self._registers[place]
        if kind not in known:
            known[kind] = self._turned(place, kind)
        is_first = self.place in self._first_only and place not in self._first_only and not whole
        return self._first(known[kind]) if is_first else known[kind]

    def _first(self, name: str) -> str:
        if name not in self._firsts:
            self._firsts[name] = self.emit("Slice", name, self.shape(0), self.shape(1), self.shape(1))
        return self._firsts[name]

    def _turned(self, place: int, kind: Kind) -> str:
        if kind is np.int8:
            less = self.emit("Sub", self.read(place, whole=True), self.number(KEY_ZERO))
            return self.cast(self.emit("Clip", less, self.number(-KEY_ZERO), self.number(KEY_ZERO)), np.int8)
        known = self._registers[place]
        if np.int8 in known and len(known) == 1:
            return self.cast(self.emit("Add", self.cast(known[np.int8], np.int32), self.number(KEY_ZERO)), kind)
        return self.cast(next(name for other, name in known.items() if other is not np.int8), kind)

    def number(self, value: int, kind: Kind = np.int32) -> str:
        """A constant."""
        return self.emit.constant(np.asarray(value, kind))

    def row(self, values: npt.NDArray[Any], kind: Kind = np.int32) -> str:
        """One for each column; or one number, if all are the same."""
        array = values.astype(kind)
        return self.emit.constant(array[0] if (array == array[0]).all() else array)

    def shape(self, *sides: int) -> str:
        """Constant sides, axes or places."""
        return self.emit.constant(np.array(sides, np.int64))

    def cast(self, name: str, kind: Kind) -> str:
        """A value in another type; the lowest bits of what does not fit."""
        return self.emit("Cast", name, to=helper.np_dtype_to_tensor_dtype(np.dtype(kind)))

    def shifted(self, name: str, bits: int) -> str:
        """uint32 of int32 numbers without their lowest bits; the lowest 32 - `bits` bits are right below 0 too."""
        whole = self.cast(name, np.uint32)
        return self.emit("BitShift", whole, self.number(bits, np.uint32), direction="RIGHT") if bits else whole

    def sides(self, name: str, axis: int) -> str:
        """How long an axis is: int64, as a list of one."""
        return self.emit("Shape", name, start=axis, end=axis + 1)

    def ones(self, place: int) -> str:
        """A column of ones, int8, as long as a register."""
        rows = self.proof.instructions[place].rows
        if rows not in self._ones:
            column = self.emit.constant(np.ones((rows, 1), np.int8))
            is_fixed = rows == 1 or isinstance(self.network.instructions[0], Patches)
            ends = () if is_fixed else (self.shape(0), self.sides(self.given, 1), self.shape(0))
            self._ones[rows] = self.emit("Slice", column, *ends) if ends else column
        return self._ones[rows]

    def split(self, name: str, parts: int, axis: int) -> list[str]:
        """A value in equal parts."""
        outputs = [f"{name}.{part}" for part in range(parts)]
        self.emit.nodes.append(helper.make_node("Split", [name], outputs, axis=axis, num_outputs=parts))
        return outputs

    def rescaled(self, name: str, rescale: Rescale, *, less: int = 0) -> str:
        """Requantisation; uint32.

        less: is taken off the answer, of which only the lowest 32 - shift bits are right then.
        """
        shift = rescale.shift
        moved = self.moved(name, rescale.multiplier, rescale.offset - (less << shift))
        return self.cut(moved, -less, rescale.top - less, shift)

    def moved(self, name: str, multiplier: Int32s, offset: Int32s) -> str:
        """A value times a number for each column, and another added."""
        if (multiplier != 1).any():
            name = self.emit("Mul", name, self.row(multiplier))
        return self.emit("Add", name, self.row(offset)) if offset.any() else name

    def cut(self, name: str, low: int, high: int, shift: int) -> str:
        """A value from `low` to `high` after a shift; uint32."""
        ends = (self.number(low << shift), self.number(((high + 1) << shift) - 1))
        return self.shifted(self.emit("Clip", name, *ends), shift)

    def write_rescaled(self, name: str, rescale: Rescale) -> None:
        """The instruction's register is this value in other units; from uint32, where what is below 0 is two's
        complement. It is only clipped if the proof has numbers that are."""
        emit, shift = self.emit, rescale.shift
        moved, end = self.proof.bound(self.place, "plus offset"), ((rescale.top + 1) << shift) - 1
        half = 0 if moved.low >= 0 and moved.high <= end else 1 << 31  # is on top while it is clipped
        if (rescale.multiplier != 1).any():
            name = emit("Mul", name, self.row(rescale.multiplier, np.uint32))
        name = emit("Add", name, self.row(rescale.offset + np.int64(half), np.uint32))
        if half:
            name = emit("Clip", name, self.number(half, np.uint32), self.number(half + end, np.uint32))
        name = emit("BitShift", name, self.number(shift, np.uint32), direction="RIGHT")
        if rescale.top <= BYTE_TOP and shift <= _MOST_SHIFT:
            self.write(self.cast(name, np.uint8), np.uint8)
        else:
            self.write(emit("Sub", name, self.number(half >> shift, np.uint32)) if half else name, np.uint32)
