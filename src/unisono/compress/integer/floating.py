"""What an encoder computes, in float64: what its integer network is measured against.

Rows of several texts stand under each other; `bounds` says where each begins and the last one ends.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise
from math import sqrt

import numpy as np
import numpy.typing as npt
from scipy.special import erf

from unisono.compress.integer.encoder import Curve, Dense, Encoder, Floats, Head, Layer, Normal, Squares, Words
from unisono.kernel.integer.network import BYTE_TOP

Bounds = npt.NDArray[np.int64]


def dense(layer: Dense, given: Floats) -> Floats:
    """A linear layer."""
    found: Floats = given @ layer.weights + layer.bias
    return found


def normal(norm: Normal, given: Floats) -> Floats:
    """A layer normalisation."""
    centred = given - given.mean(axis=1, keepdims=True)
    spread = np.sqrt((centred**2).mean(axis=1, keepdims=True) + norm.epsilon)
    found: Floats = centred / spread * norm.gamma + norm.beta
    return found


def softmax(scores: Floats) -> Floats:
    """Of each row."""
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    found: Floats = powers / powers.sum(axis=1, keepdims=True)
    return found


def attended(query: Floats, key: Floats, value: Floats, heads: int, bounds: Bounds) -> Floats:
    """Attention, text by text and head by head."""
    found = np.empty_like(value)
    size = query.shape[1] // heads
    for begin, end in pairwise(bounds):
        for start in range(0, query.shape[1], size):
            part = (slice(begin, end), slice(start, start + size))
            found[part] = softmax(query[part] @ key[part].T / sqrt(size)) @ value[part]
    return found


CURVES: Mapping[Curve, Callable[[Floats], Floats]] = {
    "gelu": lambda x: x * (1 + erf(x / sqrt(2))) / 2,
    "relu": lambda x: np.maximum(x, 0),
    "tanh": np.tanh,
}


def pooled(given: Floats, kind: str, bounds: Bounds) -> Floats:
    """One row a text: its first, or the mean of all."""
    if kind == "first":
        return given[bounds[:-1]]
    found: Floats = np.add.reduceat(given, bounds[:-1], axis=0) / np.diff(bounds)[:, np.newaxis]
    return found


def added_by_attention(layer: Layer, given: Floats, bounds: Bounds) -> Floats:
    """What a layer's attention adds to the residual."""
    query, key, value = (dense(one, given) for one in (layer.query, layer.key, layer.value))
    return dense(layer.output, attended(query, key, value, layer.heads, bounds))


def added_by_feed(layer: Layer, given: Floats) -> Floats:
    """What a layer's two linear layers add to the residual."""
    return dense(layer.fall, CURVES[layer.curve](dense(layer.rise, given)))


def summed(stem: Words, ids: npt.NDArray[np.int64], bounds: Bounds) -> Floats:
    """Words and positions, before their normalisation."""
    places = np.arange(len(ids)) - np.repeat(bounds[:-1], np.diff(bounds))
    found: Floats = stem.words[ids] + stem.positions[places]
    return found


def joined(stem: Squares, patches: Floats, bounds: Bounds) -> Floats:
    """Patches, multiplied, with a row before those of each image, and positions. patches: numbers from 0 to 1."""
    rows = np.insert(dense(stem.dense, patches), bounds[:-1], stem.first, axis=0)
    found: Floats = rows + np.tile(stem.positions, (len(bounds) - 1, 1))
    return found


def answers(encoder: Encoder, given: npt.NDArray[np.int64], bounds: Bounds) -> Floats:
    """What an encoder says: one row a text or image. given: token ids, or rows of patches in 8 bits."""
    if isinstance(encoder.stem, Words):
        rows = normal(encoder.stem.norm, summed(encoder.stem, given, bounds))
    else:
        rows = joined(encoder.stem, given / BYTE_TOP, bounds)
        bounds = bounds + np.arange(len(bounds))
    for layer in encoder.layers:
        rows = _layered(layer, rows, bounds, comes_before=encoder.norms == "before")
    found = pooled(rows, encoder.pool, bounds)
    if encoder.final is not None:
        found = normal(encoder.final, found)
    return found if encoder.head is None else _headed(encoder.head, found)


def _layered(layer: Layer, rows: Floats, bounds: Bounds, *, comes_before: bool) -> Floats:
    if comes_before:
        rows = rows + added_by_attention(layer, normal(layer.attention_norm, rows), bounds)
        return rows + added_by_feed(layer, normal(layer.norm, rows))
    rows = normal(layer.attention_norm, rows + added_by_attention(layer, rows, bounds))
    return normal(layer.norm, rows + added_by_feed(layer, rows))


def _headed(head: Head, rows: Floats) -> Floats:
    return dense(head.scores, rows if head.inner is None else CURVES[head.curve](dense(head.inner, rows)))
