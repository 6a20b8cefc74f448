"""What a network reads: tokens or patches."""

from __future__ import annotations

import numpy as np

from unisono.kernel.integer.network import Embedding, Patches, Prepend
from unisono.models.integer.site import Site


def embedding(site: Site, one: Embedding) -> None:
    """Rows of tables. A token id or a place that is not in its table is refused by `Gather` when the graph is run."""
    emit, ids = site.emit, _not_below(site, len(one.words))
    words = site.cast(emit("Gather", emit.constant(one.words), ids), np.int32)
    factors = emit("Gather", emit.constant(one.factors.reshape(-1, 1)), ids)
    tokens = emit("Squeeze", site.sides(site.given, 1))
    places = emit("Range", site.number(0, np.int64), tokens, site.number(1, np.int64))
    positions = emit("Gather", emit.constant(one.positions), places)
    site.write(emit("Add", emit("Mul", words, factors), positions), np.int32)


def _not_below(site: Site, vocabulary: int) -> str:
    """Ids below 0 would count from the end."""
    emit = site.emit
    is_below = emit("Less", site.given, site.number(0, np.int64))
    return emit("Where", is_below, site.number(vocabulary, np.int64), site.given)


def patches(site: Site, one: Patches) -> None:
    """They are given."""
    site.write(site.given, np.uint8)


def prepend(site: Site, one: Prepend) -> None:
    """A row before the others, then a number for each place."""
    emit, given = site.emit, site.read(one.given)
    sides = emit("Concat", site.sides(given, 0), site.shape(1, len(one.row)), axis=0)
    whole = emit("Concat", emit("Expand", emit.constant(one.row), sides), given, axis=1)
    moved = emit("Add", whole, emit.constant(one.positions))
    site.write(emit("Clip", moved, site.number(0), site.number(one.top)), np.int32)
