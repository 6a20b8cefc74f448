"""What is learned about a version's speed."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from unisono.drivers.serving.pace import LONGEST_S, LONGEST_THREADED_S, MOST_ROWS, Pace

COSTS: dict[str, tuple[Callable[[int], float], int]] = {
    "a fixed cost a batch": (lambda rows: 20e-6 + 1e-6 * rows, 256),
    "nothing gained by batches": (lambda rows: 50e-6 * rows, 2),
    "dearer above 16 rows": (lambda rows: 20e-6 + 4e-6 * rows + max(0, rows - 16) * 10e-6, 16),
    "a batch would take too long": (lambda rows: 300e-6 + 200e-6 * rows, 8),
    "slow, in a thread": (lambda rows: 0.004 + 0.001 * rows, 32),
}


@pytest.mark.parametrize("name", COSTS)
def test_the_cap_is_the_most_rows_that_still_gain(name: str) -> None:
    cost, best = COSTS[name]
    pace = Pace()
    caps = []
    for _ in range(500):
        pace.observe(pace.cap, cost(pace.cap))
        caps.append(pace.cap)
    assert best // 2 <= pace.cap <= best
    assert max(caps[20:]) <= 2 * best  # one step beyond is tried, and taken back
    assert cost(pace.cap) <= (LONGEST_S if pace.is_quick else LONGEST_THREADED_S)


def test_the_cap_falls_again_if_batches_become_dear() -> None:
    pace = Pace()
    for _ in range(100):
        pace.observe(pace.cap, 20e-6 + 1e-6 * pace.cap)
    assert pace.cap == MOST_ROWS
    for _ in range(400):
        pace.observe(pace.cap, 50e-6 * pace.cap)
    assert pace.cap * 50e-6 <= LONGEST_S


def test_callers_with_many_rows_each_are_batched_too() -> None:
    pace = Pace()
    for _ in range(20):
        pace.observe(20, 20e-6 + 20e-6)
    assert pace.is_quick
    assert pace.cap >= 16


def test_a_bad_moment_is_forgotten() -> None:
    pace = Pace()
    assert pace.wait_s(10) == 0.0
    pace.served(1, 5.0)
    assert pace.wait_s(10) == 50.0
    for _ in range(200):
        pace.served(4, 40e-6)
    assert pace.wait_s(10) == pytest.approx(100e-6, rel=0.01)


def test_one_observation_that_was_interrupted_counts_for_little() -> None:
    pace = Pace()
    pace.observe(1, 0.095)  # the very first, of a row that takes 30 us
    pace.observe(1, 30e-6)
    pace.served(1, 0.1)
    assert pace.is_quick
    assert pace.seconds(100) == pytest.approx(0.003)
    assert pace.wait_s(100) < 0.02
    for _ in range(100):
        pace.observe(1, 30e-6)
    pace.observe(1, 0.095)
    assert pace.seconds(100) < 0.004
    for _ in range(60):
        pace.observe(1, 300e-6)  # it has become slower indeed
    assert pace.seconds(100) == pytest.approx(0.03, rel=0.05)


def test_what_is_not_trusted_never_fits_the_loop_again() -> None:
    pace = Pace()
    pace.observe(1, 10e-6)
    assert pace.fits_loop(1)
    pace.distrust()
    pace.observe(1, 10e-6)
    assert not pace.fits_loop(1)


def test_what_is_not_known_takes_no_time_and_is_no_work_for_the_loop() -> None:
    pace = Pace()
    assert (pace.seconds(1000), pace.is_quick, pace.fits_loop(1)) == (0.0, False, False)
    pace.observe(1, 10e-6)
    assert pace.seconds(1000) == pytest.approx(0.01)
    assert pace.fits_loop(100) and not pace.fits_loop(MOST_ROWS)  # that would be 2.56 ms
    pace.observe(MOST_ROWS * 1000, 1.0)
    assert not pace.fits_loop(MOST_ROWS + 1)
