"""What is done row by row: embeddings, norms, sums, changes of units, pooling."""

from __future__ import annotations

from unisono.kernel.integer.cells import (
    array,
    cell_of,
    clipped,
    most_before,
    number,
    operand,
    put_number,
    rescaled,
    row_at,
    row_count,
)
from unisono.kernel.integer.form import (
    ASKED,
    FIRST_AT,
    GIVEN,
    NUMBER,
    POOL_FIRST,
    SECOND,
    SECOND_AT,
    SHIFT,
    THIRD_AT,
    TOP,
    WIDTH,
)
from unisono.kernel.integer.network import NORM_BITS, NORM_SHIFT
from unisono.kernel.words import leading_zeros, load, load_byte, load_int32

SIGN = 128


def embed(call: int, one: int) -> None:
    """words[id] * factors[id] + positions[place]."""
    width = load(one, WIDTH)
    cell = cell_of(one)
    for place in range(row_count(call, one)):
        token = load_int32(load(call, ASKED), place)
        words = array(call, one, FIRST_AT) + token * width
        factor = load_int32(array(call, one, SECOND_AT), token)
        positions = array(call, one, THIRD_AT) + 4 * place * width
        target = row_at(call, one, place)
        for column in range(width):
            word = (load_byte(words, column) ^ SIGN) - SIGN
            put_number(cell, target, column, word * factor + load_int32(positions, column))


def take_patches(call: int, one: int) -> None:
    """The patches that were given."""
    width = load(one, WIDTH)
    for row in range(row_count(call, one)):
        patch = load(call, ASKED) + row * width
        target = row_at(call, one, row)
        for column in range(width):
            put_number(1, target, column, load_byte(patch, column))


def prepend(call: int, one: int) -> None:
    """A row before the others, and each row's place added, clipped."""
    given = operand(call, one, GIVEN)
    width = load(one, WIDTH)
    top = load(one, TOP)
    for row in range(row_count(call, one)):
        positions = array(call, one, SECOND_AT) + 4 * row * width
        target = row_at(call, one, row)
        for column in range(width):
            if row == 0:
                value = load_int32(array(call, one, FIRST_AT), column)
            else:
                value = number(cell_of(given), row_at(call, given, row - 1), column)
            put_number(cell_of(one), target, column, clipped(value + load_int32(positions, column), top))


def activate(call: int, one: int) -> None:
    """table[given]."""
    given = operand(call, one, GIVEN)
    table = array(call, one, FIRST_AT)
    cell = cell_of(given)
    for row in range(row_count(call, one)):
        source = row_at(call, given, row)
        target = row_at(call, one, row)
        for column in range(load(one, WIDTH)):
            put_number(1, target, column, load_byte(table, number(cell, source, column)))


def requantise(call: int, one: int) -> None:
    """A register in other units."""
    given = operand(call, one, GIVEN)
    multiplier = array(call, one, SECOND_AT)
    offset = array(call, one, THIRD_AT)
    shift = load(one, SHIFT)
    most = most_before(load(one, TOP), shift)
    for row in range(row_count(call, one)):
        source = row_at(call, given, row)
        target = row_at(call, one, row)
        for column in range(load(one, WIDTH)):
            value = number(cell_of(given), source, column)
            value = rescaled(value, load_int32(multiplier, column), load_int32(offset, column), most, shift)
            put_number(cell_of(one), target, column, value)


def norm(call: int, one: int) -> None:
    """Layer normalisation, rescaled; see `network.Norm`."""
    given = operand(call, one, GIVEN)
    width = load(one, WIDTH)
    for row in range(row_count(call, one)):
        source = row_at(call, given, row)
        mean = rounded_mean(cell_of(given), source, width)
        root = whole_root(squares(cell_of(given), source, width, mean) + load(one, NUMBER))
        put_normalised(call, one, row, mean, (1 << NORM_BITS) // root)


def put_normalised(call: int, one: int, row: int, mean: int, inverse: int) -> None:
    """A row less its mean, over its root, in other units."""
    given = operand(call, one, GIVEN)
    source = row_at(call, given, row)
    target = row_at(call, one, row)
    multiplier = array(call, one, SECOND_AT)
    offset = array(call, one, THIRD_AT)
    shift = load(one, SHIFT)
    most = most_before(load(one, TOP), shift)
    for column in range(load(one, WIDTH)):
        value = ((number(cell_of(given), source, column) - mean) * inverse + (1 << NORM_BITS)) >> NORM_SHIFT
        value = rescaled(value, load_int32(multiplier, column), load_int32(offset, column), most, shift)
        put_number(cell_of(one), target, column, value)


def rounded_mean(cell: int, row: int, width: int) -> int:
    """The mean of a row, rounded to the nearest (halves up)."""
    total = 0
    for column in range(width):
        total += number(cell, row, column)
    return (total + width // 2) // width


def squares(cell: int, row: int, width: int, mean: int) -> int:
    """The sum of squares of a row less its mean."""
    total = 0
    for column in range(width):
        centred = number(cell, row, column) - mean
        total += centred * centred
    return total


def whole_root(value: int) -> int:
    """The largest number whose square is not above `value`, which is at least 1: Newton's steps from above fall."""
    root = 1 << ((65 - leading_zeros(value)) >> 1)
    following = (root + value // root) >> 1
    while following < root:
        root = following
        following = (root + value // root) >> 1
    return root


def add(call: int, one: int) -> None:
    """left + right - zero, clipped unless the top is -1."""
    left = operand(call, one, GIVEN)
    right = operand(call, one, SECOND)
    top = load(one, TOP)
    zero = load(one, NUMBER)
    for row in range(row_count(call, one)):
        lefts = row_at(call, left, row)
        rights = row_at(call, right, row)
        target = row_at(call, one, row)
        for column in range(load(one, WIDTH)):
            value = number(cell_of(left), lefts, column) + number(cell_of(right), rights, column) - zero
            put_number(cell_of(one), target, column, value if top < 0 else clipped(value, top))


def pool(call: int, one: int) -> None:
    """The first row, or the mean of all."""
    given = operand(call, one, GIVEN)
    rows = 1 if load(one, NUMBER) == POOL_FIRST else row_count(call, given)
    target = row_at(call, one, 0)
    for column in range(load(one, WIDTH)):
        total = 0
        for row in range(rows):
            total += number(cell_of(given), row_at(call, given, row), column)
        put_number(cell_of(one), target, column, (total + rows // 2) // rows)
