"""Products with weights."""

from __future__ import annotations

import numpy as np

from unisono.kernel.integer.network import KEY_ZERO, Attention, Int8s, Linear, Network, Scores
from unisono.models.integer.site import Site
from unisono.models.integer.trios import has_room


def linear(site: Site, one: Linear) -> None:
    """A product of 8 bits, rescaled. Keys and values are made without their zero point."""
    if site.is_in_trio():
        site.leave_out()  # the attention makes it
        return
    sums = product(site, one.given, one.weights)
    if site.place in _keys(site.network) and has_room(one, site.place, KEY_ZERO, site.proof):
        site.write(site.cast(site.rescaled(sums, one.rescale, less=KEY_ZERO), np.int8), np.int8)
    else:
        site.write(site.rescaled(sums, one.rescale), np.uint32)


def scores(site: Site, one: Scores) -> None:
    """A product of 8 bits, and a number for each column."""
    sums = product(site, one.given, one.weights)
    site.write(site.emit("Add", sums, site.row(one.bias)), np.int32)


def product(site: Site, given: int, weights: Int8s) -> str:
    """A register times weights, int32."""
    return site.emit("MatMulInteger", site.read(given, np.uint8), site.emit.constant(weights))


def _keys(network: Network) -> set[int]:
    """Registers that attentions read as keys or values."""
    return {place for one in network.instructions if isinstance(one, Attention) for place in (one.key, one.value)}
