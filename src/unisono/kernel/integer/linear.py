"""Products of a register of bytes with weights."""

from __future__ import annotations

from unisono.kernel.integer.cells import (
    array,
    cell_of,
    most_before,
    operand,
    put_number,
    rescaled,
    row_at,
    row_count,
    scratch,
    whole_blocks,
)
from unisono.kernel.integer.form import BLOCK, COLUMNS, FIRST_AT, GIVEN, SECOND_AT, SHIFT, THIRD_AT, TOP, WIDTH
from unisono.kernel.words import inner_products, load, load_int32, store_int32


def linear(call: int, one: int) -> None:
    """given @ weights, rescaled; four columns of all rows, then the next four: weights are read once."""
    given = operand(call, one, GIVEN)
    stride = whole_blocks(load(given, WIDTH))
    sums = scratch(call)
    width = load(one, WIDTH)
    rows = row_count(call, one)
    for first in range(0, width, COLUMNS):
        weights = array(call, one, FIRST_AT) + first * stride
        for row in range(rows):
            inner_products(sums, row_at(call, given, row), weights, stride, stride // BLOCK)
            put_rescaled(call, one, row_at(call, one, row), first, min(width - first, COLUMNS))


def put_rescaled(call: int, one: int, target: int, first: int, count: int) -> None:
    """Put sums of some columns, in their units, into a row."""
    sums = scratch(call)
    multiplier = array(call, one, SECOND_AT)
    offset = array(call, one, THIRD_AT)
    shift = load(one, SHIFT)
    most = most_before(load(one, TOP), shift)
    cell = cell_of(one)
    for place in range(count):
        column = first + place
        value = rescaled(
            load_int32(sums, place), load_int32(multiplier, column), load_int32(offset, column), most, shift
        )
        put_number(cell, target, column, value)


def scores(call: int, one: int) -> None:
    """given @ weights + bias."""
    given = operand(call, one, GIVEN)
    stride = whole_blocks(load(given, WIDTH))
    sums = scratch(call)
    bias = array(call, one, SECOND_AT)
    width = load(one, WIDTH)
    for row in range(row_count(call, one)):
        target = row_at(call, one, row)
        for first in range(0, width, COLUMNS):
            weights = array(call, one, FIRST_AT) + first * stride
            inner_products(sums, row_at(call, given, row), weights, stride, stride // BLOCK)
            for column in range(first, min(first + COLUMNS, width)):
                store_int32(target, column, load_int32(sums, column - first) + load_int32(bias, column))
