"""A small stand-in for the kernel: the parts that `sample_exports` calls."""

from __future__ import annotations

from unisono.kernel import words
from unisono.kernel.words import (
    leading_zeros,
    load,
    multiply_high,
    shift_left,
    shift_right,
    store,
    unsigned_less,
    wrapping_add,
    wrapping_multiply,
)

LIMBS = 3
SIGNIFICANT_BITS = 53
HALF = 0.5


def add_limbs(total: int, value: int) -> int:
    """Add an int64 to the LIMBS little-endian words at `total`; the carry out."""
    carry = 0
    extension = -1 if value < 0 else 0
    part = value
    for limb in range(LIMBS):
        old = load(total, limb)
        first = wrapping_add(old, part)
        second = wrapping_add(first, carry)
        carry = 1 if unsigned_less(first, old) or unsigned_less(second, first) else 0
        store(total, limb, second)
        part = extension
    return carry


def square(value: int) -> tuple[int, int]:
    """The 128-bit square of a word read as unsigned: low, high."""
    return wrapping_multiply(value, value), multiply_high(value, value)


def nearest(high: int, low: int) -> float:
    """high * 2^64 + low as the nearest float64; high below 2^63."""
    if high == 0:
        return words.unsigned_float(low)
    shift = leading_zeros(high)
    top = high if shift == 0 else shift_left(high, shift) | shift_right(low, 64 - shift)
    rest = low if shift == 0 else shift_left(low, shift)
    sticky = 0 if rest == 0 else 1
    value = words.unsigned_float(top | sticky)
    return scale(value, 64 - shift)


def scale(value: float, power: int) -> float:
    """value * 2^power; power in 0..64."""
    result = value
    for _ in range(power):
        result *= 2.0
    return result


def half_root(value: float) -> float:
    """Half the root of a value that is not negative."""
    return HALF * words.square_root(value)
