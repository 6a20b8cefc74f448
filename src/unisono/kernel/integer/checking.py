"""Whether a network is one that can be run: its registers, shapes and sizes, instruction by instruction.

What passes can be run on anything of the right length without leaving its memory. Whether it is the network that one
wants, and whether an onnxruntime can run it in 32 bits, is for `models.integer.proof`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from unisono.kernel.integer.form import ROWS_EXTRA, ROWS_ONE, ROWS_TOKENS
from unisono.kernel.integer.network import (
    BYTE_TOP,
    KEY_TOP,
    WEIGHT_TOP,
    Activation,
    Add,
    Attention,
    Embedding,
    Instruction,
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
from unisono.spec.errors import UnisonoError

MOST = 1 << 16
"""Columns, tokens, or inputs of a product: so sums of products of bytes fit 32 bits, and sums of weights 24."""

MOST_WORDS = 1 << 24
_WORDS_AT_ONCE = 1024
INT32_TOP = 2**31 - 1
MOST_SQUARES = 1 << 62
"""Of what a norm adds up."""


class NetworkError(UnisonoError):
    """A network that cannot be run; the message names the instruction."""


@dataclass(frozen=True)
class Register:
    """What is known of a register before anything is asked.

    rows: ROWS_TOKENS, ROWS_EXTRA or ROWS_ONE.
    top:  its largest number; None of scores, which can be below 0 and are read by nothing.
    """

    width: int
    rows: int
    top: int | None


def registers_of(network: Network) -> list[Register]:
    """The registers of a network; raises NetworkError if it cannot be run."""
    made: list[Register] = []
    if abs(network.zero) > INT32_TOP or not 0 < network.scale < float("inf"):
        raise NetworkError(f"zero {network.zero}, scale {network.scale}; allowed: int32, a number above 0")
    if not network.instructions:
        raise NetworkError("a network of no instructions; it needs an Embedding or Patches first")
    for one in network.instructions:
        if isinstance(one, Embedding | Patches) != (not made):
            _refuse(one, "is in the wrong place; an Embedding or Patches comes first, and nowhere else")
        made.append(_RULES[type(one)](one, made))
        if isinstance(one, Prepend):
            _check_places(one, network.instructions[0])
    return made


def _check_places(one: Prepend, first: Instruction) -> None:
    rows = first.count + 1 if isinstance(first, Patches) else None
    _need(one, len(one.positions) == rows, f"{len(one.positions)} positions; allowed: one more than there are patches")


def _refuse(one: Any, why: str) -> None:
    raise NetworkError(f"{type(one).__name__} {one.name!r}: {why}")


def _need(one: Any, is_met: bool, why: str) -> None:
    if not is_met:
        _refuse(one, why)


def _read(one: Any, made: Sequence[Register], place: int, what: str, *, top: int = INT32_TOP) -> Register:
    """A register that an instruction reads."""
    _need(one, 0 <= place < len(made), f"{what} is register {place}; there are {len(made)} before it")
    register = made[place]
    if register.top is None or register.top > top:
        _refuse(one, f"{what} has numbers to {'any size' if register.top is None else register.top}; allowed: {top}")
    return register


def _array(one: Any, array: npt.NDArray[Any], what: str, kind: Any, *shape: int) -> None:
    seen = (array.dtype, array.shape)
    _need(
        one,
        seen == (np.dtype(kind), shape),
        f"{what} are {seen[0]} {list(seen[1])}, not {np.dtype(kind)} {list(shape)}",
    )


def _sizes(one: Any, **sizes: int) -> None:
    for what, size in sizes.items():
        _need(one, 1 <= size <= MOST, f"{what} {size}; allowed: 1 to {MOST}")


def _embedding(one: Embedding, made: Sequence[Register]) -> Register:
    _need(one, one.words.ndim == 2 and one.positions.ndim == 2, "words and positions are no matrices")
    words, width = one.words.shape
    _sizes(one, width=width, tokens=len(one.positions))
    _need(one, 1 <= words <= MOST_WORDS, f"{words} words; allowed: 1 to {MOST_WORDS}")
    _array(one, one.words, "words", np.int8, words, width)
    _array(one, one.factors, "factors", np.int32, words)
    _array(one, one.positions, "positions", np.int32, len(one.positions), width)
    low, high = _embedded(one)
    _need(one, low >= 0 and high <= INT32_TOP, f"numbers from {low} to {high}; allowed: 0 to {INT32_TOP}")
    return Register(width, ROWS_TOKENS, high)


def _embedded(one: Embedding) -> tuple[int, int]:
    """The least and the largest number that can come out, column by column."""
    lows, highs = [], []
    for begin in range(0, len(one.words), _WORDS_AT_ONCE):
        part = slice(begin, begin + _WORDS_AT_ONCE)
        products = one.words[part] * one.factors[part, None].astype(np.int64)
        lows.append(products.min(axis=0))
        highs.append(products.max(axis=0))
    low = np.min(lows, axis=0) + one.positions.min(axis=0)
    high = np.max(highs, axis=0) + one.positions.max(axis=0)
    return int(low.min()), int(high.max())


def _patches(one: Patches, made: Sequence[Register]) -> Register:
    _sizes(one, patches=one.count, width=one.width)
    return Register(one.width, ROWS_TOKENS, BYTE_TOP)


def _prepend(one: Prepend, made: Sequence[Register]) -> Register:
    given = _read(one, made, one.given, "given")
    _need(one, given.rows == ROWS_TOKENS, "given has a row before its patches, or is one row; allowed: a row a patch")
    _array(one, one.row, "row", np.int32, given.width)
    _array(one, one.positions, "positions", np.int32, len(one.positions), given.width)
    return Register(given.width, ROWS_EXTRA, _top(one, one.top))


def _linear(one: Linear, made: Sequence[Register]) -> Register:
    given = _weighted(one, one.weights, made)
    return Register(one.weights.shape[1], given.rows, _rescale(one, one.rescale, one.weights.shape[1]))


def _scores(one: Scores, made: Sequence[Register]) -> Register:
    given = _weighted(one, one.weights, made)
    _array(one, one.bias, "bias", np.int32, one.weights.shape[1])
    return Register(one.weights.shape[1], given.rows, None)


def _weighted(one: Linear | Scores, weights: npt.NDArray[Any], made: Sequence[Register]) -> Register:
    given = _read(one, made, one.given, "given", top=BYTE_TOP)
    _need(one, weights.ndim == 2, "weights are no matrix")
    _array(one, weights, "weights", np.int8, given.width, weights.shape[1])
    _sizes(one, outputs=weights.shape[1])
    most = int(np.abs(weights.astype(np.int16)).max())
    _need(one, most <= WEIGHT_TOP, f"weights to {most}; allowed: {WEIGHT_TOP}")
    return given


def _activation(one: Activation, made: Sequence[Register]) -> Register:
    given = _read(one, made, one.given, "given", top=MOST - 1)
    table = _table(one, one.function.table())
    _need(one, given.top is not None and given.top < len(table), f"a table of {len(table)} for numbers to {given.top}")
    return Register(given.width, given.rows, int(table.max()))


def _attention(one: Attention, made: Sequence[Register]) -> Register:
    query = _read(one, made, one.query, "query", top=BYTE_TOP)
    key = _read(one, made, one.key, "key", top=KEY_TOP)
    value = _read(one, made, one.value, "value", top=KEY_TOP)
    widths = [query.width, key.width, value.width]
    _need(one, len(set(widths)) == 1, f"query, key and value have widths {widths}; allowed: one width")
    _need(one, key.rows == value.rows, "keys and values have different rows")
    is_divided = one.heads >= 1 and query.width % one.heads == 0
    _need(one, is_divided, f"{one.heads} heads for a width of {query.width}; allowed: what divides it")
    table = _table(one, one.exponential.table())
    _need(one, table[0] > 0, "exponential(0) is 0; allowed: 1 or more, since weights are divided by their sum")
    return Register(query.width, query.rows, BYTE_TOP)


def _table(one: Any, table: npt.NDArray[Any]) -> npt.NDArray[Any]:
    _array(one, table, "a table's values", np.uint8, len(table))
    _sizes(one, length=len(table))
    return table


def _norm(one: Norm, made: Sequence[Register]) -> Register:
    given = _read(one, made, one.given, "given")
    _need(one, 1 <= one.epsilon <= MOST_SQUARES, f"epsilon {one.epsilon}; allowed: 1 to {MOST_SQUARES}")
    most = given.width * (given.top or 0) ** 2 + one.epsilon
    _need(one, most <= MOST_SQUARES, f"squares to {most}; allowed: {MOST_SQUARES}")
    return Register(given.width, given.rows, _rescale(one, one.rescale, given.width))


def _add(one: Add, made: Sequence[Register]) -> Register:
    left, right = (_read(one, made, place, what) for place, what in ((one.left, "left"), (one.right, "right")))
    shapes = [(each.width, each.rows) for each in (left, right)]
    _need(one, shapes[0] == shapes[1], f"left and right have widths {left.width} and {right.width}, or other rows")
    _need(one, abs(one.zero) <= INT32_TOP, f"zero {one.zero}; allowed: int32")
    if one.top is not None:
        return Register(left.width, left.rows, _top(one, one.top))
    assert left.top is not None
    assert right.top is not None
    most = left.top + right.top
    _need(one, one.zero == 0 and most <= INT32_TOP, f"zero {one.zero}, numbers to {most}; allowed: 0, to {INT32_TOP}")
    return Register(left.width, left.rows, most)


def _requantise(one: Requantise, made: Sequence[Register]) -> Register:
    given = _read(one, made, one.given, "given")
    return Register(given.width, given.rows, _rescale(one, one.rescale, given.width))


def _pool(one: Pool, made: Sequence[Register]) -> Register:
    given = _read(one, made, one.given, "given")
    _need(one, one.kind in ("first", "mean"), f"kind {one.kind!r}; allowed: first, mean")
    return Register(given.width, ROWS_ONE, given.top)


def _rescale(one: Any, rescale: Rescale, width: int) -> int:
    _array(one, rescale.multiplier, "multipliers", np.int32, width)
    _array(one, rescale.offset, "offsets", np.int32, width)
    top = _top(one, rescale.top)
    is_small = 0 <= rescale.shift < 32 and (top + 1) << rescale.shift <= INT32_TOP + 1
    _need(one, is_small, f"shift {rescale.shift} to a top of {top}; allowed: (top + 1) << shift to 2**31")
    return top


def _top(one: Any, top: int) -> int:
    _need(one, 0 <= top <= INT32_TOP, f"top {top}; allowed: 0 to {INT32_TOP}")
    return top


_RULES: dict[type, Callable[[Any, Sequence[Register]], Register]] = {
    Embedding: _embedding,
    Patches: _patches,
    Prepend: _prepend,
    Linear: _linear,
    Scores: _scores,
    Activation: _activation,
    Attention: _attention,
    Norm: _norm,
    Add: _add,
    Requantise: _requantise,
    Pool: _pool,
}
