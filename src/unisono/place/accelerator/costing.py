"""What an encoder costs on an array: step by step, and together."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

from unisono.place.accelerator.array import Array
from unisono.place.accelerator.bounds import Bounds, total
from unisono.place.accelerator.energy import (
    ARITHMETICS,
    BUFFER_PJ_A_BYTE,
    OUTSIDE_PJ_A_BYTE,
    Arithmetic,
)
from unisono.place.accelerator.memory import Memory, buffer_bytes, outside_bytes
from unisono.place.accelerator.steps import Product, Step

_MJ_A_PJ = 1e-9


@dataclass(frozen=True, slots=True)
class Energy:
    """Millijoules of arithmetic, of the buffer beside the array, and of memory outside."""

    arithmetic: Bounds
    buffer: Bounds
    outside: Bounds

    @property
    def all(self) -> Bounds:
        """Together."""
        return total((self.arithmetic, self.buffer, self.outside))


@dataclass(frozen=True, slots=True)
class StepCost:
    """Of one step.

    place:          of the encoder: "input", "layer 0", ..., "answer".
    step:           what is done.
    cycles:         that it keeps the array, or the row units, busy.
    utilisation:    multiplications over those that the array could have made; 0 of a row function.
    buffer_bytes:   between array and buffer.
    outside_bytes:  between buffer and memory outside.
    energy_mj:      of each part.
    """

    place: str
    step: Step
    cycles: Bounds
    utilisation: float
    buffer_bytes: float
    outside_bytes: Bounds
    energy_mj: Energy


@dataclass(frozen=True, slots=True)
class Cost:
    """Of a whole encoder, for one row; all of it modelled.

    steps:  in order.
    array:  that it runs on.
    memory: beside it.
    """

    steps: tuple[StepCost, ...] = field(repr=False)
    array: Array
    memory: Memory

    @property
    def multiplications(self) -> int:
        """Each with an addition."""
        return sum(one.step.multiplications for one in self.steps if isinstance(one.step, Product))

    @property
    def cycles(self) -> Bounds:
        """low: row units work while the array does; high: one after the other."""
        array = total(one.cycles for one in self.steps if isinstance(one.step, Product))
        rows = total(one.cycles for one in self.steps if not isinstance(one.step, Product))
        return Bounds(max(array.low, rows.low), array.high + rows.high)

    @property
    def seconds(self) -> Bounds:
        """low: bytes come from outside while there is work; high: one after the other."""
        work = self.cycles.times(1 / self.array.clock_hz)
        fetch = self.outside_bytes.times(1 / self.memory.bytes_a_second)
        return Bounds(max(work.low, fetch.low), work.high + fetch.high)

    @property
    def utilisation(self) -> Bounds:
        """Multiplications over those that the array could have made in all cycles."""
        could = self.array.rows * self.array.columns
        return Bounds(self.multiplications / self.cycles.high / could, self.multiplications / self.cycles.low / could)

    @property
    def buffer_bytes(self) -> float:
        """Between array and buffer."""
        return sum(one.buffer_bytes for one in self.steps)

    @property
    def outside_bytes(self) -> Bounds:
        """Between buffer and memory outside."""
        return total(one.outside_bytes for one in self.steps)

    @property
    def energy_mj(self) -> Energy:
        """Of each part."""
        parts = [one.energy_mj for one in self.steps]
        return Energy(
            total(one.arithmetic for one in parts),
            total(one.buffer for one in parts),
            total(one.outside for one in parts),
        )


class Described(Protocol):
    """Whatever says what it does: an `Encoder`, or a network as it was `Built`."""

    def steps(self) -> Iterator[tuple[str, Step]]:
        """The place of each step, and the step."""
        ...


def cost(
    encoder: Described,
    array: Array | None = None,
    arithmetic: Arithmetic = ARITHMETICS["integer"],
    memory: Memory | None = None,
) -> Cost:
    """What an encoder costs for one row.

    array, memory: None: the usual ones.

    >>> from unisono.place.accelerator import Encoder
    >>> found = cost(Encoder(layers=6, width=384, heads=12, inner=1536, tokens=128))
    >>> found.multiplications
    1434451968
    """
    place, kept = array or Array(), memory or Memory()
    made = (_step_cost(where, one, place, arithmetic, kept) for where, one in encoder.steps())
    return Cost(tuple(made), place, kept)


def _step_cost(where: str, step: Step, array: Array, arithmetic: Arithmetic, memory: Memory) -> StepCost:
    cycles = array.busy_cycles(step)
    inside = buffer_bytes(step, array, arithmetic.widths)
    outside = outside_bytes(step, array, memory, arithmetic.widths)
    energy = Energy(
        arithmetic.step_pj(step, array).times(_MJ_A_PJ),
        BUFFER_PJ_A_BYTE.times(inside * _MJ_A_PJ),
        Bounds(outside.low * OUTSIDE_PJ_A_BYTE.low, outside.high * OUTSIDE_PJ_A_BYTE.high).times(_MJ_A_PJ),
    )
    return StepCost(where, step, cycles, _utilisation(step, array, cycles), inside, outside, energy)


def _utilisation(step: Step, array: Array, cycles: Bounds) -> float:
    if not isinstance(step, Product):
        return 0.0
    return step.multiplications / (cycles.high * array.rows * array.columns)
