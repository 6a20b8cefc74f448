"""Softmax attention in whole numbers."""

from __future__ import annotations

import numpy as np

from unisono.kernel.integer.network import INVERSE_BITS, QUERY_ZERO, Attention
from unisono.models.integer.functions import weighted
from unisono.models.integer.site import Site

_SHIFT = INVERSE_BITS - 1
_BY_HEAD, _TURNED = (0, 2, 1, 3), (0, 2, 3, 1)


def attention(site: Site, one: Attention) -> None:
    """Products of 8 bits, head by head; values are weighted before they are divided by the sum of weights."""
    emit = site.emit
    query = _heads(site, site.read(one.query, np.uint8), one.heads, _BY_HEAD)
    key = _heads(site, site.read(one.key, np.int8, whole=True), one.heads, _TURNED)
    values = _heads(site, site.read(one.value, np.int8, whole=True), one.heads, _BY_HEAD)
    scores = emit("MatMulInteger", query, key, site.number(QUERY_ZERO, np.uint8))
    weights = weighted(site, scores, one.exponential)
    sums = emit("Mul", emit("MatMulInteger", weights, values), _inverse(site, weights, site.ones(one.key)))
    half = site.number((1 << (_SHIFT - 1)) + (QUERY_ZERO << _SHIFT))
    mean = site.cast(site.shifted(emit("Add", sums, half), _SHIFT), np.uint8)
    joined = emit("Transpose", mean, perm=_BY_HEAD)
    site.write(emit("Reshape", joined, site.shape(0, 0, site.proof.instructions[site.place].register.width)), np.uint8)


def _heads(site: Site, name: str, heads: int, order: tuple[int, ...]) -> str:
    return site.emit("Transpose", site.emit("Reshape", name, site.shape(0, 0, heads, -1)), perm=order)


def _inverse(site: Site, weights: str, ones: str) -> str:
    """1 / sum of each row; a product with ones is five times as fast as a sum."""
    emit = site.emit
    return emit("Div", site.number(1 << INVERSE_BITS), emit("MatMulInteger", weights, ones))
