"""A packed network from outside: judged before it is run, and read back.

Nothing in it is believed: every place is checked as it is read, the network that comes out must be one that can be run,
and packing it must give the very same bytes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from unisono.kernel.integer import form as at
from unisono.kernel.integer.checking import NetworkError
from unisono.kernel.integer.functions import Table
from unisono.kernel.integer.network import (
    Activation,
    Add,
    Attention,
    Embedding,
    Instruction,
    Int8s,
    Linear,
    Network,
    Norm,
    Patches,
    Pool,
    Prepend,
    Requantise,
    Rescale,
    Scores,
)
from unisono.kernel.integer.packing import by_columns_shape, packed

MOST_INSTRUCTIONS = 1 << 12

Blob = bytes | bytearray | memoryview


def unpacked(blob: Blob) -> Network:
    """The network of a packed one: its arrays are views of the bytes, its functions are tables.

    Raises NetworkError if it is none: of another version, cut off, or changed so that it cannot be run.
    """
    whole = np.frombuffer(blob, np.uint8)
    head = _words(whole, at.HEADER_WORDS)
    _check_head(head, len(whole))
    count = head[at.INSTRUCTIONS]
    words = _words(whole, at.HEADER_WORDS + at.RECORD_WORDS * count)
    names = _names(whole, head)
    records = [words[begin : begin + at.RECORD_WORDS] for begin in range(at.HEADER_WORDS, len(words), at.RECORD_WORDS)]
    made = tuple(_read(_Record(whole, head, records, index, names[index])) for index in range(count))
    scale = float(np.array(head[at.ANSWER_SCALE], np.int64).view(np.float64))
    network = Network(made, head[at.ANSWER_ZERO], scale)
    if packed(network) != bytes(blob):
        raise NetworkError("its words are not those that packing gives; pack the network again")
    return network


def _words(whole: npt.NDArray[np.uint8], count: int) -> list[int]:
    if len(whole) < 8 * count:
        raise NetworkError(f"{len(whole)} bytes, at least {8 * count} are words: cut off, or no network")
    words: list[int] = whole[: 8 * count].view("<i8").tolist()
    return words


def _check_head(head: list[int], size: int) -> None:
    if head[at.NETWORK_VERSION] != at.VERSION:
        raise NetworkError(
            f"it begins with {head[at.NETWORK_VERSION]:#x}, not {at.VERSION:#x}: another version, or none"
        )
    if head[at.NETWORK_BYTES] != size:
        raise NetworkError(f"{size} bytes, {head[at.NETWORK_BYTES]} by its header: cut off, or added to")
    if not 1 <= head[at.INSTRUCTIONS] <= MOST_INSTRUCTIONS:
        raise NetworkError(f"{head[at.INSTRUCTIONS]} instructions; allowed: 1 to {MOST_INSTRUCTIONS}")


def _names(whole: npt.NDArray[np.uint8], head: list[int]) -> list[str]:
    begin, size = head[at.NAMES_AT], head[at.NAMES_BYTES]
    if not 0 <= begin <= begin + size <= len(whole):
        raise NetworkError(f"names at {begin}, {size} bytes, of {len(whole)}")
    names = whole[begin : begin + size].tobytes().decode(errors="replace").split("\n")
    if len(names) != head[at.INSTRUCTIONS]:
        raise NetworkError(f"{len(names)} names for {head[at.INSTRUCTIONS]} instructions")
    return names


@dataclass(frozen=True)
class _Record:
    """One instruction's words, with every place checked that they name."""

    whole: npt.NDArray[np.uint8]
    head: list[int]
    records: list[list[int]]
    index: int
    name: str

    def __getitem__(self, word: int) -> int:
        return self.records[self.index][word]

    @property
    def width(self) -> int:
        return self[at.WIDTH]

    def given_width(self) -> int:
        """Columns of the register that it reads."""
        given = self[at.GIVEN]
        if not 0 <= given < self.index:
            raise NetworkError(f"instruction {self.name!r} reads register {given}; there are {self.index} before it")
        return self.records[given][at.WIDTH]

    def array(self, word: int, kind: str, *shape: int) -> npt.NDArray[Any]:
        """One of its arrays."""
        begin, size = self[word], np.dtype(kind).itemsize
        for each in shape:
            size *= max(each, 0)
        if min(shape) < 1 or begin < 0 or begin + size > len(self.whole):
            raise NetworkError(
                f"instruction {self.name!r}: an array {list(shape)} at {begin} of {len(self.whole)} bytes"
            )
        return self.whole[begin : begin + size].view(kind).reshape(shape)

    def weights(self) -> Int8s:
        """The weights of a product."""
        inputs, outputs = self.given_width(), self.width
        return self.array(at.FIRST_AT, "i1", *by_columns_shape(inputs, outputs))[:outputs, :inputs].T

    def rescale(self) -> Rescale:
        """How its numbers become others."""
        multiplier, offset = (self.array(word, "<i4", self.width) for word in (at.SECOND_AT, at.THIRD_AT))
        return Rescale(multiplier, offset, self[at.SHIFT], self[at.TOP])

    def table(self) -> Table:
        """Its function."""
        return Table(self.array(at.FIRST_AT, "u1", self[at.NUMBER]))


