"""One value on its way into a row and out again: canonical bits, keys that order, mantissas and exponents."""

from __future__ import annotations

from unisono.kernel.layout import INFINITY_BITS, LARGEST, NAN_BITS, NULL_BITS
from unisono.kernel.words import float_bits

FRACTION = (1 << 52) - 1
SIGN_ONLY = -LARGEST - 1


def canonical(bits: int) -> int:
    """The bits under which a float64 enters a row: one null, one NaN, one zero."""
    if bits == NULL_BITS:
        return bits
    if (bits & LARGEST) > INFINITY_BITS:
        return NAN_BITS
    return 0 if bits == SIGN_ONLY else bits


def is_special(bits: int) -> bool:
    """NaN or an infinity?"""
    return (bits & INFINITY_BITS) == INFINITY_BITS


def ordering_key(bits: int) -> int:
    """An int64 that orders as the float64 does; NaN has none."""
    return bits if bits >= 0 else bits ^ LARGEST


def from_ordering_key(key: int) -> int:
    """The bits that have this key."""
    return key if key >= 0 else key ^ LARGEST


def exponent_of(bits: int) -> int:
    """The exponent of the last bit of a finite float64, from -1074."""
    biased = (bits >> 52) & 0x7FF
    return biased - 1075 if biased > 0 else -1074


def mantissa_of(bits: int) -> int:
    """The whole number of at most 53 bits that, times 2^exponent_of, is the float64's magnitude."""
    fraction = bits & FRACTION
    return fraction | (1 << 52) if ((bits >> 52) & 0x7FF) > 0 else fraction


def negate_if(value: float, negative: bool) -> float:
    """-value or value; a zero keeps the sign it is given."""
    return -value if negative else value


def bits_of(value: float) -> int:
    """The bits of a result; any NaN is the one NaN."""
    bits = float_bits(value)
    return NAN_BITS if (bits & LARGEST) > INFINITY_BITS else bits


def smaller(a: int, b: int) -> int:
    """The smaller of two words."""
    return a if a < b else b


def larger(a: int, b: int) -> int:
    """The larger of two words."""
    return a if a > b else b
