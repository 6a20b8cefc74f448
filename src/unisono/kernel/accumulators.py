"""Accumulators: exact running sums, sums of squares, counts and extremes of the rows of one window.

A row is added or removed by the same function with `direction` 1 or -1; exact sums make the two cancel without a trace.
Removing an extreme does not look for the next: it marks the accumulator dirty, the old extreme stays as a bound, and
`extremes.py` looks when somebody asks.
"""

from __future__ import annotations

from unisono.kernel.layout import (
    ACC_COUNT,
    ACC_DIRTY,
    ACC_MAX,
    ACC_MIN,
    ACC_SUM,
    COLUMN_KIND,
    COLUMN_NEEDS,
    DIRTY_MAX,
    DIRTY_MIN,
    FLOAT,
    INFINITY_BITS,
    LARGEST,
    NAN_BITS,
    NEEDS_EXTREMES,
    NEEDS_SQUARES,
    NEEDS_SUM,
    NULL_BITS,
    NULL_INT,
    RANGE_EXPONENT,
    RANGE_SQUARE_LIMBS,
    RANGE_SUM_LIMBS,
    SMALLEST,
)
from unisono.kernel.limbs import add_at, subtract_at
from unisono.kernel.values import exponent_of, is_special, mantissa_of, ordering_key
from unisono.kernel.words import (
    fill,
    load,
    multiply_high,
    shift_left,
    shift_right,
    store,
    unsigned_less,
    wrapping_add,
    wrapping_multiply,
    wrapping_subtract,
)


def clear(accumulator: int, words: int) -> None:
    """Make it hold no row."""
    fill(accumulator, words, 0)
    forget_extremes(accumulator)


def forget_extremes(accumulator: int) -> None:
    """No value is left: the extremes become those of nothing."""
    store(accumulator, ACC_DIRTY, 0)
    store(accumulator, ACC_MIN, LARGEST)
    store(accumulator, ACC_MAX, SMALLEST)


def change_rows(
    target: int, column: int, ranges: int, values: int, stride: int, start: int, stop: int, direction: int
) -> None:
    """Add (direction 1) or remove (-1) the values of the rows from `start` to before `stop`.

    target: the accumulator. column, ranges: the column's words in the plan and in the state.
    values: the address of the column's value in the first row; rows are `stride` words apart.
    """
    if start >= stop:
        return
    first = values + 8 * stride * start
    needs = load(column, COLUMN_NEEDS)
    if load(column, COLUMN_KIND) == FLOAT:
        change_floats(target, ranges, first, stride, stop - start, needs, direction)
    else:
        change_fixed(target, first, stride, stop - start, needs, direction)


def change_fixed(target: int, values: int, stride: int, rows: int, needs: int, direction: int) -> None:
    """Add or remove `rows` int64 values, `stride` words apart."""
    count = load(target, ACC_COUNT)
    for row in range(rows):
        value = load(values, stride * row)
        if value != NULL_INT:
            count += direction
            if needs & NEEDS_SUM != 0:
                change_sum(target, value * direction)
            if needs & NEEDS_SQUARES != 0:
                change_square(target, value, direction)
            if needs & NEEDS_EXTREMES != 0:
                change_extremes(target, value, direction)
    store(target, ACC_COUNT, count)
    if count == 0:
        forget_extremes(target)


def change_sum(target: int, value: int) -> None:
    """Add a signed word to the sum of 128 bits."""
    low = load(target, ACC_SUM)
    total = wrapping_add(low, value)
    carry = 1 if unsigned_less(total, low) else 0
    store(target, ACC_SUM, total)
    store(target, ACC_SUM + 1, load(target, ACC_SUM + 1) + (value >> 63) + carry)


def change_square(target: int, value: int, direction: int) -> None:
    """Add value^2 to the squares of 192 bits, or take it away."""
    size = value if value >= 0 else -value
    low = wrapping_multiply(size, size)
    high = multiply_high(size, size)
    old_low = load(target, ACC_SUM + 2)
    old_high = load(target, ACC_SUM + 3)
    if direction > 0:
        new_low = wrapping_add(old_low, low)
        middle = high + (1 if unsigned_less(new_low, low) else 0)  # high is below 2^62
        new_high = wrapping_add(old_high, middle)
        over = 1 if unsigned_less(new_high, middle) else 0
    else:
        new_low = wrapping_subtract(old_low, low)
        middle = high + (1 if unsigned_less(old_low, low) else 0)
        new_high = wrapping_subtract(old_high, middle)
        over = -1 if unsigned_less(old_high, middle) else 0
    store(target, ACC_SUM + 2, new_low)
    store(target, ACC_SUM + 3, new_high)
    if over != 0:
        store(target, ACC_SUM + 4, load(target, ACC_SUM + 4) + over)


def change_extremes(target: int, key: int, direction: int) -> None:
    """Move the extremes for one more key, or note that one is gone."""
    low = load(target, ACC_MIN)
    high = load(target, ACC_MAX)
    if low < key < high:
        return
    dirty = load(target, ACC_DIRTY)
    if direction > 0:
        if key <= low:
            store(target, ACC_MIN, key)
            dirty &= ~DIRTY_MIN
        if key >= high:
            store(target, ACC_MAX, key)
            dirty &= ~DIRTY_MAX
    else:
        if key == low:
            dirty |= DIRTY_MIN
        if key == high:
            dirty |= DIRTY_MAX
    store(target, ACC_DIRTY, dirty)


