"""Registers of a network that is being run: where they lie, and their numbers."""

from __future__ import annotations

from unisono.kernel.integer.form import (
    BLOCK,
    CELL,
    EXTRA_ROWS,
    HEADER_WORDS,
    NETWORK,
    PLACE,
    RECORD_WORDS,
    ROW_BYTES,
    ROWS,
    ROWS_EXTRA,
    ROWS_ONE,
    STRIDE,
    TOKENS,
    WORKSPACE,
)
from unisono.kernel.words import (
    load,
    load_byte,
    load_int32,
    load_uint16,
    shift_left,
    store_byte,
    store_int32,
    store_uint16,
)


def record(call: int, index: int) -> int:
    """The address of an instruction's record."""
    return load(call, NETWORK) + 8 * (HEADER_WORDS + RECORD_WORDS * index)


def operand(call: int, one: int, word: int) -> int:
    """The record of the register that a word of a record names."""
    return record(call, load(one, word))


def array(call: int, one: int, word: int) -> int:
    """The address of one of an instruction's arrays."""
    return load(call, NETWORK) + load(one, word)


def row_count(call: int, one: int) -> int:
    """How many rows a register has."""
    kind = load(one, ROWS)
    if kind == ROWS_ONE:
        return 1
    return load(call, TOKENS) + (1 if kind == ROWS_EXTRA else 0)


def most_rows(call: int) -> int:
    """How many rows the longest register has."""
    return load(call, TOKENS) + load(load(call, NETWORK), EXTRA_ROWS)


def row_at(call: int, one: int, row: int) -> int:
    """The address of a register's row."""
    return load(call, WORKSPACE) + most_rows(call) * load(one, PLACE) + row * load(one, STRIDE)


def scratch(call: int) -> int:
    """The address of the memory behind the registers."""
    return load(call, WORKSPACE) + most_rows(call) * load(load(call, NETWORK), ROW_BYTES)


def whole_blocks(count: int) -> int:
    """A number filled up to a multiple of BLOCK."""
    return (count + BLOCK - 1) // BLOCK * BLOCK


def number(cell: int, row: int, column: int) -> int:
    """A number of a row of cells of 1, 2 or 4 bytes."""
    if cell == 1:
        return load_byte(row, column)
    if cell == 2:
        return load_uint16(row, column)
    return load_int32(row, column)


def put_number(cell: int, row: int, column: int, value: int) -> None:
    """Put a number into a row."""
    if cell == 1:
        store_byte(row, column, value)
    elif cell == 2:
        store_uint16(row, column, value)
    else:
        store_int32(row, column, value)


def clipped(value: int, most: int) -> int:
    """The nearest number from 0 to `most`."""
    return min(max(value, 0), most)


def most_before(top: int, shift: int) -> int:
    """The largest number that a shift makes `top`."""
    return shift_left(top + 1, shift) - 1


def rescaled(value: int, multiplier: int, offset: int, most: int, shift: int) -> int:
    """A number in other units; see `network.Rescale`. most: as `most_before` says."""
    return clipped(value * multiplier + offset, most) >> shift


def cell_of(one: int) -> int:
    """Bytes a number of a register."""
    return load(one, CELL)
