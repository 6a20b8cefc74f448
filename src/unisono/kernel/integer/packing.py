"""Networks as one piece of memory that every machine's kernel runs; see `form`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from unisono.kernel.integer import form as at
from unisono.kernel.integer.checking import Register, registers_of
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
from unisono.kernel.integer.placing import cell_bytes, placed, scratch_bytes, stride_bytes
from unisono.kernel.integer.rows import first_only, read_by

ALIGNMENT = 64
"""Of arrays: a line of most caches."""

Array = npt.NDArray[Any]
Words = npt.NDArray[np.int64]


@dataclass(frozen=True)
class _Record:
    """An instruction, apart from where things lie: its arrays, in their order, and words."""

    operation: int
    arrays: tuple[Array | None, ...]
    words: dict[int, int]


@dataclass(frozen=True)
class _Layout:
    """Where everything of a network lies: its words, and its arrays by their offsets."""

    words: Words
    names: bytes
    arrays: dict[int, Array]


def packed(network: Network) -> bytes:
    """A network as one piece; see `form`. Weights stay in 8 bits.

    Raises NetworkError if it cannot be run.
    """
    layout = _laid_out(network)
    whole = bytearray(int(layout.words[at.NETWORK_BYTES]))
    whole[: layout.words.nbytes] = layout.words.astype("<i8").tobytes()
    begin = layout.words.nbytes
    whole[begin : begin + len(layout.names)] = layout.names
    for offset, array in layout.arrays.items():
        content = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
        whole[offset : offset + content.nbytes] = content.tobytes()
    return bytes(whole)


def _laid_out(network: Network) -> _Layout:
    """Where everything lies."""
    registers = _needed(network, registers_of(network))
    records = [_RECORDS[type(one)](one) for one in network.instructions]
    reads = [read_by(one) for one in network.instructions]
    places, row_bytes = placed(network.instructions, registers, reads)
    words = np.zeros(at.HEADER_WORDS + at.RECORD_WORDS * len(records), np.int64)
    names = "\n".join(one.name.replace("\n", " ") for one in network.instructions).encode(errors="replace")
    offset = _aligned(words.nbytes + len(names))
    arrays: dict[int, Array] = {}
    for index, (record, register) in enumerate(zip(records, registers, strict=True)):
        begin = at.HEADER_WORDS + at.RECORD_WORDS * index
        own = words[begin : begin + at.RECORD_WORDS]
        _describe(own, record, register, places[index])
        own[at.GIVEN : at.GIVEN + len(reads[index])] = reads[index]
        for word, array in zip((at.FIRST_AT, at.SECOND_AT, at.THIRD_AT), record.arrays, strict=False):
            if array is not None:
                own[word] = offset
                arrays[offset] = array
                offset = _aligned(offset + array.nbytes)
    _head(words[: at.HEADER_WORDS], network, registers, offset)
    words[at.ROW_BYTES] = row_bytes
    words[at.NAMES_AT], words[at.NAMES_BYTES] = words.nbytes, len(names)
    return _Layout(words, names, arrays)


def _needed(network: Network, registers: Sequence[Register]) -> list[Register]:
    """Registers as they are made: those of which only the first row is read have no others."""
    firsts = first_only(network)
    return [replace(one, rows=at.ROWS_ONE) if place in firsts else one for place, one in enumerate(registers)]


def _describe(own: Words, record: _Record, register: Register, place: int) -> None:
    own[at.OPERATION], own[at.WIDTH], own[at.ROWS] = record.operation, register.width, register.rows
    own[at.CELL], own[at.STRIDE], own[at.PLACE] = cell_bytes(register), stride_bytes(register), place
    for word, number in record.words.items():
        own[word] = number


def _head(head: Words, network: Network, registers: Sequence[Register], size: int) -> None:
    first = network.instructions[0]
    head[at.NETWORK_VERSION], head[at.NETWORK_BYTES] = at.VERSION, size
    head[at.INSTRUCTIONS] = len(registers)
    head[at.MOST_TOKENS] = network.most_tokens
    head[at.LEAST_TOKENS] = network.most_tokens if isinstance(first, Patches) else 1
    head[at.EXTRA_ROWS] = int(any(register.rows == at.ROWS_EXTRA for register in registers))
    head[at.ANSWER_ZERO] = network.zero
    head[at.ANSWER_SCALE] = np.float64(network.scale).view(np.int64)
    head[at.SCRATCH_ROW_BYTES], head[at.SCRATCH_BYTES] = scratch_bytes(network.instructions, registers)


def _aligned(offset: int) -> int:
    return -(-offset // ALIGNMENT) * ALIGNMENT


def by_columns_shape(inputs: int, outputs: int) -> tuple[int, int]:
    """Of weights as inner products take them: columns x inputs, both filled up."""
    return -(-outputs // at.COLUMNS) * at.COLUMNS, -(-inputs // at.BLOCK) * at.BLOCK


def _by_columns(weights: Int8s) -> Int8s:
    """Weights as inner products take them; see `form`."""
    inputs, outputs = weights.shape
    padded = np.zeros(by_columns_shape(inputs, outputs), np.int8)
    padded[:outputs, :inputs] = weights.T
    return padded


def _units(rescale: Rescale) -> dict[int, int]:
    return {at.TOP: rescale.top, at.SHIFT: rescale.shift}


def _embedding(one: Embedding) -> _Record:
    return _Record(at.EMBEDDING, (one.words, one.factors, one.positions), {at.NUMBER: len(one.words)})


def _patches(one: Patches) -> _Record:
    return _Record(at.PATCHES, (), {})


def _prepend(one: Prepend) -> _Record:
    return _Record(at.PREPEND, (one.row, one.positions), {at.TOP: one.top})


def _linear(one: Linear) -> _Record:
    arrays = (_by_columns(one.weights), one.rescale.multiplier, one.rescale.offset)
    return _Record(at.LINEAR, arrays, _units(one.rescale))


def _scores(one: Scores) -> _Record:
    return _Record(at.SCORES, (_by_columns(one.weights), one.bias), {})


def _activation(one: Activation) -> _Record:
    table = one.function.table()
    return _Record(at.ACTIVATION, (table,), {at.NUMBER: len(table)})


def _attention(one: Attention) -> _Record:
    table = one.exponential.table()
    words = {at.NUMBER: len(table), at.HEADS: one.heads}
    return _Record(at.ATTENTION, (table,), words)


def _norm(one: Norm) -> _Record:
    arrays = (None, one.rescale.multiplier, one.rescale.offset)
    return _Record(at.NORM, arrays, {at.NUMBER: one.epsilon, **_units(one.rescale)})


def _add(one: Add) -> _Record:
    words = {at.NUMBER: one.zero, at.TOP: -1 if one.top is None else one.top}
    return _Record(at.ADD, (), words)


def _requantise(one: Requantise) -> _Record:
    return _Record(at.REQUANTISE, (None, one.rescale.multiplier, one.rescale.offset), _units(one.rescale))


def _pool(one: Pool) -> _Record:
    return _Record(at.POOL, (), {at.NUMBER: at.POOL_FIRST if one.kind == "first" else at.POOL_MEAN})


_RECORDS: dict[type[Instruction], Callable[[Any], _Record]] = {
    Embedding: _embedding,
    Patches: _patches,
    Prepend: _prepend,
    Linear: _linear,
    Scores: _scores,
    Activation: _activation,
    Attention: _attention,
    Norm: _norm,
    Add: _add,
    Requantise: _requantise,
    Pool: _pool,
}