def change_floats(target: int, ranges: int, values: int, stride: int, rows: int, needs: int, direction: int) -> None:
    """Add or remove `rows` float64 values; all of them lie in the range that `ranges` tells."""
    sum_limbs = load(ranges, RANGE_SUM_LIMBS)
    square_limbs = load(ranges, RANGE_SQUARE_LIMBS)
    exponent = load(ranges, RANGE_EXPONENT)
    specials = target + 8 * (ACC_SUM + sum_limbs + square_limbs)
    count = load(target, ACC_COUNT)
    for row in range(rows):
        bits = load(values, stride * row)
        if bits != NULL_BITS:
            count += direction
            if is_special(bits):
                change_special(specials, bits, direction)
            elif bits != 0:
                if needs & NEEDS_SUM != 0:
                    change_float_sum(target, sum_limbs, bits, exponent, direction)
                if needs & NEEDS_SQUARES != 0:
                    change_float_square(target, sum_limbs, square_limbs, bits, exponent, direction)
            if needs & NEEDS_EXTREMES != 0 and bits != NAN_BITS:
                change_extremes(target, ordering_key(bits), direction)
    store(target, ACC_COUNT, count)
    if count == load(specials, 0):
        forget_extremes(target)


def change_special(specials: int, bits: int, direction: int) -> None:
    """Count a NaN or an infinity in or out."""
    place = 0
    if bits == INFINITY_BITS:
        place = 1
    elif bits != NAN_BITS:
        place = 2
    store(specials, place, load(specials, place) + direction)


def change_float_sum(target: int, limbs: int, bits: int, exponent: int, direction: int) -> None:
    """Add a finite float64 to the sum, or take it away."""
    mantissa = mantissa_of(bits)
    offset = exponent_of(bits) - exponent
    if offset < 0 or offset >> 6 >= limbs:
        return  # only damaged bytes can ask for this
    shift = offset & 63
    low = shift_left(mantissa, shift)
    high = shift_right(mantissa, 64 - shift) if shift > 0 else 0
    add = (bits < 0) == (direction < 0)
    if limbs == 2 and offset < 64:
        change_two_limbs(target + 8 * ACC_SUM, low, high, add)
    elif add:
        add_at(target + 8 * ACC_SUM, limbs, offset >> 6, low, high, 0)
    else:
        subtract_at(target + 8 * ACC_SUM, limbs, offset >> 6, low, high, 0)


def change_two_limbs(place: int, low: int, high: int, add: bool) -> None:
    """Add (high, low) to a number of two limbs, or take it away."""
    old = load(place, 0)
    if add:
        total = wrapping_add(old, low)
        high = wrapping_add(high, 1 if unsigned_less(total, low) else 0)
        store(place, 1, wrapping_add(load(place, 1), high))
    else:
        total = wrapping_subtract(old, low)
        high = wrapping_add(high, 1 if unsigned_less(old, low) else 0)
        store(place, 1, wrapping_subtract(load(place, 1), high))
    store(place, 0, total)


def change_three_limbs(place: int, low: int, middle: int, high: int, add: bool) -> None:
    """Add (high, middle, low) to a number of three limbs, or take it away; `high` is below 2^63."""
    old_low = load(place, 0)
    old_middle = load(place, 1)
    if add:
        new_low = wrapping_add(old_low, low)
        partial = wrapping_add(old_middle, middle)
        carry = 1 if unsigned_less(new_low, low) else 0
        new_middle = wrapping_add(partial, carry)
        over = (1 if unsigned_less(partial, middle) else 0) + (1 if unsigned_less(new_middle, carry) else 0)
        store(place, 2, wrapping_add(load(place, 2), wrapping_add(high, over)))
    else:
        new_low = wrapping_subtract(old_low, low)
        partial = wrapping_subtract(old_middle, middle)
        borrow = 1 if unsigned_less(old_low, low) else 0
        new_middle = wrapping_subtract(partial, borrow)
        over = (1 if unsigned_less(old_middle, middle) else 0) + (1 if unsigned_less(partial, borrow) else 0)
        store(place, 2, wrapping_subtract(load(place, 2), wrapping_add(high, over)))
    store(place, 0, new_low)
    store(place, 1, new_middle)


def change_float_square(target: int, sum_limbs: int, limbs: int, bits: int, exponent: int, direction: int) -> None:
    """Add the square of a finite float64, or take it away."""
    mantissa = mantissa_of(bits)
    low = wrapping_multiply(mantissa, mantissa)
    middle = multiply_high(mantissa, mantissa)
    high = 0
    offset = 2 * (exponent_of(bits) - exponent)
    if offset < 0 or offset >> 6 >= limbs:
        return
    shift = offset & 63
    if shift > 0:
        high = shift_right(middle, 64 - shift)
        middle = shift_left(middle, shift) | shift_right(low, 64 - shift)
        low = shift_left(low, shift)
    squares = target + 8 * (ACC_SUM + sum_limbs)
    if limbs == 3 and offset < 64:
        change_three_limbs(squares, low, middle, high, direction > 0)
    elif direction > 0:
        add_at(squares, limbs, offset >> 6, low, middle, high)
    else:
        subtract_at(squares, limbs, offset >> 6, low, middle, high)
