from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray

import unisono as un
from tests.models.samples import graph_of, one_column_model, without_answer
from unisono.models import verify, verify_with_edges
from unisono.models.importers.base import ImportedModel
from unisono.models.names import PREDICTION

MODEL = one_column_model("seats")
GRAPH = graph_of(MODEL)

Change = Callable[[NDArray[Any]], NDArray[Any]]


def that_says(change: Change) -> ImportedModel:
    """The model, but it says something else than its graph of the sample; it knows no other rows."""

    def answer(rows: pl.DataFrame) -> Mapping[str, NDArray[Any]]:
        if rows.height != len(KNOWN):
            raise ValueError("other rows")
        return {PREDICTION: change(np.array(MODEL.answer(rows)[PREDICTION]))}

    return without_answer(MODEL, answer=answer)


def at_row(row: int, change: Callable[[Any], Any]) -> Change:
    def changed(says: NDArray[Any]) -> NDArray[Any]:
        says[row] = change(says[row])
        return says

    return changed


KNOWN = pl.Series("seats", [100, 200, 300, 400])


@pytest.fixture
def sample(rows: pl.DataFrame) -> pl.DataFrame:
    return rows[:4].with_columns(KNOWN)


def test_equal_bits_are_exact(sample: pl.DataFrame) -> None:
    found = verify(GRAPH, MODEL, sample)
    assert found.is_equal
    assert (found.rows, found.max_abs, found.max_rel, found.max_ulp, found.differs, found.flips) == (4, 0, 0, 0, 0, 0)
    assert found.worst is None


def test_a_difference_is_measured_and_its_row_shown(sample: pl.DataFrame) -> None:
    found = verify(GRAPH, that_says(at_row(2, lambda x: np.nextafter(np.nextafter(x, 0), 0))), sample)
    assert not found.is_equal
    assert (found.max_ulp, found.differs, found.flips) == (2, 1, 0)
    assert found.max_abs == 300 - np.nextafter(np.nextafter(300, 0), 0)
    assert found.worst is not None
    assert str(found.worst) == "row 2, prediction: the graph says 300.0, the model 299.9999999999999"
    assert found.worst.inputs == {"seats": "300"}


def test_a_difference_over_the_bound_is_refused_with_its_row(sample: pl.DataFrame) -> None:
    planted = that_says(at_row(1, lambda x: x + 0.5))
    with pytest.raises(
        un.ModelError,
        match=r"row 1, prediction: the graph says 200.0, the model 200.5; its inputs: seats 200; allowed: 1e-06",
    ):
        verify(GRAPH, planted, sample)
    assert verify(GRAPH, planted, sample, bound=0.01).max_gap == pytest.approx(0.5 / 200.5)


def test_the_bound_is_absolute_or_relative_for_each_number(sample: pl.DataFrame) -> None:
    """One row is near relatively, another absolutely: neither is refused."""
    sample = sample.with_columns(seats=pl.Series([0, 10**12, 300, 400]))
    planted = that_says(lambda says: says + np.array([1e-9, 1000.0, 0, 0]))
    found = verify(GRAPH, planted, sample)
    assert found.max_abs == 1000.0
    assert found.max_rel == 1.0
    assert found.max_gap < 2e-9


@pytest.mark.parametrize("strange", [np.nan, np.inf, -np.inf])
def test_what_is_no_number_is_no_small_difference(sample: pl.DataFrame, strange: float) -> None:
    with pytest.raises(un.ModelError, match="row 3, prediction"):
        verify(GRAPH, that_says(at_row(3, lambda x: strange)), sample, bound=1e9)


def test_a_null_answers_nan_on_both_sides(sample: pl.DataFrame) -> None:
    nulls = sample.with_columns(seats=pl.Series([None, 1, None, 2], dtype=pl.Int64))
    assert verify(GRAPH, MODEL, nulls).is_equal


def test_a_long_verification_says_how_far_it_is(sample: pl.DataFrame) -> None:
    told: list[tuple[str, int, int | None]] = []
    many = pl.concat([sample] * 600)
    found = verify_with_edges(GRAPH, MODEL, many, progress=lambda *one: told.append(one)).verification
    assert [one for one in told if one[0] == "verifying: asking the graph"] == [
        ("verifying: asking the graph", done, 2400) for done in (0, 1024, 2048)
    ]
    settings = [what.removeprefix("verifying: setting ") for what, _, _ in told if "setting" in what]
    assert ("basic", *settings) == found.machines.settings
    assert found.is_equal and found.rows == 2400


def test_a_sample_without_rows_is_refused(sample: pl.DataFrame) -> None:
    with pytest.raises(un.ModelError, match="sample: no rows"):
        verify(GRAPH, MODEL, sample[:0])


def test_a_sample_without_a_column_is_refused(sample: pl.DataFrame) -> None:
    with pytest.raises(un.InputError, match='sample, column "seats"'):
        verify(GRAPH, MODEL, sample.drop("seats"))


def test_a_model_that_fails_is_said_to(sample: pl.DataFrame) -> None:
    def fail(says: NDArray[Any]) -> NDArray[Any]:
        raise ValueError("no such thing")

    with pytest.raises(un.ModelError, match="model: fails on the sample: no such thing"):
        verify(GRAPH, that_says(fail), sample)
