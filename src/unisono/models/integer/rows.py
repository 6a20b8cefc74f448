"""Which rows of registers somebody reads: what comes before a Pool of the first row needs no others."""

from __future__ import annotations

from collections.abc import Iterator

from unisono.kernel.integer.network import Add, Attention, Embedding, Instruction, Network, Patches, Pool, Prepend


def first_only(network: Network) -> frozenset[int]:
    """Places of instructions of whose register only the first row is read, and which make it of the first rows of what
    they are given. In a classifier by its first token that is most of the last layer: a seventh of MiniLM-L6."""
    whole = {len(network.instructions) - 1}
    found: set[int] = set()
    for place in reversed(range(len(network.instructions))):
        one = network.instructions[place]
        if place not in whole and not isinstance(one, Embedding | Patches | Prepend | Pool):
            found.add(place)
        whole.update(_whole(one, is_first=place in found))
    return frozenset(found)


def _whole(one: Instruction, *, is_first: bool) -> Iterator[int]:
    """Registers that an instruction reads every row of.

    is_first: whether it makes the first row only.
    """
    if isinstance(one, Attention):
        yield from (one.key, one.value, *(() if is_first else (one.query,)))
    elif isinstance(one, Pool):
        yield from () if one.kind == "first" else (one.given,)
    elif isinstance(one, Add):
        yield from () if is_first else (one.left, one.right)
    elif not isinstance(one, Embedding | Patches) and not is_first:
        yield one.given
