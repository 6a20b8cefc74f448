"""Products with weights."""

from __future__ import annotations

import numpy as np

from unisono.kernel.integer.network import KEY_ZERO, Attention, Int8s, Linear, Network, Scores
from unisono.models.integer.proving import INT32
from unisono.models.integer.site import Site

_MOST_SHIFT = 24  # that leaves 8 right bits of a number below 0


def linear(site: Site, one: Linear) -> None:
    """A product of 8 bits, rescaled. What is only read as keys or values is made without its zero point."""
    sums = _product(site, one.given, one.weights)
    if site.place in _keys(site.network) and _has_room(site, one):
        site.write(site.cast(site.rescaled(sums, one.rescale, less=KEY_ZERO), np.int8), np.int8)
    else:
        site.write(site.rescaled(sums, one.rescale), np.uint32)


def scores(site: Site, one: Scores) -> None:
    """A product of 8 bits, and a number for each column."""
    sums = _product(site, one.given, one.weights)
    site.write(site.emit("Add", sums, site.row(one.bias)), np.int32)


def _product(site: Site, given: int, weights: Int8s) -> str:
    return site.emit("MatMulInteger", site.read(given, np.uint8), site.emit.constant(weights))


def _keys(network: Network) -> set[int]:
    """Registers that attentions read as keys or values."""
    return {place for one in network.instructions if isinstance(one, Attention) for place in (one.key, one.value)}


def _has_room(site: Site, one: Linear) -> bool:
    shift, low = one.rescale.shift, site.proof.bound(site.place, "plus offset").low
    return shift <= _MOST_SHIFT and low - (KEY_ZERO << shift) >= INT32.low and _offset_fits(one)


def _offset_fits(one: Linear) -> bool:
    return int(one.rescale.offset.min()) - (KEY_ZERO << one.rescale.shift) >= INT32.low
