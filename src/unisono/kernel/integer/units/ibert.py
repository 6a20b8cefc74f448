"""I-BERT's functions (Kim et al. 2021, arXiv 2101.01321, section 3) in whole numbers of any size.

A whole number q stands for q * scale; constants are made of the scale once, as floors of real numbers. What 32 bits
hold of this is for the caller to say: at fine scales c grows as 1 / scale**2. A GELU is meant for sums that nothing was
cut off of: it drops 14 bits, and at a scale of 0.01 its error function moves in steps of a quarter.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from unisono.kernel.integer.units.words import rounded_shift

LN2 = 0.6931
"""As the authors have it."""

EXP_PARABOLA = (0.35815147, 0.96963238, 1.0)
"""exp(x) is about a * x**2 + b * x + c on [-ln2, 0]."""

ERF_PARABOLA = (-0.2888, -1.769, 1.0)
"""erf(x) is about a * (x + b)**2 + c on [0, -b]."""

ROOT2 = 1.4142
"""As the authors have it."""

OCTAVES = 30
"""Halvings after which an exponential stays where it is."""

DROPPED = 14
"""Low bits of the error function that are dropped."""

EXPONENTIAL_BITS = 16
"""What exponentials are requantised to before they are added."""

NORM_BITS = 30
"""A normalised number over the root of the row's length has so many bits behind its point."""


@dataclass(frozen=True, slots=True)
class ExponentialConstants:
    """Of an exponential: those of the parabola, what an octave takes, and what a step of the result is worth."""

    b: int
    c: int
    ln2: int
    scale: float

    @classmethod
    def at(cls, scale: float) -> ExponentialConstants:
        """For numbers of which a step is worth `scale`."""
        a, b, c = EXP_PARABOLA
        ln2 = -math.floor(-LN2 / scale)
        return cls(math.floor(b / a / scale), math.floor(c / a / scale**2), ln2, math.ldexp(a * scale**2, -OCTAVES))


@dataclass(frozen=True, slots=True)
class GeluConstants:
    """Of a GELU: those of the parabola, bits that are dropped of it, what 1 is then, and what a step of the result is
    worth, which is negative."""

    b: int
    c: int
    dropped: int
    one: int
    scale: float

    @classmethod
    def at(cls, scale: float, dropped: int = DROPPED) -> GeluConstants:
        """For numbers of which a step is worth `scale`."""
        a, b, c = ERF_PARABOLA
        inner = scale / ROOT2
        erf = math.ldexp(a * inner**2, dropped)
        return cls(math.floor(b / inner), math.floor(c / a / inner**2), dropped, math.floor(1 / erf), scale * erf / 2)


def dyadic(ratio: float) -> tuple[int, int]:
    """A ratio of scales as (multiplier of 31 bits, shift): multiplier / 2**shift, the multiplier rounded half up.

    >>> dyadic(0.75)
    (1610612736, 31)
    """
    mantissa, exponent = math.frexp(ratio)
    return math.floor(math.ldexp(mantissa, 31) + 0.5), 31 - exponent


def requantise(number: int, multiplier: int, shift: int, bits: int = 8) -> int:
    """number * multiplier / 2**shift, rounded to the nearest (halves to even), saturated to `bits`.

    >>> requantise(300, 1 << 30, 30), requantise(3, 1 << 30, 31)
    (127, 2)
    """
    half = 1 << (bits - 1)
    return min(max(rounded_shift(number * multiplier, shift), -half), half - 1)


def exponential(number: int, constants: ExponentialConstants) -> int:
    """exp of a number that is not above 0 (algorithm 2).

    >>> constants = ExponentialConstants.at(0.01)
    >>> round(exponential(-100, constants) * constants.scale, 4)
    0.3711
    """
    kept = max(number, -OCTAVES * constants.ln2)
    octaves = -kept // constants.ln2
    rest = kept + octaves * constants.ln2
    return max(rest * (rest + constants.b) + constants.c, 0) << (OCTAVES - octaves)


def exponential_rescale(constants: ExponentialConstants) -> tuple[int, int]:
    """How exponentials are requantised to 16 bits, if calibration sees a row: exp(0) is the largest that there is."""
    return dyadic(((1 << (EXPONENTIAL_BITS - 1)) - 1) / exponential(0, constants))


def softmax(row: Sequence[int], constants: ExponentialConstants, rescale: tuple[int, int], bits: int = 8) -> list[int]:
    """Shares of a row; a step is worth 2**-bits.

    rescale: multiplier and shift that requantise exponentials to 16 bits.

    >>> constants = ExponentialConstants.at(0.05)
    >>> softmax([5, 5, -900], constants, exponential_rescale(constants))
    [127, 127, 0]
    """
    most = max(row)
    found = [requantise(exponential(number - most, constants), *rescale, EXPONENTIAL_BITS) for number in row]
    factor = (1 << 32) // sum(found)
    return [one * factor >> (32 - bits) for one in found]


def error_function(number: int, constants: GeluConstants) -> int:
    """erf(x / sqrt(2)) of a number x, with low bits dropped."""
    parabola = (min(abs(number), -constants.b) + constants.b) ** 2 + constants.c
    sign = (number > 0) - (number < 0)
    return sign * parabola >> constants.dropped


def gelu(number: int, constants: GeluConstants) -> int:
    """x * (1 + erf(x / sqrt(2))) / 2 (algorithm 3).

    >>> constants = GeluConstants.at(1 / 8192)
    >>> round(gelu(8192, constants) * constants.scale, 4)
    0.8372
    """
    return number * (error_function(number, constants) + constants.one)


def square_root(number: int) -> int:
    """The root of a number that is not below 0, rounded down (algorithm 4: Newton's method until it stops falling).

    >>> square_root(99), square_root(0)
    (9, 0)
    """
    if number == 0:
        return 0
    guess = 1 << ((number.bit_length() + 1) // 2)
    while (better := (guess + number // guess) // 2) < guess:
        guess = better
    return guess


def layer_norm(row: Sequence[int], biases: Sequence[int], shift: int = 0) -> list[int]:
    """(number - mean) over the root of the row's squares, and a bias each; `norm_scale` says what a step is worth.

    biases: floor(beta / gamma / norm_scale), one a column.
    shift:  bits that are dropped before squares are added, so that the sum stays under 2**32.

    Raises ZeroDivisionError for a row that does not vary.
    """
    mean = rounded(sum(row), len(row))
    centred = [number - mean for number in row]
    root = square_root(sum((number >> shift) ** 2 for number in centred)) << shift
    factor = (1 << (NORM_BITS + 1)) // root
    return [(number * factor >> 1) + bias for number, bias in zip(centred, biases, strict=True)]


def norm_scale(count: int) -> float:
    """What a step of a normalised row of so many numbers is worth, before gamma."""
    return math.ldexp(math.sqrt(count), -NORM_BITS)


def rounded(total: int, count: int) -> int:
    """total / count, rounded to the nearest, halves to even."""
    whole, rest = divmod(total, count)
    return whole + (2 * rest > count or (2 * rest == count and whole & 1 == 1))
