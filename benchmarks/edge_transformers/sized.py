"""Integer encoders of given sizes with random weights: for figures that do not depend on what a model has learned."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from unisono.kernel.integer.functions import Gelu, Polynomial
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
    Linear,
    Network,
    Norm,
    Pool,
    Requantise,
    Rescale,
    Scores,
)

_RESIDUAL_TOP, _RESIDUAL_ZERO = 16383, 8192
_WIDE_TOP = 1023
_EXPONENTIAL = Polynomial(fraction=9, center=1000, rest=350_000, down=13)
_GELU = Gelu(zero=400, top=_WIDE_TOP, bend=300, slope=90_000, offset=4_100_000, shift=18)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """Of an encoder; MiniLM-L6's as they stand."""

    layers: int = 6
    width: int = 384
    heads: int = 12
    inner: int = 1536
    vocabulary: int = 30_522
    tokens: int = 512
    classes: int = 2


def encoder(sizes: Sizes, seed: int = 0) -> Network:
    """An encoder with normalisation after each part, as BERT has it, pooled by its first token."""
    return _Growing(sizes, np.random.default_rng(seed)).network()


class _Growing:
    def __init__(self, sizes: Sizes, chance: np.random.Generator) -> None:
        self._sizes = sizes
        self._chance = chance
        self._made: list[Instruction] = []

    def network(self) -> Network:
        self._embedding()
        for layer in range(self._sizes.layers):
            self._layer(f"layer {layer}: ")
        self._made.append(Pool("pool", self._last, "first"))
        weights = self._weights(self._sizes.width, self._sizes.classes)
        pooled = self._eight("pooled in 8 bits", self._last)
        self._made.append(Scores("classifier", pooled, weights, np.zeros(self._sizes.classes, np.int32)))
        return Network(tuple(self._made), 0, 2.0**-12)

    def _embedding(self) -> None:
        sizes = self._sizes
        words = self._chance.integers(-127, 128, (sizes.vocabulary, sizes.width)).astype(np.int8)
        factors = self._chance.integers(16, 64, sizes.vocabulary).astype(np.int32)
        positions = self._chance.integers(8192, 12_000, (sizes.tokens, sizes.width)).astype(np.int32)
        self._made.append(Embedding("embedding", words, factors, positions))
        self._norm("embedding norm")

    def _layer(self, name: str) -> None:
        sizes, residual = self._sizes, self._last
        given = self._eight(f"{name}attention given", residual)
        query = self._linear(f"{name}query", given, sizes.width, BYTE_TOP)
        key = self._linear(f"{name}key", given, sizes.width, KEY_TOP)
        values = self._linear(f"{name}value", given, sizes.width, KEY_TOP)
        self._made.append(Attention(f"{name}attention", query, key, values, sizes.heads, _EXPONENTIAL))
        self._joined(f"{name}attention", residual)
        residual = self._last
        self._linear(f"{name}inner", self._eight(f"{name}inner given", residual), sizes.inner, _WIDE_TOP)
        self._made.append(Activation(f"{name}gelu", self._last, _GELU))
        self._joined(f"{name}inner", residual)

    def _joined(self, name: str, residual: int) -> None:
        self._linear(f"{name} output", self._last, self._sizes.width, _RESIDUAL_TOP)
        self._made.append(Add(f"{name} sum", residual, self._last, 0, None))
        self._norm(f"{name} norm")

    def _linear(self, name: str, given: int, outputs: int, top: int) -> int:
        """Sums of random weights are a normal distribution, of which four deviations come out."""
        is_wide = isinstance(self._made[given], Activation)
        inputs = self._sizes.inner if is_wide else self._sizes.width
        most = 2**30 // (inputs * BYTE_TOP * WEIGHT_TOP)
        multiplier = self._chance.integers(most // 2, most, outputs).astype(np.int32)
        weights = self._weights(inputs, outputs)
        reach = 4 * 40 * 100 * int(np.sqrt(inputs)) * most
        shift = max((2 * reach // (max(top, BYTE_TOP) + 1)).bit_length() - 1, 0)  # one for queries, keys and values
        centre = ((top + 1) << shift) // 2
        offset = np.full(outputs, centre, np.int32) - 128 * multiplier * weights.sum(axis=0, dtype=np.int32)
        self._made.append(Linear(name, given, weights, Rescale(multiplier, offset, shift, top)))
        return self._last

    def _norm(self, name: str) -> None:
        multiplier = self._chance.integers(10_000, 20_000, self._sizes.width).astype(np.int32)
        offset = (_RESIDUAL_ZERO << 13) - (multiplier << (NORM_BITS - NORM_SHIFT))
        rescale = Rescale(multiplier, offset.astype(np.int32), 13, _RESIDUAL_TOP)
        self._made.append(Norm(name, self._last, 1, rescale))

    def _eight(self, name: str, given: int) -> int:
        multiplier = self._chance.integers(200, 256, self._sizes.width).astype(np.int32)
        offset = np.full(self._sizes.width, (128 << 14) - 228 * _RESIDUAL_ZERO, np.int32)
        self._made.append(Requantise(name, given, Rescale(multiplier, offset, 14, BYTE_TOP)))
        return self._last

    def _weights(self, inputs: int, outputs: int) -> np.ndarray:
        return self._chance.integers(-WEIGHT_TOP, WEIGHT_TOP + 1, (inputs, outputs)).astype(np.int8)

    @property
    def _last(self) -> int:
        return len(self._made) - 1
