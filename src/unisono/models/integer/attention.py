"""Softmax attention in whole numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from unisono.kernel.integer.network import BYTE_TOP, INVERSE_BITS, KEY_ZERO, QUERY_ZERO, Attention
from unisono.models.integer.functions import weighted
from unisono.models.integer.linear import product
from unisono.models.integer.site import Site
from unisono.models.integer.trios import Trio

_SHIFT = INVERSE_BITS - 1
_BY_HEAD, _TURNED = (0, 2, 1, 3), (0, 2, 3, 1)


@dataclass(frozen=True, slots=True)
class _Heads:
    """What is read, head by head: rows x heads x tokens x columns of a head; keys are turned."""

    query: str
    key: str
    values: str


def attention(site: Site, one: Attention) -> None:
    """Products of 8 bits, head by head; values are weighted before they are divided by the sum of weights."""
    emit, trio = site.emit, site.trios.get(site.place)
    heads = _read(site, one) if trio is None else _made(site, one, trio)
    scores = emit("MatMulInteger", heads.query, heads.key, site.number(QUERY_ZERO, np.uint8))
    weights = weighted(site, scores, one.exponential)
    sums = emit("Mul", emit("MatMulInteger", weights, heads.values), _inverse(site, weights, site.ones(one.key)))
    half = site.number((1 << (_SHIFT - 1)) + (QUERY_ZERO << _SHIFT))
    mean = site.cast(site.shifted(emit("Add", sums, half), _SHIFT), np.uint8)
    joined = emit("Transpose", mean, perm=_BY_HEAD)
    site.write(emit("Reshape", joined, site.shape(0, 0, site.proof.instructions[site.place].register.width)), np.uint8)


def _read(site: Site, one: Attention) -> _Heads:
    """Of three registers."""
    return _Heads(
        query=_by_head(site, site.read(one.query, np.uint8), one.heads, _BY_HEAD),
        key=_by_head(site, site.read(one.key, np.int8, whole=True), one.heads, _TURNED),
        values=_by_head(site, site.read(one.value, np.int8, whole=True), one.heads, _BY_HEAD),
    )


def _made(site: Site, one: Attention, trio: Trio) -> _Heads:
    """Out of one product. Keys and values are clipped as queries are, and once more when they have 8 bits."""
    emit, shift = site.emit, trio.query.rescale.shift
    query, key, values = site.split(_by_head(site, _numbers(site, trio, shift), 3 * one.heads, _BY_HEAD), 3, axis=1)
    ends = (site.number(-KEY_ZERO, np.int8), site.number(KEY_ZERO, np.int8))
    return _Heads(
        query=emit("Add", site.cast(query, np.uint8), site.number(QUERY_ZERO, np.uint8)),
        key=emit("Transpose", emit("Clip", key, *ends), perm=(0, 1, 3, 2)),
        values=emit("Clip", values, *ends),
    )


def _numbers(site: Site, trio: Trio, shift: int) -> str:
    """Of all three, less their zero points, int8."""
    three = (trio.query, trio.key, trio.value)
    sums = product(site, trio.query.given, np.hstack([one.weights for one in three]))
    zeros = (QUERY_ZERO, KEY_ZERO, KEY_ZERO)
    offsets = [one.rescale.offset - (zero << shift) for one, zero in zip(three, zeros, strict=True)]
    moved = site.moved(sums, np.hstack([one.rescale.multiplier for one in three]), np.hstack(offsets))
    return site.cast(site.cut(moved, -QUERY_ZERO, BYTE_TOP - QUERY_ZERO, shift), np.int8)


def _by_head(site: Site, name: str, heads: int, order: tuple[int, ...]) -> str:
    return site.emit("Transpose", site.emit("Reshape", name, site.shape(0, 0, heads, -1)), perm=order)


def _inverse(site: Site, weights: str, ones: str) -> str:
    """1 / sum of each row; a product with ones is five times as fast as a sum."""
    emit = site.emit
    return emit("Div", site.number(1 << INVERSE_BITS), emit("MatMulInteger", weights, ones))
