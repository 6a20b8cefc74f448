"""The functions of an integer network in the units of its registers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import log, sqrt

import numpy as np

from unisono.kernel.integer.functions import Function, Gelu, Polynomial, Table
from unisono.kernel.integer.network import BYTE_TOP
from unisono.kernel.integer.units import shift

Scaled = tuple[float, int, int]
"""What codes mean: scale, zero, largest code."""

# I-BERT's parabolas (Kim et al. 2021, sections 3.4.1 and 3.4.2): erf(x) is about sign(x) (A (min(|x|, -B) + B)**2 + 1),
# and exp(x) on [-ln2, 0] about P ((x + Q)**2 + R / P).
_A, _B = -0.2888, -1.769
_P, _Q, _R = 0.3585, 1.353, 0.344
BEND = -_B * sqrt(2)
"""From where on GELU is x, and before -BEND 0."""

ARGUMENT_TOP = 1023
"""Largest argument of GELU."""

_MOST_STEPS = 900
_OCTAVES = 10  # halvings after which 8 bits are 0
_SHARE_BITS, _SHARE = 12, 1 << 11  # of a share of ShiftGELU, and what stands for 1 in it
_GELU_OCTAVES = 14  # in which 32 bits hold the sum of both powers, so that the share does not saturate

STEP_OF_SCORES = log(2)
"""A step of a score is this over 2**fraction."""


TANH: Scaled = (5 / 512, 512, 1023)
"""The argument of tanh, which is 1 beyond 5 to 8 bits."""


@dataclass(frozen=True)
class Activated:
    """A function of a register.

    argument, value: what the codes mean that go in and come out.
    """

    function: Function
    argument: Scaled
    value: Scaled


@dataclass(frozen=True)
class Curves:
    """The functions of a mode.

    exponential: of scores in steps of ln2 / 2**fraction below the largest.
    gelu:        up to a number.
    """

    exponential: Callable[[int], Function]
    gelu: Callable[[float], Activated]


def _gelu(reach: float) -> Activated:
    """The argument has about 10 bits; how many exactly is chosen so that the value uses its 8."""
    found = [_with_steps(reach, steps) for steps in range(_MOST_STEPS, _MOST_STEPS // 2, -1)]
    return max((one for one in found if one.argument[2] <= ARGUMENT_TOP), key=_largest)


def _largest(made: Activated) -> int:
    function = made.function
    assert isinstance(function, Gelu)
    return (function.slope * (function.top - function.zero) + function.offset) >> function.shift


def _with_steps(reach: float, steps: int) -> Activated:
    """With so many steps up to its reach."""
    scale = reach / steps
    bend = max(round(BEND / scale), 1)
    slope = round(bend**2 * 4 / (-_A * BEND**2))
    bump = (4 * bend**3 + 26) // 27  # the most that is taken away, at a third of the bend
    down = 0
    while (slope * steps + _offset(bump, down)) >> down > BYTE_TOP:
        down += 1
    offset = _offset(bump, down)
    function = Gelu(bend, bend + steps, bend, slope, offset, down)
    return Activated(function, (scale, bend, bend + steps), (scale * 2.0**down / slope, offset >> down, BYTE_TOP))


def _offset(bump: int, down: int) -> int:
    """What makes the least value 0, with the half that rounds."""
    return (-(-bump >> down) << down) + ((1 << down) >> 1)


def _exponential(fraction: int) -> Polynomial:
    step = STEP_OF_SCORES / 2**fraction
    center, rest = round(_Q / step), round(_R / _P / step**2)
    down = max((center**2 + rest).bit_length() - 8, 0)
    return Polynomial(fraction, center, rest, down)


def tanh() -> Activated:
    """tanh, as a table."""
    scale, zero, top = TANH
    numbers = (np.arange(top + 1) - zero) * scale
    return Activated(Table(np.rint(128 + 127 * np.tanh(numbers)).astype(np.uint8)), TANH, (1 / 127, 128, BYTE_TOP))


IBERT = Curves(_exponential, _gelu)
"""Polynomials."""


def _shifted_exponential(fraction: int) -> Table:
    """I-ViT's, in steps that make the largest 255."""
    one = shift.octave(STEP_OF_SCORES / 2**fraction)
    largest = shift.exponential(0, one)
    found = [
        (BYTE_TOP * shift.exponential(-number, one) + largest // 2) // largest for number in range(_OCTAVES << fraction)
    ]
    return Table(np.array([*found, 0], np.uint8))


def _shifted_gelu(reach: float) -> Activated:
    """I-ViT's, of each number by itself: a row of that number and 0, so that it does not depend on its neighbours."""
    scale = reach / _MOST_STEPS
    zero = ARGUMENT_TOP - _MOST_STEPS
    steps = [
        shift.gelu([place - zero, 0], scale, bits=_SHARE_BITS, octaves=_GELU_OCTAVES)[0]
        for place in range(ARGUMENT_TOP + 1)
    ]
    numbers = np.array(steps) * scale / _SHARE
    least = float(numbers.min())
    step = (float(numbers.max()) - least) / BYTE_TOP
    rest = round(-least / step)
    values = np.clip(np.rint(numbers / step) + rest, 0, BYTE_TOP)
    return Activated(Table(values.astype(np.uint8)), (scale, zero, ARGUMENT_TOP), (step, rest, BYTE_TOP))


SHIFT = Curves(_shifted_exponential, _shifted_gelu)
"""Shifts and additions, as tables."""
