"""How often SwiftTron's hardware gives something else than I-BERT's arithmetic, which it is made for."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from unisono.kernel.integer.units import ibert, swifttron
from unisono.kernel.integer.units.words import divided

TRIALS = 4000
ROWS = 400
_SEED = 12


@dataclass(frozen=True, slots=True)
class Departure:
    """One.

    unit:   of the hardware.
    paper:  what I-BERT's arithmetic says.
    rtl:    what the hardware does.
    inputs: that were tried, at random.
    share:  of them for which the answers differ.
    """

    unit: str
    paper: str
    rtl: str
    inputs: str
    share: float


def every() -> Iterator[Departure]:
    """Of all units."""
    yield Departure(
        "requantisation",
        "rounds to the nearest, saturates at 8 bits",
        "rounds down, keeps the low 8 bits",
        "results evenly from -128 to 127",
        _share(lambda source: _requantised(source, 127.0)),
    )
    yield Departure(
        "requantisation",
        "the same",
        "the same",
        "results evenly from -256 to 255",
        _share(lambda x: _requantised(x, 255.0)),
    )
    yield Departure(
        "exponential",
        "shifts left by 30 less the octaves",
        "shifts right by the octaves: 30 bits less",
        "compared without those bits; steps from 2^-12 to 2^-1",
        _share(_exponential),
    )
    yield Departure(
        "softmax",
        "the maximum of the row is subtracted",
        "the maximum starts at 0",
        "rows of 32, all below 0: other exponentials",
        _share(_maximum, ROWS),
    )
    yield Departure(
        "softmax",
        "exponentials times 2^32 / sum, in 8 bits",
        "exponentials / sum in whole numbers: 0, or 1 for all of the row",
        "rows of 32, standard deviation 2: other numbers in 8 bits",
        _softmax_share(),
    )
    yield Departure(
        "GELU",
        "drops 14 bits of the error function",
        "drops none: arguments of more than 14 bits or so wrap",
        "compared with the same in numbers of any size; 8 to 16 bits",
        _share(_gelu),
    )
    yield Departure(
        "square root",
        "Newton from 2^ceil(bits / 2)",
        "Newton from 2^16, whatever the number",
        "numbers from 0 to 2^31 - 1",
        _share(lambda source: _root(source.randrange(1 << source.randrange(1, 32)))),
    )
    yield Departure(
        "LayerNorm",
        "variance from the squares",
        "squares are added to the row's sum, which nothing clears",
        "rows of 64, mean and deviation alike: other variances",
        _share(_variance, ROWS),
    )
    yield Departure(
        "LayerNorm",
        "(x - mean) * (2^31 / root): 30 bits behind the point; gamma, beta",
        "(x - mean) / root in whole numbers; no gamma, no beta",
        "rows of 64: other whole numbers, when both are cut",
        _norm_share(),
    )


def _share(differs: Callable[[random.Random], bool], trials: int = TRIALS) -> float:
    source = random.Random(_SEED)
    return sum(differs(source) for _ in range(trials)) / trials


def _requantised(source: random.Random, most: float) -> bool:
    """Sums of 20 bits, and a multiplier of 31 bits that makes the largest of them `most`."""
    multiplier, dropped = ibert.dyadic((most + 0.5) / (1 << 20))
    number = source.randrange(-(1 << 20), 1 << 20)
    return swifttron.requantise(number, multiplier, dropped) != ibert.requantise(number, multiplier, dropped)


def _exponential(source: random.Random) -> bool:
    scale = 2.0 ** -source.uniform(1, 12)
    number = -source.randrange(int(22 / scale))
    wanted = ibert.exponential(number, ibert.ExponentialConstants.at(scale)) >> ibert.OCTAVES
    return swifttron.exponential(number, swifttron.ExponentialPorts.at(scale)) != wanted


def _maximum(source: random.Random) -> bool:
    row = [-source.randrange(1, 2000) for _ in range(32)]
    ports = swifttron.ExponentialPorts.at(2.0**-6)
    shown, wanted = ([swifttron.exponential(one - most, ports) for one in row] for most in (0, max(row)))
    return shown != wanted


def _softmax_share() -> float:
    """Of the single numbers."""
    source, scale = random.Random(_SEED), 2.0**-6
    constants = ibert.ExponentialConstants.at(scale)
    rescale, ports = ibert.exponential_rescale(constants), swifttron.ExponentialPorts.at(scale)
    differ = 0
    for _ in range(ROWS):
        row = [round(source.gauss(0, 2) / scale) for _ in range(32)]
        pairs = zip(ibert.softmax(row, constants, rescale), swifttron.softmax(row, ports), strict=True)
        differ += sum(paper != 256 * rtl for paper, rtl in pairs)
    return differ / (32 * ROWS)


def _gelu(source: random.Random) -> bool:
    bits = source.randrange(8, 17)
    scale = 8 / 2 ** (bits - 1)
    number = source.randrange(-(1 << (bits - 1)), 1 << (bits - 1))
    exact = ibert.gelu(number, ibert.GeluConstants.at(scale, dropped=0))
    return swifttron.gelu(number, swifttron.GeluPorts.at(scale)) != exact


def _root(number: int) -> bool:
    return swifttron.square_root(number) != ibert.square_root(number)


def _row(source: random.Random) -> list[int]:
    deviation = 2.0 ** source.uniform(4, 10)
    return [round(source.gauss(deviation, deviation)) for _ in range(64)]


def _variance(source: random.Random) -> bool:
    row = _row(source)
    return swifttron.variance(row, len(row)) != _squares(row) // len(row)


def _squares(row: list[int]) -> int:
    mean = divided(sum(row), len(row))
    return sum((one - mean) ** 2 for one in row)


def _norm_share() -> float:
    """Of the single numbers, with the variance that I-BERT has."""
    source = random.Random(_SEED)
    differ = 0
    for _ in range(ROWS):
        row = _row(source)
        paper = ibert.layer_norm(row, [0] * len(row))
        cut = [int(one * ibert.norm_scale(len(row))) for one in paper]
        differ += sum(a != b for a, b in zip(cut, swifttron.layer_norm(row, len(row)), strict=True))
    return differ / (64 * ROWS)
