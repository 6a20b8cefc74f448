"""Tries a graph on made-up rows: does a row's answer depend on that row alone?"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unisono.models.session import Runner, same_bits
from unisono.spec.errors import InputError

Tensor = NDArray[Any]
Feeds = dict[str, Tensor]

_ROWS = 151
_MOST_NUMBERS = 1 << 21  # of rows with images; then they are fewer
_LEAST_ROWS = 24
_FLOATS = {"tensor(double)": np.float64, "tensor(float)": np.float32}
_SHORT: dict[str, Any] = {"tensor(uint8)": np.uint8, "tensor(int32)": np.int32}
_CUTS = (1, 2, 7, 16)
_SPECIAL = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0, -1.0, 5e-324, 1e300, 0.5, 1e-35])
_TEXTS = np.array(["", "a", "B", "0", "1.5", "é", "a b"], dtype=object)
_WHOLE = np.array([0, 1, -1, 2**62, -(2**63)])


def mixed_rows(graph: bytes, *, feeds: Feeds | None = None) -> str | None:
    """What a graph does wrong with rows, or None: it answers each by itself, with the same bits in every batch.

    feeds: the rows to try; None: made-up ones, with all the numbers that are special.
    """
    run = Runner(graph)
    rows = made_up_rows(run) if feeds is None else feeds
    count = len(next(iter(rows.values()))) if rows else 0
    try:
        whole = run(rows)
        wrong = [name for name, one in zip(run.outputs, whole, strict=True) if one.ndim == 0 or len(one) != count]
        if wrong:
            return f'"{wrong[0]}" does not have one value a row'
        parted = any(not same_bits(whole, _in_cuts(run, rows, count, cut)) for cut in _CUTS)
    except InputError as error:
        return str(error).partition("; allowed")[0]
    return "a row's answer depends on the rows beside it" if parted or not _is_reversible(run, rows, whole) else None


def _in_cuts(run: Runner, rows: Feeds, count: int, cut: int) -> list[Tensor]:
    starts = range(0, count, cut)
    parts = [run({name: one[start : start + cut] for name, one in rows.items()}) for start in starts]
    return [np.concatenate(column) for column in zip(*parts, strict=True)]


def _is_reversible(run: Runner, rows: Feeds, whole: list[Tensor]) -> bool:
    backwards = run({name: np.ascontiguousarray(one[::-1]) for name, one in rows.items()})
    return same_bits(whole, [one[::-1] for one in backwards])


def made_up_rows(run: Runner) -> Feeds:
    """Rows for the inputs of a graph: the same ones every time."""
    random = np.random.default_rng(0)
    widest = max((prod(shape[1:]) for _, _, shape in run.shapes), default=1)
    rows = min(_ROWS, max(_LEAST_ROWS, _MOST_NUMBERS // max(widest, 1)))
    return {name: _column(random, kind, (rows, *shape[1:])) for name, kind, shape in run.shapes}


def _column(random: np.random.Generator, kind: str, shape: tuple[int, ...]) -> Tensor:
    if kind == "tensor(string)":
        return random.choice(_TEXTS, shape)
    if kind == "tensor(bool)":
        return random.random(shape) < 0.2
    if kind in _SHORT:
        limits: Any = np.iinfo(_SHORT[kind])
        return random.integers(limits.min, limits.max, shape, _SHORT[kind], endpoint=True)
    special = random.random(shape) < 0.3
    special[::2] = False  # one NaN among the numbers of an image hides what becomes of all the others
    if kind == "tensor(int64)":
        whole: Tensor = random.integers(-(10**16), 10**16, shape) >> random.integers(0, 54, shape)
        return np.where(special, random.choice(_WHOLE, shape), whole)
    scales = 10.0 ** random.integers(-3, 3, shape)
    scales[::4] = 1.0  # nor do scores that are far apart show how they are weighed
    numbers = random.normal(size=shape) * scales
    with np.errstate(over="ignore"):  # of what is too large for float32
        tensor: Tensor = np.where(special, random.choice(_SPECIAL, shape), numbers).astype(_FLOATS[kind])
    return tensor
