"""What an integer network is: instructions, each of which makes one matrix of whole numbers.

Instruction i writes register i and reads registers before it; the last one is the answer. A register is a matrix with a
row for each token, and is never below 0: what can be negative is stored with a zero point, which is part of the
constants that come next. Weights have 7 bits, which no processor's 8-bit products saturate. All numbers fit int32, and
where it says so int64; `models.integer.proof` shows that of a given network before it is used.

`reference.py` says in plain Python what each instruction means; that file decides.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt

from unisono.kernel.integer.functions import Function

Int8s = npt.NDArray[np.int8]
Int32s = npt.NDArray[np.int32]

BYTE_TOP = 255
"""Largest number of a register of 8 bits."""

QUERY_ZERO = 128
"""What stands for 0 in queries, and in what an attention gives."""

KEY_TOP, KEY_ZERO = 126, 63
"""Keys and values have 7 bits: they stand on the right of a product, as weights do."""

WEIGHT_TOP = 63
"""Largest absolute value of a weight."""

INVERSE_BITS = 24
"""1 / sum of a row of attention is 2**INVERSE_BITS // sum."""

NORM_BITS = 29
"""1 / root of a row's squares is 2**NORM_BITS // root."""

NORM_SHIFT = 14
"""Bits that are dropped of a number over its root: 2**(NORM_BITS - NORM_SHIFT) stands for 1."""


@dataclass(frozen=True)
class Rescale:
    """Requantisation, column by column: clip(x * multiplier + offset, 0, ((top + 1) << shift) - 1) >> shift.

    multiplier, offset: int32, one a column; the offset holds the half that rounds, the bias and the zero point.
    top:                largest number that comes out.
    """

    multiplier: Int32s = field(repr=False)
    offset: Int32s = field(repr=False)
    shift: int
    top: int


@dataclass(frozen=True)
class Embedding:
    """words[id] * factors[id] + positions[place], which goes into a Norm; positions hold what keeps it above 0.

    words:     int8, vocabulary x width.
    factors:   int32, one a word.
    positions: int32, most tokens x width.
    """

    name: str
    words: Int8s = field(repr=False)
    factors: Int32s = field(repr=False)
    positions: Int32s = field(repr=False)


@dataclass(frozen=True)
class Patches:
    """What a network of images reads: numbers of 8 bits, patches x width."""

    name: str
    count: int
    width: int


@dataclass(frozen=True)
class Prepend:
    """A row before those of a register, then a number for each place: (row, given) + positions, clipped to 0 and top.

    row:       int32, width.
    positions: int32, (patches + 1) x width.
    """

    name: str
    given: int
    row: Int32s = field(repr=False)
    positions: Int32s = field(repr=False)
    top: int


@dataclass(frozen=True)
class Linear:
    """given @ weights, rescaled. weights: int8, inputs x outputs, from -WEIGHT_TOP to WEIGHT_TOP."""

    name: str
    given: int
    weights: Int8s = field(repr=False)
    rescale: Rescale


@dataclass(frozen=True)
class Scores:
    """given @ weights + bias, as it is: the answer of a classifier. bias: int32, one a column."""

    name: str
    given: int
    weights: Int8s = field(repr=False)
    bias: Int32s = field(repr=False)


@dataclass(frozen=True)
class Activation:
    """function.table()[given], number by number."""

    name: str
    given: int
    function: Function


@dataclass(frozen=True)
class Attention:
    """Softmax attention, head by head: with d = largest score of the row - score, weights are exponential(d), and

        (sum of weights * values) * (2**INVERSE_BITS // sum of weights) + half, shifted to 8 bits about QUERY_ZERO.

    Weights are divided by their sum after they were multiplied with values, so that 8 bits are enough for long rows.

    query, key, value: registers of the same width; scores are products of numbers less their zero points.
    exponential:       of d from 0 to the table's last place, which stands for everything beyond.
    """

    name: str
    query: int
    key: int
    value: int
    heads: int
    exponential: Function


@dataclass(frozen=True)
class Norm:
    """Layer normalisation: with y = given - mean, and root = isqrt(sum of y * y + epsilon) in int64,

    ((y * (2**NORM_BITS // root) + 2**NORM_BITS) >> NORM_SHIFT), rescaled; gamma and beta are in there.
    """

    name: str
    given: int
    epsilon: int
    rescale: Rescale


@dataclass(frozen=True)
class Add:
    """left + right - zero, clipped to 0 and top; top None: zero is 0, nothing is clipped, and it goes into a Norm."""

    name: str
    left: int
    right: int
    zero: int
    top: int | None


@dataclass(frozen=True)
class Requantise:
    """A register in other units."""

    name: str
    given: int
    rescale: Rescale


@dataclass(frozen=True)
class Pool:
    """One row: the first, or the mean of all, rounded to the nearest (halves up)."""

    name: str
    given: int
    kind: Literal["first", "mean"]


Instruction = Embedding | Patches | Prepend | Linear | Scores | Activation | Attention | Norm | Add | Requantise | Pool


@dataclass(frozen=True)
class Network:
    """An integer network.

    instructions: the first is an Embedding or Patches.
    zero:         of the answer: what stands for 0, in every column.
    scale:        what a step of the answer is worth, for whoever wants real numbers.
    """

    instructions: tuple[Instruction, ...]
    zero: int
    scale: float

    @property
    def most_tokens(self) -> int:
        """Tokens that it can read at once."""
        first = self.instructions[0]
        if isinstance(first, Embedding):
            return len(first.positions)
        assert isinstance(first, Patches)
        return first.count

    def arrays(self) -> Iterator[npt.NDArray[np.generic]]:
        """Every array of numbers that it is made of."""
        for one in self.instructions:
            for part in (one, getattr(one, "rescale", None)):
                values = vars(part).values() if part is not None else ()
                yield from (value for value in values if isinstance(value, np.ndarray))
