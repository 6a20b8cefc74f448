"""ListOps as the generator of Long Range Arena makes it (Tay et al. 2021; after Nangia, Bowman 2018), made here.

`[MAX 4 3 [MIN 2 3 ] 1 0 ]` is 4: nested lists of digits under MAX, MIN, MED (the median, rounded down) and SM (the sum
modulo 10). The rules are those of lra_benchmarks/data/listops.py: a node above the deepest level is an operator with
probability 1/4 and a digit otherwise, an operator has 2 to `max_args` arguments, and expressions outside the limits of
length are drawn again. Parentheses, which Long Range Arena takes out before a model reads, are left out. Its own
lengths are 500 to 2,000 tokens at a depth of up to 10; ours are shorter, so that a model trains here.

Columns: text, value ("0" to "9"), length ("short", "middle", "long"), part ("train", "validation" or "test").
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import polars as pl

_OPERATOR = 0.25  # probability
_DIGITS = 10
CLASSES = tuple(map(str, range(_DIGITS)))
END = "]"


def _sum(values: Sequence[int]) -> int:
    return sum(values) % _DIGITS


_OPERATORS: Mapping[str, Callable[[Sequence[int]], int]] = {
    "[MIN": min,
    "[MAX": max,
    "[MED": lambda values: int(median(values)),
    "[SM": _sum,
}
WORDS = (*_OPERATORS, *CLASSES, END)


@dataclass(frozen=True, slots=True)
class Rules:
    """Of a generator.

    shortest, longest: tokens of an expression, both excluded.
    max_depth:         levels.
    max_args:          of an operator.
    """

    shortest: int
    longest: int
    max_depth: int = 10
    max_args: int = 10


LONG_RANGE_ARENA = Rules(500, 2000)


def expression(rules: Rules, draw: random.Random) -> tuple[list[str], int]:
    """Tokens, and what they come to."""
    while True:
        tokens: list[str] = []
        value = _node(1, rules, draw, tokens)
        if value is not None and rules.shortest < len(tokens) < rules.longest:
            return tokens, value


def _node(depth: int, rules: Rules, draw: random.Random, tokens: list[str]) -> int | None:
    """Writes a node behind some tokens; what it comes to, or None as soon as there are too many of them."""
    if depth == rules.max_depth or draw.random() > _OPERATOR:
        tokens.append(str(draw.randrange(_DIGITS)))
        return int(tokens[-1])
    operator, values = draw.choice(list(_OPERATORS)), []
    tokens.append(operator)
    for _ in range(draw.randint(2, rules.max_args)):
        value = _node(depth + 1, rules, draw, tokens)
        if value is None or len(tokens) >= rules.longest:
            return None
        values.append(value)
    tokens.append(END)
    return _OPERATORS[operator](values)


def load(folder: Path, rules: Rules, parts: Mapping[str, int], seed: int = 0) -> pl.DataFrame:
    """Different expressions, some of each part; the same rules and seed always give the same frame.

    folder: keeps it.
    """
    name = f"listops-{rules.shortest}-{rules.longest}-{rules.max_depth}-{rules.max_args}-{sum(parts.values())}-{seed}"
    path = folder / f"{name}.parquet"
    if not path.exists():
        _made(rules, parts, seed).write_parquet(path)
    return pl.read_parquet(path)


def _made(rules: Rules, parts: Mapping[str, int], seed: int) -> pl.DataFrame:
    draw = random.Random(seed)
    found: dict[str, str] = {}
    while len(found) < sum(parts.values()):
        tokens, value = expression(rules, draw)
        found.setdefault(" ".join(tokens), str(value))
    counts = pl.Series([text.count(" ") + 1 for text in found])
    third, two_thirds = counts.quantile(1 / 3), counts.quantile(2 / 3)
    length = ["short" if one <= third else "middle" if one <= two_thirds else "long" for one in counts]
    part = [name for name, count in parts.items() for _ in range(count)]
    return pl.DataFrame({"text": [*found], "value": [*found.values()], "length": length, "part": part})
