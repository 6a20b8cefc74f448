"""Who reads what, and which rows of it: what comes before a Pool of the first row needs no others."""

from __future__ import annotations

from unisono.kernel.integer.network import Attention, Embedding, Instruction, Network, Patches, Pool, Prepend

_READS = ("given", "left", "right", "query", "key", "value")


def read_by(one: Instruction) -> tuple[int, ...]:
    """The registers that an instruction reads."""
    return tuple(getattr(one, name) for name in _READS if hasattr(one, name))


def first_only(network: Network) -> frozenset[int]:
    """Places of instructions of whose register only the first row is read, and which make it of the first rows of what
    they are given. In a classifier by its first token that is most of the last layer: a seventh of MiniLM-L6.
    """
    whole = {len(network.instructions) - 1}
    found: set[int] = set()
    for place in reversed(range(len(network.instructions))):
        one = network.instructions[place]
        if place not in whole and not isinstance(one, Embedding | Patches | Prepend | Pool):
            found.add(place)
        whole.update(_whole(one, is_first=place in found))
    return frozenset(found)


def _whole(one: Instruction, *, is_first: bool) -> tuple[int, ...]:
    """Registers that an instruction reads every row of.

    is_first: whether it makes the first row only.
    """
    if isinstance(one, Pool):
        return () if one.kind == "first" else (one.given,)
    if not is_first:
        return read_by(one)
    return (one.key, one.value) if isinstance(one, Attention) else ()
