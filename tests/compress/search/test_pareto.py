"""Fronts and what they cover."""

from __future__ import annotations

import numpy as np
import pytest

from unisono.compress.search.pareto import front, hypervolume


def test_the_front_has_no_point_that_another_beats() -> None:
    assert front([(1, 5), (2, 4), (2, 5), (3, 1), (3, 1)]) == [0, 1, 3]


@pytest.mark.parametrize("objectives", [1, 2, 3, 4])
def test_the_volume_is_that_of_a_fine_grid(objectives: int) -> None:
    random = np.random.default_rng(objectives)
    points, reference = random.random((6, objectives)), np.full(objectives, 0.9)
    drawn = random.random((60_000, objectives)) * 0.9
    covered = np.any([(drawn >= one).all(axis=1) for one in points], axis=0).mean()
    assert hypervolume(points.tolist(), reference.tolist()) == pytest.approx(covered * 0.9**objectives, abs=0.01)


def test_points_beyond_the_reference_cover_nothing() -> None:
    assert hypervolume([(2, 0), (0, 2), (1, 1)], (1, 1)) == 0.0
    assert hypervolume([(0.5, 0.5), (2, 0)], (1, 1)) == 0.25
