"""Small random networks of every instruction, whose numbers reach the bounds that a proof allows, and what to ask them.

`networks()` is a strategy of pairs of a network and what it is given; `grown(seed)` is one of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from hypothesis import strategies as st

from unisono.kernel.integer.functions import Function, Gelu, Polynomial, Table
from unisono.kernel.integer.network import (
    BYTE_TOP,
    KEY_TOP,
    NORM_BITS,
    NORM_SHIFT,
    WEIGHT_TOP,
    Activation,
    Add,
    Attention,
    Embedding,
    Instruction,
    Int8s,
    Linear,
    Network,
    Norm,
    Patches,
    Pool,
    Prepend,
    Requantise,
    Rescale,
    Scores,
)

Kind = Literal["text", "vision"]
Bounds = tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]

INT32_TOP = 2**31 - 1
RESIDUAL_TOP = 16383
NORM_TOP = 1 << (NORM_BITS - NORM_SHIFT + 1)
"""Of a number over its root, before it is rescaled."""


@dataclass(frozen=True)
class Asked:
    """A network and rows that it is given: token ids, or patches."""

    network: Network
    rows: tuple[Sequence[Any], ...]


def networks(kind: Kind | None = None) -> st.SearchStrategy[Asked]:
    """Networks of texts, of images, or of both kinds; the smaller the seed, the smaller."""
    kinds: st.SearchStrategy[Kind] = st.just(kind) if kind else st.sampled_from(("text", "vision"))
    return st.builds(grown, st.integers(0, 2**32 - 1), kinds)


def grown(seed: int, kind: Kind = "text", *, layers: int | None = None) -> Asked:
    """A random encoder, and rows of every length that it takes (of images: a few).

    layers: None for none, one or two.
    """
    chance = np.random.default_rng(seed)
    growing = _Growing(chance)
    network = growing.network(kind, int(chance.integers(0, 3)) if layers is None else layers)
    return Asked(network, tuple(_rows(chance, network)))


def _rows(chance: np.random.Generator, network: Network) -> list[Sequence[Any]]:
    first = network.instructions[0]
    if isinstance(first, Patches):
        drawn = [chance.integers(0, BYTE_TOP + 1, (first.count, first.width)) for _ in range(2)]
        corner = chance.choice([0, BYTE_TOP], (first.count, first.width))
        return [patches.tolist() for patches in (*drawn, corner)]
    assert isinstance(first, Embedding)
    lengths = range(1, network.most_tokens + 1)
    return [chance.integers(0, len(first.words), length).tolist() for length in lengths]


class _Growing:
    """Adds instructions one by one, and knows each register's width and largest number."""

    def __init__(self, chance: np.random.Generator) -> None:
        self._chance = chance
        self._made: list[Instruction] = []
        self._widths: list[int] = []
        self._tops: list[int] = []
        self._heads, self._size = self._small(1, 4), self._small(1, 12)

    def network(self, kind: Kind, layers: int) -> Network:
        width = self._heads * self._size
        self._stem(kind, width)
        for _ in range(layers):
            self._layer(width)
        if self._chance.random() < 0.7:
            pool: Literal["first", "mean"] = "first" if self._chance.random() < 0.5 else "mean"
            self._add(Pool(self._name("pool"), self._last, pool), self._widths[-1], self._tops[-1])
            if self._chance.random() < 0.3:
                self._linear(self._eight(self._last), width, BYTE_TOP)
                self._activation()
        self._end()
        return Network(tuple(self._made), self._small(0, BYTE_TOP), 0.25)

    def _stem(self, kind: Kind, width: int) -> None:
        if kind == "text":
            self._embedding(width, self._small(1, 12), self._small(1, 7))
            self._norm(RESIDUAL_TOP if self._chance.random() < 0.7 else BYTE_TOP)
            return
        count, inputs = self._small(1, 6), self._small(1, 20)
        self._add(Patches("patches", count, inputs), inputs, BYTE_TOP)
        self._linear(self._last, width, RESIDUAL_TOP)
        row = self._whole(0, RESIDUAL_TOP + 1, width)
        positions = self._whole(-RESIDUAL_TOP, RESIDUAL_TOP + 1, (count + 1, width))
        self._add(Prepend("class", self._last, row, positions, RESIDUAL_TOP), width, RESIDUAL_TOP)

    def _embedding(self, width: int, vocabulary: int, tokens: int) -> None:
        words = self._whole(-127, 128, (vocabulary, width), np.int8)
        factors = self._whole(0, 1 << self._small(1, 9), vocabulary)
        products = words.astype(np.int64) * factors[:, None]
        least, most = int(products.min()), int(products.max())
        positions = self._whole(-least, 1 << 16, (tokens, width))
        self._add(Embedding("embedding", words, factors, positions), width, most + int(positions.max()))

    def _layer(self, width: int) -> None:
        residual = self._last
        query = self._linear(self._eight(residual), width, BYTE_TOP)
        key, value = (self._linear(self._eight(residual), width, KEY_TOP) for _ in range(2))
        made = Attention(self._name("attention"), query, key, value, self._heads, self._exponential())
        self._add(made, width, BYTE_TOP)
        self._residual(residual, width)
        if self._chance.random() < 0.8:
            residual = self._last
            self._linear(self._eight(residual), self._small(1, 40), self._chance.choice([BYTE_TOP, 1023]))
            self._activation()
            self._residual(residual, width)

    def _residual(self, residual: int, width: int) -> None:
        self._linear(self._last, width, RESIDUAL_TOP)
        zero = self._small(0, RESIDUAL_TOP)
        if self._chance.random() < 0.5:
            self._add(Add(self._name("add"), residual, self._last, zero, RESIDUAL_TOP), width, RESIDUAL_TOP)
        else:
            top = self._tops[residual] + self._tops[self._last]
            self._add(Add(self._name("add"), residual, self._last, 0, None), width, top)
            self._norm(RESIDUAL_TOP)

    def _end(self) -> None:
        chosen = self._chance.random()
        if chosen < 0.6:
            given, classes = self._eight(self._last), self._small(1, 5)
            weights = self._weights(self._widths[given], classes)
            low, high = _sums(weights, self._tops[given])
            room = INT32_TOP - BYTE_TOP  # the answer less its zero fits int32, too
            bias = self._chance.integers(-room - low, room + 1 - high)
            self._add(Scores("classifier", given, weights, bias.astype(np.int32)), classes, INT32_TOP)
        elif chosen < 0.8:
            self._eight(self._last)

    def _eight(self, given: int) -> int:
        """A register in 8 bits."""
        if self._tops[given] <= BYTE_TOP and self._chance.random() < 0.8:
            return given
        bounds = (np.zeros(self._widths[given], np.int64), np.full(self._widths[given], self._tops[given]))
        self._add(
            Requantise(self._name("requantise"), given, self._rescale(bounds, BYTE_TOP)), self._widths[given], BYTE_TOP
        )
        return self._last

    def _linear(self, given: int, outputs: int, top: int) -> int:
        weights = self._weights(self._widths[given], outputs)
        rescale = self._rescale(_sums(weights, self._tops[given]), int(top))
        self._add(Linear(self._name("linear"), given, weights, rescale), outputs, int(top))
        return self._last

    def _norm(self, top: int) -> None:
        width = self._widths[-1]
        bounds = (np.zeros(width, np.int64), np.full(width, NORM_TOP))
        epsilon = int(self._chance.choice([1, 5, 1 << 20]))
        self._add(Norm(self._name("norm"), self._last, epsilon, self._rescale(bounds, top)), width, top)

    def _activation(self) -> None:
        given, top = self._last, self._tops[-1]
        table = self._whole(0, BYTE_TOP + 1, top + 1 + self._small(0, 3), np.uint8)
        function: Function = _gelu(top) if self._chance.random() < 0.5 else Table(table)
        self._add(Activation(self._name("activation"), given, function), self._widths[given], BYTE_TOP)

    def _exponential(self) -> Function:
        if self._chance.random() < 0.5:
            return _exponential(self._small(4, 10))
        falling = np.sort(self._whole(0, BYTE_TOP + 1, self._small(1, 300), np.uint8))[::-1].copy()
        falling[0] = max(int(falling[0]), 1)
        return Table(falling)

    def _weights(self, inputs: int, outputs: int) -> Int8s:
        drawn: Int8s = self._whole(-WEIGHT_TOP, WEIGHT_TOP + 1, (inputs, outputs), np.int8)
        return drawn

    def _rescale(self, bounds: Bounds, top: int) -> Rescale:
        """Columns that use the whole range, and columns of any numbers that int32 allows."""
        low, high = bounds
        most_shift = 31 - (top + 1).bit_length()
        shift = self._small(max(most_shift - 4, 0) if self._chance.random() < 0.8 else 0, most_shift)
        size = np.maximum(np.abs(low), np.abs(high)) + 1
        fitting = np.minimum(((top + 1) << shift) // (high - low + 1), INT32_TOP // (2 * size))
        most = INT32_TOP // size
        multiplier = np.where(self._chance.random(len(low)) < 0.7, fitting, self._chance.integers(-most, most + 1))
        ends = np.sort([low * multiplier, high * multiplier], axis=0)
        drawn = self._chance.integers(-(2**31) - ends[0], 2**31 - ends[1])
        half = (1 << shift) >> 1
        offset = np.where(self._chance.random(len(low)) < 0.7, np.minimum(half - ends[0], INT32_TOP - ends[1]), drawn)
        return Rescale(multiplier.astype(np.int32), np.clip(offset, -(2**31), INT32_TOP).astype(np.int32), shift, top)

    def _whole(self, low: int, high: int, shape: int | tuple[int, ...], kind: Any = np.int32) -> Any:
        """Whole numbers from `low` to below `high`, some of them as large or small as can be."""
        drawn = self._chance.integers(low, high, shape)
        corners = self._chance.choice([low, high - 1], shape)
        return np.where(self._chance.random(shape) < 0.25, corners, drawn).astype(kind)

    def _small(self, low: int, high: int) -> int:
        return int(self._chance.integers(low, high + 1))

    def _name(self, kind: str) -> str:
        return f"{kind} {len(self._made)}"

    @property
    def _last(self) -> int:
        return len(self._made) - 1

    def _add(self, made: Instruction, width: int, top: int) -> None:
        self._made.append(made)
        self._widths.append(width)
        self._tops.append(top)


def _sums(weights: Int8s, top: int) -> Bounds:
    """The least and most of each column's inner product."""
    wide = weights.astype(np.int64)
    return np.minimum(wide, 0).sum(axis=0) * top, np.maximum(wide, 0).sum(axis=0) * top


def _exponential(fraction: int) -> Polynomial:
    """I-BERT's exponential, with d in steps of ln2 / 2**fraction."""
    center = round(1.353 / np.log(2) * 2**fraction)
    rest = round(0.344 / 0.3585 / np.log(2) ** 2 * 4**fraction)
    return Polynomial(fraction, center, rest, (center**2 + rest).bit_length() - 8)


def _gelu(top: int) -> Gelu:
    """A curve like GELU's that uses its 8 bits."""
    zero, bend = top // 3, max(top // 4, 1)
    slope = bend * bend
    offset = 4 * bend**3 // 27 + 1
    shift = max((slope * (top - zero) + offset).bit_length() - 8, 0)
    return Gelu(zero, top, bend, slope, offset, shift)
