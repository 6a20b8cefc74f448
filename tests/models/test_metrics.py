"""Metrics are those of scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn import metrics as known

import unisono as un
from unisono.models.metrics import given_metrics, metrics_of

ROWS = 500


@pytest.fixture
def chance() -> NDArray[np.float64]:
    """Probabilities with many ties, and both certainties."""
    return np.round(np.random.default_rng(3).random(ROWS), 2)


@pytest.mark.parametrize("classes", [[False, True], [0, 1], ["no", "yes"], [1.0, 2.0]])
def test_a_binary_classifier(chance: NDArray[np.float64], classes: list[object]) -> None:
    is_second = np.random.default_rng(4).random(ROWS) < chance * 0.5 + 0.2
    truth = [classes[int(one)] for one in is_second]
    outputs = {"prediction": np.array(truth), "probability": chance}
    values, note = metrics_of("binary", classes, outputs, truth)
    assert note is None
    assert values == pytest.approx(
        {
            "auc": known.roc_auc_score(is_second, chance),
            "log_loss": known.log_loss(is_second, chance),
            "brier": known.brier_score_loss(is_second, chance),
            "accuracy": known.accuracy_score(is_second, chance > 0.5),
        },
        rel=1e-11,
    )


def test_many_classes() -> None:
    random = np.random.default_rng(5)
    chances = random.dirichlet([1.0, 2.0, 3.0], ROWS)
    truth = random.integers(0, 3, ROWS)
    names = ["a", "b", "c"]
    values, _ = metrics_of("multiclass", names, {"probabilities": chances}, [names[one] for one in truth])
    assert values == pytest.approx(
        {"log_loss": known.log_loss(truth, chances), "accuracy": known.accuracy_score(truth, chances.argmax(axis=1))},
        rel=1e-11,
    )


def test_a_regression() -> None:
    random = np.random.default_rng(6)
    truth = random.normal(size=ROWS) * 10
    says = truth + random.normal(size=ROWS)
    values, _ = metrics_of("regression", (), {"prediction": says}, truth.tolist())
    assert values == pytest.approx(
        {
            "rmse": known.root_mean_squared_error(truth, says),
            "mae": known.mean_absolute_error(truth, says),
            "r2": known.r2_score(truth, says),
        },
        rel=1e-11,
    )


def test_what_is_not_defined_is_left_out(chance: NDArray[np.float64]) -> None:
    values, _ = metrics_of("binary", [0, 1], {"probability": chance}, [1] * ROWS)
    assert set(values) == {"log_loss", "brier", "accuracy"}
    values, _ = metrics_of("regression", (), {"prediction": np.array([1.0])}, [2.0])
    assert values == {"rmse": 1.0, "mae": 1.0}
    assert metrics_of("binary", [0, 1], {"probability": np.empty(0)}, []) == ({}, None)
    assert metrics_of("outputs", (), {"embedding": np.ones((1, 2))}, [1]) == ({}, None)


def test_labels_that_are_none_of_the_classes_are_told() -> None:
    values, note = metrics_of("binary", ["no", "yes"], {"probability": np.array([0.5, 0.5])}, ["no", "maybe"])
    assert values == {}
    assert note == 'labels "maybe" are none of the classes no, yes'


@pytest.mark.parametrize(("name", "number"), [("a b", 1.0), ("x", float("nan")), ("x", float("inf"))])
def test_metrics_of_the_user_are_judged(name: str, number: float) -> None:
    with pytest.raises(un.InputError, match=r"metric .*; allowed: "):
        given_metrics({name: number})
