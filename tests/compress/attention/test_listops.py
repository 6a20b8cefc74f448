"""Expressions of ListOps as the benchmark draws them."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.edge_transformers.datasets.listops import LONG_RANGE_ARENA, Rules, expression

RULES = Rules(20, 60, max_depth=4)


def value_of(tokens: list[str]) -> int:
    """Read from left to right with a stack; the operators once more, by numpy."""
    operators: dict[str, Callable[..., Any]] = {
        "[MIN": np.min,
        "[MAX": np.max,
        "[MED": np.median,
        "[SM": lambda values: np.sum(values) % 10,
    }
    stack: list[tuple[str, list[int]]] = [("", [])]
    for token in tokens:
        if token in operators:
            stack.append((token, []))
        elif token == "]":
            operator, values = stack.pop()
            stack[-1][1].append(int(operators[operator](values)))
        else:
            stack[-1][1].append(int(token))
    (whole,) = stack[0][1]
    return whole


def depth_of(tokens: list[str]) -> int:
    """Levels of operators."""
    depths = np.cumsum([1 if token.startswith("[") else -1 if token == "]" else 0 for token in tokens])
    return int(depths.max())


def test_a_value_is_what_its_expression_comes_to() -> None:
    draw = random.Random(0)
    for _ in range(200):
        tokens, value = expression(RULES, draw)
        assert value_of(tokens) == value
        assert 20 < len(tokens) < 60
        assert depth_of(tokens) < 4


def test_expressions_of_long_range_arena_are_as_long_and_as_deep_as_there() -> None:
    draw = random.Random(0)
    drawn = [expression(LONG_RANGE_ARENA, draw)[0] for _ in range(20)]
    assert all(500 < len(tokens) < 2000 for tokens in drawn)
    assert max(map(depth_of, drawn)) == 9
