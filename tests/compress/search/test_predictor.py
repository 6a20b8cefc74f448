"""Predictors that say how far they can be trusted."""

from __future__ import annotations

import numpy as np

from unisono.compress.search.predictor import Predictor, enough

TRIALS = [{"keep": keep, "bits": bits} for keep in np.linspace(0.1, 0.9, 10).tolist() for bits in (4.0, 8.0)]
SIZES = [one["keep"] * one["bits"] for one in TRIALS]


def test_what_follows_from_the_settings_is_predicted() -> None:
    predictor = Predictor(TRIALS, SIZES, seed=0)
    assert predictor.validation.is_trusted
    assert predictor.validation.correlation > 0.9
    assert abs(predictor.predict({"keep": 0.5, "bits": 8.0}) - 4.0) < 3 * predictor.validation.error


def test_noise_is_not_trusted() -> None:
    noise = np.random.default_rng(0).normal(size=len(TRIALS)).tolist()
    assert not Predictor(TRIALS, noise, seed=0).validation.is_trusted


def test_values_that_are_all_the_same_rank_nothing() -> None:
    assert Predictor(TRIALS, [1.0] * len(TRIALS), seed=0).validation.correlation == 0.0


def test_a_setting_that_was_not_chosen_is_no_obstacle() -> None:
    trials = [{**one, **({"epochs": 1.0} if place % 2 else {})} for place, one in enumerate(TRIALS)]
    predictor = Predictor(trials, SIZES, seed=0)
    assert predictor.lowest({"keep": 0.5}) < predictor.predict({"keep": 0.5})


def test_a_predictor_needs_ten_trials() -> None:
    assert [enough(trials) for trials in (9, 10)] == [False, True]