def _read(one: _Record) -> Instruction:
    if one[at.OPERATION] not in _READERS:
        raise NetworkError(
            f"instruction {one.name!r}: operation {one[at.OPERATION]}; allowed: 0 to {len(_READERS) - 1}"
        )
    return _READERS[one[at.OPERATION]](one)


def _embedding(one: _Record) -> Embedding:
    words = one.array(at.FIRST_AT, "i1", one[at.NUMBER], one.width)
    factors = one.array(at.SECOND_AT, "<i4", one[at.NUMBER])
    return Embedding(one.name, words, factors, one.array(at.THIRD_AT, "<i4", one.head[at.MOST_TOKENS], one.width))


def _prepend(one: _Record) -> Prepend:
    row = one.array(at.FIRST_AT, "<i4", one.width)
    positions = one.array(at.SECOND_AT, "<i4", one.head[at.MOST_TOKENS] + 1, one.width)
    return Prepend(one.name, one[at.GIVEN], row, positions, one[at.TOP])


def _scores(one: _Record) -> Scores:
    return Scores(one.name, one[at.GIVEN], one.weights(), one.array(at.SECOND_AT, "<i4", one.width))


def _attention(one: _Record) -> Attention:
    return Attention(one.name, one[at.GIVEN], one[at.SECOND], one[at.THIRD], one[at.HEADS], one.table())


def _add(one: _Record) -> Add:
    top = None if one[at.TOP] == -1 else one[at.TOP]
    return Add(one.name, one[at.GIVEN], one[at.SECOND], one[at.NUMBER], top)


_READERS: dict[int, Callable[[_Record], Instruction]] = {
    at.EMBEDDING: _embedding,
    at.PATCHES: lambda one: Patches(one.name, one.head[at.MOST_TOKENS], one.width),
    at.PREPEND: _prepend,
    at.LINEAR: lambda one: Linear(one.name, one[at.GIVEN], one.weights(), one.rescale()),
    at.SCORES: _scores,
    at.ACTIVATION: lambda one: Activation(one.name, one[at.GIVEN], one.table()),
    at.ATTENTION: _attention,
    at.NORM: lambda one: Norm(one.name, one[at.GIVEN], one[at.NUMBER], one.rescale()),
    at.ADD: _add,
    at.REQUANTISE: lambda one: Requantise(one.name, one[at.GIVEN], one.rescale()),
    at.POOL: lambda one: Pool(one.name, one[at.GIVEN], "first" if one[at.NUMBER] == at.POOL_FIRST else "mean"),
}
