"""Which queries, keys and values can come out of one product: a third of the operators, in longer rows."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from unisono.kernel.integer.network import BYTE_TOP, KEY_TOP, KEY_ZERO, QUERY_ZERO, Attention, Linear, Network
from unisono.kernel.integer.rows import first_only, read_by
from unisono.models.integer.proving import INT32, Proof

MOST_SHIFT = 23
"""That leaves 8 right bits of a number below 0, and 2**31 is no zero point yet."""


@dataclass(frozen=True, slots=True)
class Trio:
    """The products of an attention that read the same register, and are clipped and shifted alike.

    places: of the three.
    """

    query: Linear
    key: Linear
    value: Linear
    places: tuple[int, int, int]


def trios(network: Network, proof: Proof) -> dict[int, Trio]:
    """Attention's place -> its products, where they can be one: nobody else reads theirs, and every token's query is
    asked for."""
    reads = Counter(place for one in network.instructions for place in read_by(one))
    firsts = first_only(network)
    found: dict[int, Trio] = {}
    for place, one in enumerate(network.instructions):
        if isinstance(one, Attention) and one.query not in firsts:
            trio = _trio(network, one)
            if trio is not None and all(reads[each] == 1 for each in trio.places) and _fits(trio, proof):
                found[place] = trio
    return found


def _trio(network: Network, one: Attention) -> Trio | None:
    places = (one.query, one.key, one.value)
    query, key, value = (network.instructions[place] for place in places)
    if isinstance(query, Linear) and isinstance(key, Linear) and isinstance(value, Linear):
        return Trio(query, key, value, places)
    return None


def _fits(trio: Trio, proof: Proof) -> bool:
    three = (trio.query, trio.key, trio.value)
    is_alike = len({one.given for one in three}) == 1 and len({one.rescale.shift for one in three}) == 1
    is_usual = [one.rescale.top for one in three] == [BYTE_TOP, KEY_TOP, KEY_TOP]
    zeros = (QUERY_ZERO, KEY_ZERO, KEY_ZERO)
    rooms = (has_room(one, place, zero, proof) for one, place, zero in zip(three, trio.places, zeros, strict=True))
    return is_alike and is_usual and all(rooms)


def has_room(one: Linear, place: int, zero: int, proof: Proof) -> bool:
    """Whether a zero point can be taken off before the shift, in int32.

    place: of the instruction.
    """
    shift = one.rescale.shift
    low = min(proof.bound(place, "plus offset").low, int(one.rescale.offset.min()))
    return shift <= MOST_SHIFT and low - (zero << shift) >= INT32.low
