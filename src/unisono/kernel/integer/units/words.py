"""Words of two's complement: what hardware keeps of a number."""

from __future__ import annotations

WORD = 32
"""Bits of a word, where nothing else is said."""


def wrapped(number: int, bits: int = WORD) -> int:
    """The low bits of a number, the highest of them as its sign.

    >>> wrapped(2**31), wrapped(200, bits=8)
    (-2147483648, -56)
    """
    half = 1 << (bits - 1)
    return ((number + half) & ((1 << bits) - 1)) - half


def unsigned(word: int) -> int:
    """A word as a number from 0 to 2**32 - 1.

    >>> unsigned(-1)
    4294967295
    """
    return word & ((1 << WORD) - 1)


def divided(word: int, by: int) -> int:
    """A quotient of words, cut off towards 0, as a word.

    Raises ZeroDivisionError where `by` is 0: there the published hardware has no defined answer.

    >>> divided(-7, 2), divided(-(2**31), -1)
    (-3, -2147483648)
    """
    quotient = abs(word) // abs(by)
    return wrapped(quotient if (word < 0) == (by < 0) else -quotient)


def rounded_shift(number: int, shift: int) -> int:
    """number / 2**shift, rounded to the nearest, halves to even.

    >>> [rounded_shift(number, 1) for number in (1, 3, -1, -3)]
    [0, 2, 0, -2]
    """
    if shift <= 0:
        return number << -shift
    whole, rest = number >> shift, number & ((1 << shift) - 1)
    half = 1 << (shift - 1)
    return whole + (rest > half or (rest == half and whole & 1 == 1))
