"""Curves of the functions that an integer network has here: 8 bits come out, and nothing that goes in overflows."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Mapping

import numpy as np

from benchmarks.edge_transformers.units.curves import KEYS, REACH, WIDTH, Curve
from unisono.compress.integer.curves import IBERT, SHIFT, STEP_OF_SCORES, Curves
from unisono.kernel.integer.network import (
    BYTE_TOP,
    INVERSE_BITS,
    NORM_BITS,
    NORM_SHIFT,
    Network,
    Norm,
    Patches,
    Rescale,
)
from unisono.kernel.integer.reference import registers, rescaled

MODES: Mapping[str, Curves] = {"ibert": IBERT, "shift": SHIFT}
FRACTION = 9
"""A step of a score is ln2 / 2**FRACTION."""

_ROWS = 24
_SEED = 11
_STEP = STEP_OF_SCORES / 2**FRACTION
_NORM_BITS_OF_INPUTS = 14
"""A register that residuals are added to."""


def every() -> Iterator[Curve]:
    """Of all functions and modes."""
    for mode, functions in MODES.items():
        weights = functions.exponential(FRACTION).table().tolist()
        yield _exponential(mode, weights)
        yield _softmax(mode, weights)
        yield _gelu(mode, functions)
    yield _norm()
    yield _requantisation()


def _weight(weights: list[int], below: int) -> int:
    return weights[min(below, len(weights) - 1)]


def _exponential(mode: str, weights: list[int]) -> Curve:
    at = [-one * _STEP for one in range(len(weights))]
    return Curve("exponential", mode, 8, at, [math.exp(x) for x in at], [one / weights[0] for one in weights])


def _softmax(mode: str, weights: list[int]) -> Curve:
    """Rows of scores with a standard deviation of 2, as `Attention` weighs them."""
    source = random.Random(_SEED)
    at: list[float] = []
    wanted: list[float] = []
    found: list[float] = []
    for _ in range(_ROWS):
        row = [round(source.gauss(0, 2) / _STEP) for _ in range(KEYS)]
        weighed = [_weight(weights, max(row) - one) for one in row]
        inverse = (1 << INVERSE_BITS) // sum(weighed)
        exact = [math.exp(one * _STEP) for one in row]
        at += [one * _STEP for one in row]
        wanted += [one / math.fsum(exact) for one in exact]
        found += [math.ldexp(one * inverse, -INVERSE_BITS) for one in weighed]
    return Curve(f"softmax of {KEYS}", mode, 8, at, wanted, found)


def _gelu(mode: str, functions: Curves) -> Curve:
    made = functions.gelu(REACH)
    (scale, zero, _), (step, rest, _) = made.argument, made.value
    table = made.function.table().tolist()
    at = [(place - zero) * scale for place in range(len(table))]
    wanted = [x * (1 + math.erf(x / math.sqrt(2))) / 2 for x in at]
    return Curve("GELU", mode, 8, at, wanted, [(one - rest) * step for one in table])


def _norm() -> Curve:
    """Before gamma and beta. Rows with a standard deviation of an eighth of the range."""
    source = random.Random(_SEED)
    top = 1 << _NORM_BITS_OF_INPUTS
    rows = [[min(max(round(source.gauss(top / 2, top / 8)), 0), top - 1) for _ in range(WIDTH)] for _ in range(_ROWS)]
    ones = np.ones(WIDTH, np.int32)
    whole = Rescale(ones, 0 * ones, 0, (1 << (NORM_BITS - NORM_SHIFT + 1)) - 1)
    network = Network((Patches("rows", _ROWS, WIDTH), Norm("norm", 0, WIDTH, whole)), 0, 1.0)
    one = 1 << (NORM_BITS - NORM_SHIFT)
    found = [(code - one) * math.sqrt(WIDTH) / one for row in registers(network, rows)[1] for code in row]
    wanted = [code for row in rows for code in _normalised(row)]
    return Curve("LayerNorm", "both", _NORM_BITS_OF_INPUTS, wanted, wanted, found)


def _normalised(row: list[int]) -> list[float]:
    mean = sum(row) / len(row)
    spread = math.sqrt(math.fsum((one - mean) ** 2 for one in row) / len(row))
    return [(one - mean) / spread for one in row]


def _requantisation() -> Curve:
    """Sums of 20 bits to 8, about 128, to twice the range: in steps of the result."""
    shift, ratio = 18, 127.5 / (1 << 20)
    multiplier = round(ratio * 2**shift)
    half = 1 << (shift - 1)
    rescale = Rescale(np.array([multiplier], np.int32), np.array([half + (128 << shift)], np.int32), shift, BYTE_TOP)
    given = range(-(1 << 21), 1 << 21, 997)
    exact = [one * multiplier / 2**shift + 128 for one in given]
    found = [float(rescaled([one], rescale)[0]) for one in given]
    return Curve("requantisation", "both", 21, exact, [min(max(one, 0.0), 255.0) for one in exact], found)
