"""What a proof writes down: every intermediate number of an instruction, from where to where it goes, and what fits."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from unisono.kernel.integer.network import BYTE_TOP, INVERSE_BITS, KEY_TOP, WEIGHT_TOP, Instruction, Network
from unisono.models.integer.ranges import Range
from unisono.spec.errors import ModelError

INT32_LEAST, INT32_MOST = -(2**31), 2**31 - 1


@dataclass(frozen=True, slots=True)
class Limit:
    """What a number has to stay within.

    name: for people.
    step: what to do about a number that does not.
    """

    name: str
    low: int
    high: int
    step: str


INT32 = Limit("int32", INT32_LEAST, INT32_MOST, "give it smaller multipliers or a coarser scale")
REGISTER = Limit("a register", 0, INT32_MOST, "give it a larger zero point")
BYTE = Limit("8 bits", 0, BYTE_TOP, "requantise it to 8 bits first")
KEY = Limit("keys and values", 0, KEY_TOP, "rescale it to 7 bits")
WEIGHT = Limit("weights", -WEIGHT_TOP, WEIGHT_TOP, "round the weights to 7 bits")
SQUARES = Limit("int64 below 2**62", 0, 2**62 - 1, "give it a coarser scale")
PAIR = Limit("int16", -(2**15), 2**15 - 1, "give weights 7 bits: processors without VNNI add two products in 16 bits")
SHIFT = Limit("a shift of 32 bits", 0, 31, "give it a smaller shift")
POSITIVE = Limit("int32, from 0", 0, INT32_MOST, "give it an offset that keeps it above 0, or smaller numbers")
VALUE = Limit("8 bits", 0, BYTE_TOP, "give the function a larger shift")
FRACTION = Limit("a fraction", 0, 20, "give it fewer bits")
EPSILON = Limit("epsilon", 1, INT32_MOST, "give it at least 1, or nothing stands below the fraction")
TOTAL = Limit("a sum of weights", 1, 1 << INVERSE_BITS, "read fewer tokens, and give the largest score a weight")


@dataclass(frozen=True, slots=True)
class Bound:
    """An intermediate number of an instruction.

    what:      it is, in words.
    low, high: from where to where it goes, whatever the network is given.
    limit:     what it stays within.
    """

    what: str
    low: int
    high: int
    limit: Limit

    @property
    def used(self) -> float:
        """The share of what fits that is used."""
        return max(self.high / max(self.limit.high, 1), self.low / min(self.limit.low, -1))


@dataclass(frozen=True, slots=True)
class Proven:
    """What is known of an instruction.

    register: from where to where each column of what it writes goes.
    rows:     how many it writes at most.
    bounds:   of all that it computes, the register last.
    """

    name: str
    kind: str
    register: Range = field(repr=False)
    rows: int
    bounds: tuple[Bound, ...] = field(repr=False)


Line = tuple[str, str, int, int, str, str]


@dataclass(frozen=True, slots=True)
class Proof:
    """That every number of a network fits its type, instruction by instruction."""

    instructions: tuple[Proven, ...]

    def bound(self, place: int, what: str) -> Bound:
        """An intermediate number of one instruction."""
        return next(one for one in self.instructions[place].bounds if one.what == what)

    def lines(self) -> Iterator[Line]:
        """A line a number: instruction, number, least, most, what it fits, and the share of that which is used."""
        for one in self.instructions:
            for bound in one.bounds:
                yield one.name, bound.what, bound.low, bound.high, bound.limit.name, f"{bound.used:.1%}"


class Proving:
    """A proof that is being written: the instruction that it is at, and those that are done."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.done: list[Proven] = []
        self._bounds: list[Bound] = []

    @property
    def _at(self) -> Instruction:
        return self.network.instructions[len(self.done)]

    def given(self, place: int) -> Range:
        """A register that the instruction reads. Raises ModelError if there is none."""
        return self._read(place).register

    def rows(self, place: int) -> int:
        """How many rows it has at most."""
        return self._read(place).rows

    def _read(self, place: int) -> Proven:
        if not 0 <= place < len(self.done):
            raise self.refused(f"it reads register {place}", f"0 to {len(self.done) - 1}, those before it", "reorder")
        return self.done[place]

    def within(self, what: str, found: Range | tuple[int, int], limit: Limit = INT32) -> None:
        """Write down a number. Raises ModelError if it does not fit."""
        low, high = (found.least, found.most) if isinstance(found, Range) else found
        if low < limit.low or high > limit.high:
            allowed = f"{limit.low} to {limit.high} ({limit.name})"
            raise self.refused(f"{what} can be {low} to {high}", allowed, limit.step)
        self._bounds.append(Bound(what, low, high, limit))

    def same(self, what: str, seen: object, wanted: object) -> None:
        """Raises ModelError if two sizes differ."""
        if seen != wanted:
            raise self.refused(f"{what} {seen}", str(wanted), "make its arrays fit each other")

    def finish(self, register: Range, rows: int, limit: Limit) -> None:
        """The instruction writes this."""
        self.within("register", register, limit)
        self.done.append(Proven(self._at.name, type(self._at).__name__, register, rows, tuple(self._bounds)))
        self._bounds = []

    def refused(self, seen: str, allowed: str, step: str) -> ModelError:
        """An error about the instruction that the proof is at."""
        kind, name = type(self._at).__name__, self._at.name
        return ModelError(f'{kind} "{name}": {seen}; allowed: {allowed}; {step}')
