"""The steps of an integer network as it was built: whatever was pruned or distilled away is not in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from unisono.kernel.integer.network import (
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
    Scores,
)
from unisono.place.accelerator.attention import Softmax
from unisono.place.accelerator.checking import check_counts
from unisono.place.accelerator.steps import Product, Rowwise, Step


@dataclass(frozen=True, slots=True)
class Built:
    """An integer network, and how many tokens it is given; of an image all of its patches, whatever is said.

    Raises DefinitionError for fewer tokens than one, or more than it reads.
    """

    network: Network
    tokens: int

    def __post_init__(self) -> None:
        check_counts("network", self, {"tokens": 1}, most={"tokens": self.network.most_tokens})

    def steps(self) -> Iterator[tuple[str, Step]]:
        """What is done, in order: the instruction's name and the step."""
        rows: list[int] = []
        widths: list[int] = []
        for one in self.network.instructions:
            given = [(rows[place], widths[place]) for place in _read(one)]
            height, width = _shape(one, given, self.tokens)
            yield from ((one.name, step) for step in _STEPS[type(one)](one, height, width, given))
            rows.append(height)
            widths.append(width)


Shape = tuple[int, int]


def _read(one: Instruction) -> tuple[int, ...]:
    """Registers that an instruction reads, the first of which has its shape where nothing else is said."""
    if isinstance(one, Embedding | Patches):
        return ()
    if isinstance(one, Attention):
        return (one.query, one.key, one.value)
    return (one.left, one.right) if isinstance(one, Add) else (one.given,)


def _shape(one: Instruction, given: list[Shape], tokens: int) -> Shape:
    """Rows and columns of what it makes."""
    if isinstance(one, Embedding):
        return tokens, one.words.shape[1]
    if isinstance(one, Patches):
        return one.count, one.width
    height, width = given[0]
    if isinstance(one, Linear | Scores):
        return height, one.weights.shape[1]
    if isinstance(one, Prepend):
        return height + 1, width
    return (1, width) if isinstance(one, Pool) else (height, width)


def _product(one: Linear | Scores, height: int, width: int, given: list[Shape]) -> Iterator[Step]:
    yield Product("product", height, given[0][1], width)


def _attention(one: Attention, height: int, width: int, given: list[Shape]) -> Iterator[Step]:
    yield from Softmax().steps(height, one.heads, width // one.heads)


def _looked_up(one: Embedding, height: int, width: int, given: list[Shape]) -> Iterator[Step]:
    for table in ("words", "positions"):
        yield Rowwise(table, "lookup", height, width)


def _added(one: Add | Prepend | Pool, height: int, width: int, given: list[Shape]) -> Iterator[Step]:
    """Number by number; of a mean all rows that go in."""
    yield Rowwise("addition", "residual", given[0][0] if isinstance(one, Pool) else height, width)


def _normalised(one: Norm, height: int, width: int, given: list[Shape]) -> Iterator[Step]:
    yield Rowwise("norm", "norm", height, width)


def _activated(one: Activation, height: int, width: int, given: list[Shape]) -> Iterator[Step]:
    yield Rowwise("activation", "gelu", height, width)


def _free(one: Patches | Requantise, height: int, width: int, given: list[Shape]) -> Iterator[Step]:
    """On the way from one step to the next."""
    return iter(())


_STEPS: Mapping[type, Callable[[Any, int, int, list[Shape]], Iterator[Step]]] = {
    Embedding: _looked_up,
    Patches: _free,
    Prepend: _added,
    Linear: _product,
    Scores: _product,
    Activation: _activated,
    Attention: _attention,
    Norm: _normalised,
    Add: _added,
    Requantise: _free,
    Pool: _added,
}
