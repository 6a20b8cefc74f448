"""What each mode's units answer, in real numbers: a table of functions a unit."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

from unisono.kernel.integer.units import ibert, shift, swifttron

MODES = ("ibert", "shift", "swifttron")

Ints = Sequence[int]
Reals = list[float]

UNKNOWN = math.nan
"""What hardware says where it divides by zero."""


def _ibert_softmax(row: Ints, scale: float) -> Reals:
    constants = ibert.ExponentialConstants.at(scale)
    found = ibert.softmax(row, constants, ibert.exponential_rescale(constants))
    return [one / 256 for one in found]


def _swifttron_softmax(row: Ints, scale: float) -> Reals:
    try:
        return [float(one) for one in swifttron.softmax(row, swifttron.ExponentialPorts.at(scale))]
    except ZeroDivisionError:
        return [UNKNOWN] * len(row)


def _ibert_exponential(row: Ints, scale: float) -> Reals:
    constants = ibert.ExponentialConstants.at(scale)
    return [ibert.exponential(one, constants) * constants.scale for one in row]


def _shift_exponential(row: Ints, scale: float) -> Reals:
    one = shift.octave(scale)
    return [math.ldexp(shift.exponential(number, one) * scale, -shift.SOFTMAX_OCTAVES) for number in row]


def _swifttron_exponential(row: Ints, scale: float) -> Reals:
    ports = swifttron.ExponentialPorts.at(scale)
    step = math.ldexp(ibert.ExponentialConstants.at(scale).scale, ibert.OCTAVES)
    return [swifttron.exponential(one, ports) * step for one in row]


def _ibert_gelu(row: Ints, scale: float) -> Reals:
    constants = ibert.GeluConstants.at(scale)
    return [ibert.gelu(one, constants) * constants.scale for one in row]


def _shift_gelu(row: Ints, scale: float) -> Reals:
    return [one * scale / 128 for one in shift.gelu(row, scale)]


def lone_gelu(row: Ints, scale: float) -> Reals:
    """I-ViT's of each number beside a 0 alone, with 14 halvings in the place of 23, and 12 bits of a share."""
    return [shift.gelu([one, 0], scale, bits=12, octaves=14)[0] * scale / 2048 for one in row]


def _swifttron_gelu(row: Ints, scale: float) -> Reals:
    ports, step = swifttron.GeluPorts.at(scale), ibert.GeluConstants.at(scale, dropped=0).scale
    return [swifttron.gelu(one, ports) * step for one in row]


def _ibert_norm(row: Ints) -> Reals:
    return [one * ibert.norm_scale(len(row)) for one in ibert.layer_norm(row, [0] * len(row), _norm_shift(row))]


def _norm_shift(row: Ints) -> int:
    """Bits that calibration drops of this row, so that its squares stay under 2**32."""
    mean = round(sum(row) / len(row))
    squares = sum((one - mean) ** 2 for one in row)
    return max(0, math.ceil(math.log2(math.sqrt(squares / 2**32)))) if squares else 0


def _shift_norm(row: Ints) -> Reals:
    return [one * shift.norm_scale(len(row)) for one in shift.layer_norm(row, [0] * len(row))]


def _swifttron_norm(row: Ints) -> Reals:
    try:
        return [float(one) for one in swifttron.layer_norm(row, len(row))]
    except ZeroDivisionError:
        return [UNKNOWN] * len(row)


SOFTMAX: Mapping[str, Callable[[Ints, float], Reals]] = {
    "ibert": _ibert_softmax,
    "shift": lambda row, scale: [one / 128 for one in shift.softmax(row, scale)],
    "swifttron": _swifttron_softmax,
}
"""Shares of a row of numbers of which a step is worth a scale."""

EXPONENTIAL: Mapping[str, Callable[[Ints, float], Reals]] = {
    "ibert": _ibert_exponential,
    "shift": _shift_exponential,
    "swifttron": _swifttron_exponential,
}
"""exp of numbers that are not above 0."""

GELU: Mapping[str, Callable[[Ints, float], Reals]] = {
    "ibert": _ibert_gelu,
    "shift": _shift_gelu,
    "swifttron": _swifttron_gelu,
}

NORM: Mapping[str, Callable[[Ints], Reals]] = {
    "ibert": _ibert_norm,
    "shift": _shift_norm,
    "swifttron": _swifttron_norm,
}
"""A row less its mean, over its standard deviation."""

ROOT: Mapping[str, Callable[[int], int]] = {
    "ibert": ibert.square_root,
    "shift": shift.square_root,
    "swifttron": swifttron.square_root,
}

REQUANTISE: Mapping[str, Callable[[int, int, int], int]] = {
    "ibert": ibert.requantise,
    "shift": shift.requantise,
    "swifttron": swifttron.requantise,
}
