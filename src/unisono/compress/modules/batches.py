"""Rows as tensors, some at a time. Texts of one batch have as many tokens each, so nothing is ever filled up."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray

from unisono.compress.modules.model import Arrays, TorchModel


@dataclass(frozen=True, slots=True)
class Batch:
    """Some rows.

    rows:      their places in the frame.
    arguments: one tensor an argument of the module.
    """

    rows: NDArray[np.int64]
    arguments: tuple[torch.Tensor, ...]


class Batches:
    """The rows of a frame, encoded once, to be gone through again and again."""

    def __init__(self, model: TorchModel, frame: pl.DataFrame) -> None:
        self._arrays: Arrays = model.arrays(frame)
        self._groups = _of_equal_length(self._arrays, frame.height)

    def in_order(self, batch_rows: int) -> Iterator[Batch]:
        """Every row once; texts from the shortest to the longest."""
        for rows in self._groups:
            for start in range(0, len(rows), batch_rows):
                yield self._batch(rows[start : start + batch_rows])

    def shuffled(self, batch_rows: int, random: np.random.Generator) -> list[NDArray[np.int64]]:
        """The rows of batches in which every row is once, in an order of chance; `batch` makes one of each."""
        parts = []
        for rows in self._groups:
            mixed = random.permutation(rows)
            parts += [mixed[start : start + batch_rows] for start in range(0, len(mixed), batch_rows)]
        return [parts[place] for place in random.permutation(len(parts))]

    def batch(self, rows: NDArray[np.int64]) -> Batch:
        """Rows that are equally long, as `shuffled` gives them."""
        return self._batch(rows)

    def _batch(self, rows: NDArray[np.int64]) -> Batch:
        return Batch(rows, tuple(_tensor(one, rows) for one in self._arrays))


def _of_equal_length(arrays: Arrays, height: int) -> list[NDArray[np.int64]]:
    ragged = [one for one in arrays if one.dtype == object]
    if not ragged:
        return [np.arange(height)] if height else []
    lengths = np.array([len(row) for row in ragged[0]], np.int64)
    return [np.flatnonzero(lengths == length) for length in np.unique(lengths)]


def _tensor(array: NDArray[Any], rows: NDArray[np.int64]) -> torch.Tensor:
    chosen = array[rows]
    return torch.from_numpy(np.stack(list(chosen)) if chosen.dtype == object else np.ascontiguousarray(chosen))
