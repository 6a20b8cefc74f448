"""I-ViT's functions (Li and Gu 2023, arXiv 2207.01405, section 3) in whole numbers of any size: shifts and additions.

A whole number q stands for q * scale.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from unisono.kernel.integer.units import ibert

SOFTMAX_OCTAVES = 15
"""Halvings after which an exponential of a softmax stays where it is; its authors choose it by the model."""

GELU_OCTAVES = 23
"""The same in a GELU. An exponential of 0 is 2**octaves / scale: shares are wrong where it comes near 2**31."""

SIGMOID_SLOPE = 1.702
"""GELU is about x * sigmoid(1.702 * x)."""

ROOT_STEPS = 10
"""Steps of Newton's method, however far it has come."""

_TOP = (1 << 31) - 1

requantise = ibert.requantise
"""As I-BERT has it."""

norm_scale = ibert.norm_scale
"""As I-BERT has it."""


def octave(scale: float) -> int:
    """What a halving takes: 1 in steps of `scale`, rounded up."""
    return -math.floor(-1.0 / scale)


def exponential(number: int, one: int, octaves: int = SOFTMAX_OCTAVES) -> int:
    """exp of a number that is not above 0, as a power of 2 whose fraction is a line.

    A step of it is worth scale / 2**octaves.

    one: as `octave` gives it.

    >>> round(exponential(-100, octave(0.01)) * 0.01 / 2**15, 4)
    0.3925
    """
    kept = max(number + (number >> 1) - (number >> 4), -octaves * one)
    halvings = -kept // one
    rest = kept + halvings * one
    return max((rest + 2 * one << (octaves - halvings)) >> 1, 0)


def softmax(row: Sequence[int], scale: float, bits: int = 8) -> list[int]:
    """Shiftmax: shares of a row; a step is worth 2**(1 - bits).

    >>> softmax([5, 5, -900], 0.05)
    [63, 63, 0]
    """
    most, one = max(row), octave(scale)
    found = [exponential(number - most, one) for number in row]
    total = sum(found)
    return [_share(value, total, bits) for value in found]


def gelu(row: Sequence[int], scale: float, bits: int = 8, octaves: int = GELU_OCTAVES) -> list[int]:
    """ShiftGELU: x * sigmoid(1.702 * x), over a row, whose maximum it needs; a step is worth scale * 2**(1 - bits).

    octaves: fewer for finer scales.
    """
    most, one = max(row), octave(SIGMOID_SLOPE * scale)
    least = exponential(-most, one, octaves)
    found = [exponential(number - most, one, octaves) for number in row]
    return [number * _share(value, value + least, bits) for number, value in zip(row, found, strict=True)]


def square_root(number: int) -> int:
    """The root of a number that is not below 0, as far as ten steps of Newton's method come.

    >>> square_root(1 << 30), square_root(100)
    (32768, 64)
    """
    guess = 1 << 16
    for _ in range(ROOT_STEPS):
        guess = (guess + number // guess) // 2
    return guess


def layer_norm(row: Sequence[int], biases: Sequence[int]) -> list[int]:
    """I-LayerNorm: as `ibert.layer_norm`, but for the root and for a factor that is one less where it divides."""
    mean = ibert.rounded(sum(row), len(row))
    centred = [number - mean for number in row]
    factor = _TOP // square_root(sum(number**2 for number in centred))
    return [(number * factor >> 1) + bias for number, bias in zip(centred, biases, strict=True)]


def _share(value: int, total: int, bits: int) -> int:
    return value * (_TOP // min(total, _TOP)) >> (32 - bits)
