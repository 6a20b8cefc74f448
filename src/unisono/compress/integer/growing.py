"""An integer network that grows, instruction by instruction, by what calibration rows make of each.

Beside each register goes what the encoder itself has there, in floats. A product is rounded for the inputs that it will
really be given, and its bias takes up what is left of the mean error (Nagel et al. 2019, section 4.2).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import floor, log2, sqrt

import numpy as np

from unisono.compress.integer.encoder import Dense, Floats, Normal
from unisono.compress.integer.matrices import Whole, carried_out
from unisono.compress.integer.rounding import INT32_TOP, Inputs, cannot_scale, rounded
from unisono.compress.integer.scales import Units
from unisono.kernel.integer.network import NORM_BITS, NORM_SHIFT, Instruction, Linear, Norm, Requantise, Rescale

_ONE = 1 << (NORM_BITS - NORM_SHIFT)
_NORM_TOP = 2 * _ONE


@dataclass(frozen=True)
class Value:
    """A register.

    place:   in the network.
    units:   of its codes.
    numbers: that the encoder has there.
    """

    place: int
    units: Units
    numbers: Floats = field(repr=False)

    @property
    def width(self) -> int:
        """Its columns."""
        return int(self.numbers.shape[1])


class Growing:
    """The network as far as it is made, and its registers for the calibration rows."""

    def __init__(self, given: Whole, bounds: Whole) -> None:
        self._given, self.bounds = given, bounds
        self.instructions: list[Instruction] = []
        self._registers: dict[int, Whole] = {}
        self._inputs: tuple[int, Inputs] | None = None
        self.errors: dict[str, float] = {}

    def add(self, one: Instruction, units: Units, numbers: Floats) -> Value:
        """A new register."""
        place = len(self.instructions)
        self._registers[place] = carried_out(one, self._registers, self._given, self.bounds)
        self.instructions.append(one)
        return Value(place, units, numbers)

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

    def linear(self, name: str, given: Value, dense: Dense, units: Units, numbers: Floats) -> Value:
        """A product."""
        wide = dense.weights * given.units.scale[:, np.newaxis]
        made = Linear(name, given.place, *rounded(name, wide, dense.bias, self.inputs(given), units))
        return self.add(self._corrected(made, units, numbers), units, numbers)

    def _corrected(self, made: Linear, units: Units, numbers: Floats) -> Linear:
        """Without what it is off in the mean, where it is not cut off."""
        codes = carried_out(made, self._registers, self._given, self.bounds)
        wanted = np.clip(numbers / units.scale + units.zero, 0, units.top)
        inside = (codes > 0) & (codes < units.top)
        missing = ((wanted - codes) * inside).sum(axis=0) / np.maximum(inside.sum(axis=0), 1)
        moved = made.rescale.offset + np.rint(missing * 2.0**made.rescale.shift)
        return replace(made, rescale=replace(made.rescale, offset=moved.astype(np.int32)))

    def norm(self, name: str, given: Value, norm: Normal, units: Units, numbers: Floats) -> Value:
        """A layer normalisation; gamma and beta are in its rescaling."""
        width = given.width
        epsilon = max(1, round(width * norm.epsilon / float(given.units.scale[0]) ** 2))
        factor = norm.gamma * sqrt(width) / _ONE / units.scale
        offset = norm.beta / units.scale + units.zero - factor * _ONE
        made = Norm(name, given.place, epsilon, rescale_of(name, factor, offset, _NORM_TOP, units.top))
        return self.add(made, units, numbers)

    def requantised(self, name: str, given: Value, units: Units) -> Value:
        """A register in other units."""
        factor = given.units.scale / units.scale
        offset = units.zero - factor * given.units.zero
        made = Requantise(name, given.place, rescale_of(name, factor, offset, given.units.top, units.top))
        return self.add(made, units, given.numbers)


def rescale_of(name: str, factor: Floats, offset: Floats, given_top: int, top: int) -> Rescale:
    """x * factor + offset in whole numbers, rounded, for x from 0 to `given_top`. Raises ModelError if none does."""
    reach = float((np.abs(factor) * given_top + np.abs(offset)).max()) + 1
    shift = min(floor(log2(INT32_TOP / reach)), 30 - (top + 1).bit_length())
    if shift < 0:
        raise cannot_scale(name)
    multiplier = np.rint(factor * 2.0**shift)
    moved = np.rint(offset * 2.0**shift) + ((1 << shift) >> 1)
    return Rescale(multiplier.astype(np.int32), moved.astype(np.int32), shift, top)
