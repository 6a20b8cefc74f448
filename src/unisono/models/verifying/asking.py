"""Asks a fitted model for rows that it may not accept."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from unisono.spec.wording import one_line

Tensor = NDArray[Any]
Outputs = Mapping[str, Tensor]
Ask = Callable[[pl.DataFrame], Outputs]

_ALONE = 48  # rows of a kind that are asked one by one after the model has failed on them together


@dataclass(frozen=True, slots=True)
class Skipped:
    """Rows of one kind that the fitted model fails on.

    kind:   what they are at the edge of.
    rows:   how many.
    reason: what the model says of the first.
    """

    kind: str
    rows: int
    reason: str


@dataclass(frozen=True, slots=True)
class Asked:
    """What a fitted model says of the rows that it accepts.

    rows:    which, in order.
    outputs: what it says of them, in their order.
    skipped: the others.
    """

    rows: NDArray[np.int64]
    outputs: Outputs
    skipped: tuple[Skipped, ...]

    def where(self, chosen: NDArray[np.bool_]) -> Asked:
        """Some of them.

        chosen: of all rows that it was asked for.
        """
        kept = chosen[self.rows]
        return Asked(self.rows[kept], {name: one[kept] for name, one in self.outputs.items()}, self.skipped)


def ask(model: Ask, frame: pl.DataFrame, kinds: Sequence[str]) -> Asked:
    """Asks a model for all rows of a frame at once; if it fails, kind by kind; where it fails again, one by one.

    kinds: of each row.
    """
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # of overflow and the like: what counts is the answer
        whole = _ask_together(model, frame, list(range(frame.height)))
        return _joined(whole.parts, ()) if whole.reason is None else _ask_kinds(model, frame, kinds)


def _ask_kinds(model: Ask, frame: pl.DataFrame, kinds: Sequence[str]) -> Asked:
    groups: dict[str, list[int]] = {}
    for row, kind in enumerate(kinds):
        groups.setdefault(kind, []).append(row)
    parts: list[tuple[list[int], Outputs]] = []
    skipped: list[Skipped] = []
    for kind, rows in groups.items():
        answered = _ask_together(model, frame, rows)
        if answered.reason is not None:
            answered.parts = _ask_alone(model, frame, rows)
            skipped.append(Skipped(kind, len(rows) - len(answered.parts), answered.reason))
        parts += answered.parts
    return _joined(parts, skipped)


@dataclass(slots=True)
class _Answered:
    parts: list[tuple[list[int], Outputs]]
    reason: str | None = None


def _ask_together(model: Ask, frame: pl.DataFrame, rows: list[int]) -> _Answered:
    try:
        return _Answered([(rows, model(frame[rows]))] if rows else [])
    except Exception as error:  # the library's own
        return _Answered([], one_line(error, length=120))


def _ask_alone(model: Ask, frame: pl.DataFrame, rows: list[int]) -> list[tuple[list[int], Outputs]]:
    """Some of the rows, spread over all, each by itself."""
    chosen = rows[:: -(-len(rows) // _ALONE)] if len(rows) > 1 else []
    answered = (_ask_together(model, frame, [row]) for row in chosen)
    return [part for one in answered for part in one.parts]


def _joined(parts: Sequence[tuple[list[int], Outputs]], skipped: Sequence[Skipped]) -> Asked:
    if not parts:
        return Asked(np.empty(0, np.int64), {}, tuple(skipped))
    rows = np.array([row for some, _ in parts for row in some], np.int64)
    order = np.argsort(rows)
    names = parts[0][1]
    outputs = {name: np.concatenate([np.asarray(one[name]) for _, one in parts])[order] for name in names}
    return Asked(rows[order], outputs, tuple(skipped))
