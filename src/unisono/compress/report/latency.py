"""How long models take, measured in turns, so that whatever else the machine does meets them all alike."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter_ns

import numpy as np
from numpy.typing import NDArray

from unisono.compress.report.document import Interval, Latency
from unisono.compress.report.serving import Requests, Serving

Numbers = NDArray[np.float64]

ROUNDS = 12
_WARM_UP = 3
_SINGLES_S = 8.0  # for calls of one row, of all models together
_FEWEST_CALLS, _MOST_CALLS = 8, 128  # of one model in its turn, each with a row of its own
_BATCH_ROWS, _SLOW_BATCH_ROWS = 64, 8
_SLOW_S = 0.005  # a row
_RESAMPLES = 2000
_NS_A_MS = 1e6


@dataclass(frozen=True, slots=True)
class Timing:
    """What was measured of one model in one runtime.

    singles: milliseconds of a call with one row: rounds x 2 turns x calls.
    batches: milliseconds of a call with a batch: rounds x 2 turns.
    """

    serving: Serving
    singles: Numbers
    batches: Numbers
    batch_rows: int

    @property
    def median(self) -> float:
        """Of the calls with one row."""
        return float(np.median(self.singles))

    def latency(self) -> Latency:
        """As the report has it."""
        rounds = np.median(self.singles.reshape(len(self.singles), -1), axis=1)
        return Latency(
            runtime=self.serving.runtime,
            median=_middle(rounds),
            p99=float(np.quantile(self.singles, 0.99)),
            noise=_noise(np.median(self.singles, axis=2)),
            rows_per_s=self.batch_rows * 1000 / float(np.median(self.batches)),
            batch_rows=self.batch_rows,
        )


def timings(models: Sequence[tuple[Serving, Requests]], told: Callable[[int, int], None]) -> list[Timing]:
    """Measures models in turns.

    models: each with the same requests, in the order of its own columns; at least one.
    told:   called with rounds that are done, and of how many.

    A round is everybody's turn forwards and then backwards, so that each meets the others' heat and cold on both sides;
    the two turns of one model also say what the same measurement of the same model differs by.
    """
    first = [_warm(serving, requests) for serving, requests in models]
    slowest_s = max(first)
    calls = int(np.clip(_SINGLES_S / (2 * ROUNDS * sum(first)), _FEWEST_CALLS, _MOST_CALLS))
    batch_rows = _SLOW_BATCH_ROWS if slowest_s > _SLOW_S else _BATCH_ROWS
    singles = np.empty((len(models), ROUNDS, 2, calls))
    batches = np.empty((len(models), ROUNDS, 2))
    for number in range(ROUNDS):
        for turn, order in enumerate((range(len(models)), reversed(range(len(models))))):
            for place in order:
                serving, requests = models[place]
                singles[place, number, turn] = _calls(serving, requests, calls)
                batches[place, number, turn] = _batch(serving, requests, number, batch_rows)
        told(number + 1, ROUNDS)
    return [Timing(serving, singles[place], batches[place], batch_rows) for place, (serving, _) in enumerate(models)]


def most_calls() -> int:
    """Rows that `timings` can use."""
    return _MOST_CALLS


def _warm(serving: Serving, requests: Requests) -> float:
    """Seconds of a call, after some."""
    for place in range(_WARM_UP):
        serving.answer(requests.part(place, 1))
    return float(_calls(serving, requests, _WARM_UP).mean()) / 1000


def _calls(serving: Serving, requests: Requests, count: int) -> Numbers:
    """Milliseconds of calls with one row each; rows of the whole width of what there is."""
    step = max(len(requests) // count, 1)
    took = np.empty(count)
    for place in range(count):
        one = requests.part(place * step, 1)
        begun = perf_counter_ns()
        serving.answer(one)
        took[place] = (perf_counter_ns() - begun) / _NS_A_MS
    return took


def _batch(serving: Serving, requests: Requests, number: int, rows: int) -> float:
    part = requests.part(number * rows, rows)
    begun = perf_counter_ns()
    serving.answer(part)
    return (perf_counter_ns() - begun) / _NS_A_MS


def _middle(rounds: Numbers) -> Interval:
    """The median over rounds; its interval by drawing rounds again."""
    low, high = np.quantile(np.median(rounds[_draws(len(rounds))], axis=1), [0.025, 0.975])
    value = float(np.median(rounds))
    return Interval(value, min(float(low), value), max(float(high), value))


def _noise(turns: Numbers) -> float:
    """How far the medians of the same model's first and second turns are apart, 19 times out of 20, as a share.

    turns: rounds x 2.
    """
    drawn = np.median(turns[_draws(len(turns))], axis=1)
    return float(np.quantile(np.abs(drawn[:, 0] - drawn[:, 1]) / np.median(turns), 0.95))


def _draws(rounds: int) -> NDArray[np.int64]:
    return np.random.default_rng(0).integers(0, rounds, (_RESAMPLES, rounds))


def speedup(original: Timing, result: Timing) -> Interval:
    """Times as fast as the original, one row at a time: the ratio of medians, its interval by drawing rounds again."""
    before, after = (np.median(one.singles.reshape(len(one.singles), -1), axis=1) for one in (original, result))
    draws = _draws(len(before))
    ratios = np.median(before[draws], axis=1) / np.median(after[draws], axis=1)
    value = float(np.median(before) / np.median(after))
    low, high = (float(one) for one in np.quantile(ratios, [0.025, 0.975]))
    return Interval(value, min(low, value), max(high, value))
