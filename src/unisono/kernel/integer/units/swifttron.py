"""SwiftTron's units as their VHDL has them (Marchisio et al. 2023, arXiv 2304.03986): 32 bits, which wrap around.

Names of ports are in parentheses. Where the hardware divides by zero it has no defined answer, and ZeroDivisionError is
raised. `docs/integer-units.md` says where this departs from the arithmetic of I-BERT, which the paper builds on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from unisono.kernel.integer.units import ibert
from unisono.kernel.integer.units.words import WORD, divided, unsigned, wrapped

FIRST_GUESS = 1 << (WORD // 2)
"""Where a square root begins."""


@dataclass(frozen=True, slots=True)
class ExponentialPorts:
    """Constants of an exponential: words.

    b, c:    of the parabola (q_b, q_c).
    ln2:     what an octave takes (q_ln2).
    divisor: what a number is divided by to count octaves (q_ln2_neg_inv): -ln2, so that octaves are positive.
    """

    b: int
    c: int
    ln2: int
    divisor: int

    @classmethod
    def at(cls, scale: float) -> ExponentialPorts:
        """I-BERT's constants for numbers of which a step is worth `scale`, cut to words."""
        found = ibert.ExponentialConstants.at(scale)
        return cls(wrapped(found.b), wrapped(found.c), found.ln2, -found.ln2)


@dataclass(frozen=True, slots=True)
class GeluPorts:
    """Constants of a GELU: words.

    b, c: of the parabola (q_b, q_c).
    most: where the error function is 1 (q_max), compared without a sign.
    one:  1 in units of the error function (q_1).
    """

    b: int
    c: int
    most: int
    one: int

    @classmethod
    def at(cls, scale: float) -> GeluPorts:
        """I-BERT's constants for numbers of which a step is worth `scale`, cut to words; no bits are dropped."""
        found = ibert.GeluConstants.at(scale, dropped=0)
        return cls(wrapped(found.b), wrapped(found.c), -found.b, wrapped(found.one))


def requantise(number: int, multiplier: int, shift: int) -> int:
    """REQUANTIZATION: the low 8 bits of number * multiplier >> shift; it floors and wraps, and does not saturate.

    number, multiplier: words (q_in_req, m). shift: 0 to 63 (c).

    >>> requantise(300, 1 << 30, 30)
    44
    """
    return wrapped(number * multiplier >> shift, bits=8)


def exponential(number: int, ports: ExponentialPorts) -> int:
    """I_EXP: the exponential of a number that is not above 0, in units of the parabola; shifted right by octaves."""
    octaves = divided(number, ports.divisor)
    rest = wrapped(number + wrapped(octaves * ports.ln2))
    parabola = wrapped(wrapped(wrapped(rest + ports.b) * rest) + ports.c)
    if octaves > 0:
        return parabola >> octaves
    return wrapped(parabola << min(-octaves, WORD))


def softmax(row: Sequence[int], ports: ExponentialPorts) -> list[int]:
    """I_SOFTMAX: exponentials over their sum, cut to whole numbers. The maximum starts at 0, not at the first number.

    >>> softmax([5, 5, -900], ExponentialPorts.at(0.05))
    [0, 0, 0]
    """
    most = max(0, *row)
    found = [exponential(wrapped(number - most), ports) for number in row]
    total = wrapped(sum(found))
    return [divided(one, total) for one in found]


def gelu(number: int, ports: GeluPorts) -> int:
    """I_GELU: number * (erf + one), with I-BERT's parabola for erf."""
    clipped = wrapped(min(unsigned(abs(number)), unsigned(ports.most)))
    parabola = wrapped(wrapped(wrapped(clipped + ports.b) ** 2) + ports.c)
    error = parabola if number >= 0 else wrapped(-parabola)
    return wrapped(wrapped(error + ports.one) * number)


def newton(number: int) -> tuple[int, int]:
    """I_SQRT: the root, and the cycles that it takes from its first guess.

    >>> newton(1 << 30), newton(0)
    ((32768, 5), (0, 1))
    """
    if number == 0:
        return 0, 1
    guess, cycles = FIRST_GUESS, 1
    while unsigned(better := (guess + divided(number, guess)) >> 1) < unsigned(guess):
        guess, cycles = better, cycles + 1
    return guess, cycles


def square_root(number: int) -> int:
    """I_SQRT: the root of a word, rounded down; of a negative word whatever the iteration stops at.

    >>> square_root(99)
    9
    """
    return newton(number)[0]


def variance(row: Sequence[int], count: int) -> int:
    """What LayerNorm takes the root of: its accumulator still holds the row's sum when the squares are added.

    >>> variance([1, 3], 2), variance([-1, 1], 2)
    (3, 1)
    """
    total = wrapped(sum(row))
    mean = divided(total, count)
    squares = sum(wrapped(wrapped(number - mean) ** 2) for number in row)
    return divided(wrapped(total + squares), count)


def layer_norm(row: Sequence[int], count: int) -> list[int]:
    """LayerNorm: (number - mean) / root, cut to whole numbers; no gamma, no beta.

    count: what sums are divided by (c): the row's length.
    """
    mean, root = divided(wrapped(sum(row)), count), square_root(variance(row, count))
    return [divided(wrapped(number - mean), root) for number in row]


def multiply_add(pairs: Sequence[tuple[int, int]]) -> int:
    """MAC: the sum of products of bytes in a word, a pair a cycle."""
    return wrapped(sum(left * right for left, right in pairs))
