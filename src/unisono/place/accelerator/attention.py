"""Kinds of attention, as steps: from queries, keys and values to what they give."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil

from unisono.place.accelerator.checking import check_counts
from unisono.place.accelerator.steps import Product, Rowwise, Step


@dataclass(frozen=True, slots=True)
class Softmax:
    """Every token looks at every token (Vaswani et al. 2017)."""

    def steps(self, tokens: int, heads: int, size: int) -> Iterator[Step]:
        """Of one layer. size: numbers of a head."""
        yield Product("scores", tokens, size, tokens, heads, learnt=False)
        yield Rowwise("softmax", "softmax", heads * tokens, tokens)
        yield Product("mix", tokens, tokens, size, heads, learnt=False)


@dataclass(frozen=True, slots=True)
class Linear:
    """Queries and keys become features, and the sum over tokens is taken first (Katharopoulos et al. 2020).

    features:  of a head; None: as many as it has numbers (elu + 1).
    projected: whether a matrix makes them (Choromanski et al. 2021).
    """

    features: int | None = None
    projected: bool = False

    def __post_init__(self) -> None:
        if self.features is not None:
            check_counts("linear attention", self, {"features": 1})

    def steps(self, tokens: int, heads: int, size: int) -> Iterator[Step]:
        """Of one layer. size: numbers of a head."""
        features = self.features or size
        if self.projected:
            yield Product("features of queries and keys", 2 * tokens, size, features, heads)
        yield Rowwise("feature map", "feature", 2 * heads * tokens, features)
        yield Product("keys with values", features, tokens, size + 1, heads, learnt=False)
        yield Product("queries with both", tokens, features, size + 1, heads, learnt=False)
        yield Rowwise("division", "divide", heads * tokens, size)


@dataclass(frozen=True, slots=True)
class LowRank:
    """Keys and values are projected to a few rows (Wang et al. 2020). rank: how many."""

    rank: int

    def __post_init__(self) -> None:
        check_counts("low-rank attention", self, {"rank": 1})

    def steps(self, tokens: int, heads: int, size: int) -> Iterator[Step]:
        """Of one layer. size: numbers of a head."""
        yield Product("projections", 2 * self.rank, tokens, heads * size)
        yield Product("scores", tokens, size, self.rank, heads, learnt=False)
        yield Rowwise("softmax", "softmax", heads * tokens, self.rank)
        yield Product("mix", tokens, self.rank, size, heads, learnt=False)


@dataclass(frozen=True, slots=True)
class Local:
    """Tokens look at their own block, at both beside it, and at a few that all see (Zaheer et al. 2020, section 2).

    block:  tokens of it.
    shared: tokens that all see.
    """

    block: int
    shared: int = 0

    def __post_init__(self) -> None:
        check_counts("local attention", self, {"block": 1, "shared": 0})

    def steps(self, tokens: int, heads: int, size: int) -> Iterator[Step]:
        """Of one layer. size: numbers of a head."""
        rows = min(self.block, tokens)
        seen = min(3 * self.block + self.shared, tokens)
        blocks = heads * ceil(tokens / rows)
        yield Product("scores", rows, size, seen, blocks, learnt=False)
        yield Rowwise("softmax", "softmax", heads * tokens, seen)
        yield Product("mix", rows, seen, size, blocks, learnt=False)


Attention = Softmax | Linear | LowRank | Local
