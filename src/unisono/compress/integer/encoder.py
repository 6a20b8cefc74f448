"""An encoder as plain matrices of float64: what a transformer of torch says it is, whoever wrote it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Curve = Literal["gelu", "relu", "tanh"]


@dataclass(frozen=True)
class Dense:
    """given @ weights + bias. weights: inputs x outputs."""

    weights: Floats = field(repr=False)
    bias: Floats = field(repr=False)


@dataclass(frozen=True)
class Normal:
    """Layer normalisation: (given - mean) / sqrt(variance + epsilon) * gamma + beta."""

    gamma: Floats = field(repr=False)
    beta: Floats = field(repr=False)
    epsilon: float


@dataclass(frozen=True)
class Layer:
    """Attention, then two linear layers; a layer normalisation and a residual about each.

    rise, fall: the two linear layers, with `curve` between them.
    """

    query: Dense
    key: Dense
    value: Dense
    output: Dense
    heads: int
    attention_norm: Normal
    rise: Dense
    curve: Curve
    fall: Dense
    norm: Normal


@dataclass(frozen=True)
class Words:
    """What a text begins with: norm(words[id] + positions[place]); positions hold the kind of the token."""

    words: Floats = field(repr=False)
    positions: Floats = field(repr=False)
    norm: Normal


@dataclass(frozen=True)
class Squares:
    """What an image begins with: a row, then a product of each patch, and a number for each place.

    shape:     of an image: channels, height, width; its numbers are 0 to 1.
    side:      of a patch, in pixels.
    dense:     of a patch's numbers, in the order channel, row, column.
    first:     the row before those of the patches.
    positions: (patches + 1) x width.
    """

    shape: tuple[int, int, int]
    side: int
    dense: Dense
    first: Floats = field(repr=False)
    positions: Floats = field(repr=False)

    @property
    def count(self) -> int:
        """Patches of an image."""
        return (self.shape[1] // self.side) * (self.shape[2] // self.side)


@dataclass(frozen=True)
class Head:
    """What is made of the pooled row: `inner` with `curve`, if there is one, then a score a class.

    inner: None: there is none.
    """

    inner: Dense | None
    curve: Curve
    scores: Dense


@dataclass(frozen=True)
class Encoder:
    """An encoder.

    norms: "after": each residual goes through its normalisation (BERT); "before": what is added to it does (ViT).
    final: normalisation after the last layer, where norms come before.
    pool:  which row is the answer's, or the mean of all.
    head:  None: the pooled row is the answer.
    """

    stem: Words | Squares
    layers: tuple[Layer, ...]
    norms: Literal["after", "before"]
    final: Normal | None
    pool: Literal["first", "mean"]
    head: Head | None
