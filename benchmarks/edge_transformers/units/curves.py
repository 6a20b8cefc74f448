"""Curves of each unit over the whole range of its inputs: what it should give, and what it gives."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from benchmarks.edge_transformers.units import answers
from unisono.kernel.integer.units.ibert import dyadic

BITS = (8, 12, 16)
"""Of inputs; scores and arguments of a GELU are from -8 to 8, whatever the bits."""

REACH = 8.0
POINTS = 2048
WIDTH = 384
"""Of a row that is normalised."""

KEYS = 128
"""Of a row of scores."""

_ROWS = 24
_SEED = 11
_REQUANTISED_BITS = 20


@dataclass(frozen=True, slots=True)
class Curve:
    """A unit of a mode.

    unit, mode, bits: what it is of; bits of the inputs.
    at:     inputs, in real numbers.
    wanted: exact answers.
    found:  the unit's; NaN: it has none.
    """

    unit: str
    mode: str
    bits: int
    at: Sequence[float] = field(repr=False)
    wanted: Sequence[float] = field(repr=False)
    found: Sequence[float] = field(repr=False)

    @property
    def errors(self) -> list[float]:
        """Found less wanted, where there is an answer."""
        pairs = zip(self.found, self.wanted, strict=True)
        return [found - wanted for found, wanted in pairs if not math.isnan(found)]

    @property
    def worst(self) -> float:
        """The largest error, whatever its sign."""
        return max((abs(one) for one in self.errors), default=math.nan)

    @property
    def mean(self) -> float:
        """The mean error, whatever its sign."""
        return math.fsum(abs(one) for one in self.errors) / max(len(self.errors), 1)

    @property
    def unanswered(self) -> float:
        """Share of inputs for which the unit divides by zero."""
        return 1 - len(self.errors) / len(self.found)


def every() -> Iterator[Curve]:
    """Of all units, modes and bits."""
    for bits in BITS:
        yield _gelu("GELU, number by number", "shift", bits, answers.lone_gelu)
    for mode in answers.MODES:
        for bits in BITS:
            yield _exponential(mode, bits)
            yield _softmax_of_two(mode, bits)
            yield _softmax_of_many(mode, bits)
            yield _gelu("GELU", mode, bits, answers.GELU[mode])
            yield _norm(mode, bits, centre=0)
            yield _norm(mode, bits, centre=1)
        yield _root(mode, "square root under 2^16", 0, 16)
        yield _root(mode, "square root from 2^16 on", 16, 31)
        yield _requantise(mode, "requantisation in range", 127.5 / 128)
        yield _requantise(mode, "requantisation at twice the range", 2.0)


def step_of(bits: int) -> float:
    """What a step is worth, so that all numbers of these bits reach from -REACH to REACH."""
    return math.ldexp(REACH, 1 - bits)


def _grid(bits: int, low: float, high: float) -> list[int]:
    """Whole numbers from low to high, in real numbers: all, or as many as there are points."""
    first, last = round(low / step_of(bits)), round(high / step_of(bits))
    return list(range(first, last + 1, max(1, (last - first) // POINTS)))


def _exponential(mode: str, bits: int) -> Curve:
    given = _grid(bits, -2 * REACH, 0)
    at = [one * step_of(bits) for one in given]
    found = answers.EXPONENTIAL[mode](given, step_of(bits))
    return Curve("exponential", mode, bits, at, [math.exp(x) for x in at], found)


def _softmax_of_two(mode: str, bits: int) -> Curve:
    """The share of a score beside one that is larger by as much as there is."""
    given = _grid(bits, -2 * REACH, 0)
    at = [one * step_of(bits) for one in given]
    found = [answers.SOFTMAX[mode]([0, one], step_of(bits))[1] for one in given]
    return Curve("softmax of 2", mode, bits, at, [1 / (1 + math.exp(-x)) for x in at], found)


def _softmax_of_many(mode: str, bits: int) -> Curve:
    """Shares of rows of scores with a standard deviation of 2."""
    source = random.Random(_SEED)
    at: list[float] = []
    wanted: list[float] = []
    found: list[float] = []
    for _ in range(_ROWS):
        row = [round(max(-REACH, min(source.gauss(0, 2), REACH)) / step_of(bits)) for _ in range(KEYS)]
        reals = [one * step_of(bits) for one in row]
        total = math.fsum(math.exp(x) for x in reals)
        at += reals
        wanted += [math.exp(x) / total for x in reals]
        found += answers.SOFTMAX[mode](row, step_of(bits))
    return Curve(f"softmax of {KEYS}", mode, bits, at, wanted, found)


def _gelu(unit: str, mode: str, bits: int, answer: Callable[[Sequence[int], float], Sequence[float]]) -> Curve:
    given = _grid(bits, -REACH, REACH)
    at = [one * step_of(bits) for one in given]
    wanted = [x * (1 + math.erf(x / math.sqrt(2))) / 2 for x in at]
    return Curve(unit, mode, bits, at, wanted, answer(given, step_of(bits)))


def _norm(mode: str, bits: int, centre: int) -> Curve:
    """Rows with a standard deviation of a quarter of the range, about 0 or about one such deviation."""
    source = random.Random(_SEED)
    deviation = 2.0 ** (bits - 3)
    wanted: list[float] = []
    found: list[float] = []
    for _ in range(_ROWS):
        row = [round(source.gauss(centre * deviation, deviation)) for _ in range(WIDTH)]
        mean = sum(row) / WIDTH
        spread = math.sqrt(math.fsum((one - mean) ** 2 for one in row) / WIDTH)
        wanted += [(one - mean) / spread for one in row]
        found += answers.NORM[mode](row)
    unit = "LayerNorm about 0" if centre == 0 else "LayerNorm about its deviation"
    return Curve(unit, mode, bits, wanted, wanted, found)


def _root(mode: str, unit: str, low: int, high: int) -> Curve:
    """Relative to the root."""
    at = sorted({min(round(2 ** (low + (high - low) * one / POINTS)), 2**31 - 1) for one in range(POINTS + 1)})
    return Curve(unit, mode, 32, at, [1.0] * len(at), [answers.ROOT[mode](n) / math.sqrt(n) for n in at])


def _requantise(mode: str, unit: str, reach: float) -> Curve:
    """20 bits and more into 8, in steps of the result; what is beyond the range should saturate."""
    ratio = 0.8 / 2 ** (_REQUANTISED_BITS - 8)
    multiplier, dropped = dyadic(ratio)
    last = int(128 * reach / ratio)
    given = list(range(-last, last, max(1, last // POINTS)))
    exact = [one * ratio for one in given]
    wanted = [min(max(one, -128.0), 127.0) for one in exact]
    found = [float(answers.REQUANTISE[mode](one, multiplier, dropped)) for one in given]
    return Curve(unit, mode, 32, exact, wanted, found)
