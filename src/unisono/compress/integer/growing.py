"""An integer network that grows, instruction by instruction, by what calibration rows make of each.

Beside each register goes what the encoder itself has there, in floats. A product is rounded for the inputs that it will
really be given, and its bias takes up what is left of the mean error (Nagel et al. 2019, section 4.2).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import floor, log2, sqrt

import numpy as np

from unisono.compress.integer.curves import Curves
from unisono.compress.integer.encoder import Dense, Floats, Normal
from unisono.compress.integer.matrices import Whole, carried_out
from unisono.compress.integer.rounding import INT32_TOP, Inputs, cannot_scale, int32, rounded, shift_of
from unisono.compress.integer.scales import Spans, Units
from unisono.kernel.integer.network import NORM_BITS, NORM_SHIFT, Instruction, Linear, Norm, Requantise, Rescale

_ONE = 1 << (NORM_BITS - NORM_SHIFT)
_NORM_TOP = 2 * _ONE


@dataclass(frozen=True)
class How:
    """How numbers are chosen.

    curves: the functions of softmax and GELU.
    spans:  what a column's span is found by.
    """

    curves: Curves
    spans: Spans


@dataclass(frozen=True)
class Aim:
    """What a register is to say.

    units:   of its codes.
    numbers: that the encoder has there.
    """

    units: Units
    numbers: Floats = field(repr=False)


@dataclass(frozen=True)
class Value(Aim):
    """A register.

    place: in the network.
    """

    place: int

    @property
    def width(self) -> int:
        """Its columns."""
        return int(self.numbers.shape[1])


class Growing:
    """The network as far as it is made, and its registers for the calibration rows.

    bounds: where each text or image begins in the registers to come, and where the last one ends.
    """

    def __init__(self, given: Whole, bounds: Whole, how: How) -> None:
        self._given, self.bounds, self.how = given, bounds, how
        self.instructions: list[Instruction] = []
        self._registers: dict[int, Whole] = {}
        self._inputs: tuple[int, Inputs] | None = None
        self.errors: dict[str, float] = {}

    def add(self, one: Instruction, aim: Aim) -> Value:
        """A new register."""
        place = len(self.instructions)
        self._registers[place] = carried_out(one, self._registers, self._given, self.bounds)
        self.instructions.append(one)
        return Value(aim.units, aim.numbers, place)

    def keep_only(self, *values: Value) -> None:
        """Forgets registers that no instruction to come reads."""
        places = {one.place for one in values}
        self._registers = {place: one for place, one in self._registers.items() if place in places}

    def note_error(self, value: Value) -> None:
        """Keeps how far a register is from the encoder's numbers, as a share of their spread."""
        error = value.units.real(self._registers[value.place]) - value.numbers
        spread = max(float(value.numbers.std()), 1e-12)
        self.errors[self.instructions[value.place].name] = float(np.sqrt((error**2).mean())) / spread

    def inputs(self, given: Value) -> Inputs:
        """What a product of a register is given; kept for the next product of the same."""
        if self._inputs is None or self._inputs[0] != given.place:
            codes = (self._registers[given.place] - given.units.zero).astype(np.float64)
            self._inputs = given.place, Inputs(given.units.zero, given.units.top, codes.T @ codes / len(codes))
        return self._inputs[1]

    def linear(self, name: str, given: Value, dense: Dense, aim: Aim) -> Value:
        """A product."""
        return self.linears(given, {name: (dense, aim)})[0]

    def linears(self, given: Value, products: Mapping[str, tuple[Dense, Aim]]) -> list[Value]:
        """Products of the same register with the same shift, so that a graph may make one of them."""
        inputs = self.inputs(given)
        scaled = {name: _scaled(dense, given.units) for name, (dense, _) in products.items()}
        shift = min(shift_of(scaled[name], inputs, aim.units) for name, (_, aim) in products.items())
        found = []
        for name, (_, aim) in products.items():
            made = Linear(name, given.place, *rounded(name, scaled[name], inputs, aim.units, shift=shift))
            found.append(self.add(self._corrected(made, aim), aim))
        return found

    def _corrected(self, made: Linear, aim: Aim) -> Linear:
        """Without what it is off in the mean, where it is not cut off."""
        units, numbers = aim.units, aim.numbers
        codes = carried_out(made, self._registers, self._given, self.bounds)
        wanted = np.clip(numbers / units.scale + units.zero, 0, units.top)
        inside = (codes > 0) & (codes < units.top)
        missing = ((wanted - codes) * inside).sum(axis=0) / np.maximum(inside.sum(axis=0), 1)
        moved = made.rescale.offset + np.rint(missing * 2.0**made.rescale.shift)
        return replace(made, rescale=replace(made.rescale, offset=int32(made.name, moved)))

    def norm(self, name: str, given: Value, norm: Normal, aim: Aim) -> Value:
        """A layer normalisation; gamma and beta are in its rescaling."""
        width, units = given.width, aim.units
        epsilon = max(1, round(width * norm.epsilon / float(given.units.scale[0]) ** 2))
        factor = norm.gamma * sqrt(width) / _ONE / units.scale
        offset = norm.beta / units.scale + units.zero - factor * _ONE
        made = Norm(name, given.place, epsilon, rescale_of(name, factor, offset, tops=(_NORM_TOP, units.top)))
        return self.add(made, aim)

    def requantised(self, name: str, given: Value, units: Units) -> Value:
        """A register in other units."""
        factor = given.units.scale / units.scale
        offset = units.zero - factor * given.units.zero
        made = Requantise(name, given.place, rescale_of(name, factor, offset, tops=(given.units.top, units.top)))
        return self.add(made, Aim(units, given.numbers))


def _scaled(dense: Dense, units: Units) -> Dense:
    """A product of codes less their zeros."""
    return Dense(dense.weights * units.scale[:, np.newaxis], dense.bias)


def rescale_of(name: str, factor: Floats, offset: Floats, *, tops: tuple[int, int]) -> Rescale:
    """x * factor + offset in whole numbers, rounded. Raises ModelError if no multiplier keeps it in int32.

    tops: largest x, and largest number that comes out.
    """
    given_top, top = tops
    reach = float((np.abs(factor) * given_top + np.abs(offset)).max()) + 1
    shift = min(floor(log2(INT32_TOP / reach)), 30 - (top + 1).bit_length())
    if shift < 0:
        raise cannot_scale(name)
    multiplier = np.rint(factor * 2.0**shift)
    moved = np.rint(offset * 2.0**shift) + ((1 << shift) >> 1)
    return Rescale(multiplier.astype(np.int32), moved.astype(np.int32), shift, top)
