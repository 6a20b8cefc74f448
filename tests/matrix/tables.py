"""Tables that scikit-learn brings along, and larger ones that are made of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

import unisono as un
from tests.matrix.case import Case

Labels = NDArray[Any]


def table(load: Callable[[], Any], *, missing: float = 0.0) -> tuple[pl.DataFrame, Labels]:
    """One of scikit-learn's tables, with its columns as c0, c1, ..., and its labels.

    missing: the share of numbers that are taken out (NaN).
    """
    bunch = load()
    names = [f"c{place}" for place in range(bunch.data.shape[1])]
    numbers = np.asarray(bunch.data, np.float64).copy()
    numbers[np.random.default_rng(5).random(numbers.shape) < missing] = np.nan
    return pl.DataFrame(numbers, schema=names), np.asarray(bunch.target)


def wide_table(load: Callable[[], Any], *, columns: int) -> tuple[pl.DataFrame, Labels]:
    """A table with products of its columns beside them."""
    rows, labels = table(load)
    numbers = rows.to_numpy()
    pairs = np.random.default_rng(6).integers(0, numbers.shape[1], (columns - numbers.shape[1], 2))
    products = numbers[:, pairs[:, 0]] * numbers[:, pairs[:, 1]]
    return pl.DataFrame(np.hstack([numbers, products]), schema=[f"c{place}" for place in range(columns)]), labels


def long_table(load: Callable[[], Any], *, rows: int) -> tuple[pl.DataFrame, Labels]:
    """A table's rows again and again, each time with other small changes."""
    few, labels = table(load)
    random = np.random.default_rng(7)
    places = random.integers(0, few.height, rows)
    numbers = few.to_numpy()
    changed = numbers[places] + random.normal(size=(rows, numbers.shape[1])) * numbers.std(axis=0) / 10
    return pl.DataFrame(changed, schema=few.columns), labels[places]


def with_texts(rows: pl.DataFrame, *columns: str) -> pl.DataFrame:
    """Some columns of numbers cut into three and named."""
    cut = [pl.col(name).rank("dense").qcut(3, labels=["low", "mid", "top"]).cast(pl.String) for name in columns]
    return rows.with_columns(cut)


def case(model: Any, rows: pl.DataFrame, *kinds: str, columns: tuple[str, ...] | None = None) -> Case:
    """A model of a table of numbers and texts; NaN is asked as null."""
    request = {name: un.String if dtype == pl.String else un.Float64 for name, dtype in rows.schema.items()}
    asked = rows.with_columns(pl.col(pl.Float64).fill_nan(None))
    return Case(model, request, asked, kinds, columns=columns)
