"""How long models take, measured in turns, so that whatever else the machine does meets them all alike."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter_ns, process_time_ns

import numpy as np
from numpy.typing import NDArray

from unisono.compress.report.document import Interval, Latency
from unisono.compress.report.serving import Requests, Serving

Numbers = NDArray[np.float64]
Clock = Callable[[], int]
"""Nanoseconds since some time."""

ROUNDS = 12
_WARM_UP = 3
_SINGLES_S = 6.0  # for calls of one row, of all models together: turns shorter than another program's bursts mislead
_OPENING_S = 6.0  # for opening models again and again, all together
_FEWEST_CALLS, _MOST_CALLS = 8, 20_000  # of one model in its turn
ROWS = 256
"""That `timings` can use: one that comes again and again is predicted by the processor."""

_BATCH_ROWS, _SLOW_BATCH_ROWS = 64, 8
_SLOW_S = 0.005  # a row
_SHARED_S = 0.001  # a row: so long that other programs get the processor meanwhile
_RESAMPLES = 2000
_NS_A_MS, _NS_A_S = 1e6, 1e9


@dataclass(frozen=True, slots=True)
class Timing:
    """What was measured of one model in one runtime.

    singles: milliseconds of a call with one row: rounds x 2 turns x calls.
    batches: milliseconds of a call with a batch: rounds.
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
        return Latency(
            runtime=self.serving.runtime,
            median=_middle(_by_round(self.singles)),
            p99=float(np.quantile(self.singles, 0.99)),
            noise=_noise(_by_round(self.singles)),
            rows_per_s=self.batch_rows * 1000 / float(np.median(self.batches)),
            batch_rows=self.batch_rows,
        )


def timings(models: Sequence[tuple[Serving, Requests]], told: Callable[[int, int], None]) -> list[Timing]:
    """Measures models in turns.

    models: each with the same requests, in the order of its own columns; at least one.
    told:   called with rounds that are done, and of how many.

    A round is everybody's turn forwards and then backwards, so that each meets the others' heat and cold on both sides.
    Before a round every model is opened again, unless that takes too long: where it comes to lie in memory makes a
    percent of difference, which stays as long as it is open.

    Where a row takes more than a millisecond, the time is that of the processor: one thread computes, and what other
    programs take in between is no matter of the model. Short calls are hardly ever interrupted, and their median not.
    """
    first = [_warm(serving, requests) for serving, requests in models]
    reopened = all(_quick_to_open(serving, len(models)) for serving, _ in models)
    slowest_s = max(first)
    calls = int(np.clip(_SINGLES_S / (2 * ROUNDS * sum(first)), _FEWEST_CALLS, _MOST_CALLS))
    batch_rows = _SLOW_BATCH_ROWS if slowest_s > _SLOW_S else _BATCH_ROWS
    clock = process_time_ns if slowest_s > _SHARED_S else perf_counter_ns
    singles = np.empty((len(models), ROUNDS, 2, calls))
    batches = np.empty((len(models), ROUNDS))
    for number in range(ROUNDS):
        if reopened:
            _open_again(models)
        singles[:, number] = _turns(models, calls, clock)
        batches[:, number] = [_batch(*one, number * batch_rows, batch_rows, clock) for one in models]
        told(number + 1, ROUNDS)
    return [Timing(serving, singles[place], batches[place], batch_rows) for place, (serving, _) in enumerate(models)]


def _turns(models: Sequence[tuple[Serving, Requests]], calls: int, clock: Clock) -> Numbers:
    """Milliseconds of everybody's calls, forwards and then backwards: models x 2 turns x calls."""
    forwards = [_calls(serving, requests, calls, clock) for serving, requests in models]
    backwards = [_calls(serving, requests, calls, clock) for serving, requests in reversed(models)]
    return np.stack([forwards, backwards[::-1]], axis=1)


def _quick_to_open(serving: Serving, models: int) -> bool:
    begun = perf_counter_ns()
    serving.open_again()
    return (perf_counter_ns() - begun) / _NS_A_S * ROUNDS * models < _OPENING_S


def _open_again(models: Sequence[tuple[Serving, Requests]]) -> None:
    for serving, requests in models:
        serving.open_again()
        _warm(serving, requests)


def _warm(serving: Serving, requests: Requests) -> float:
    """Seconds of a call, after some."""
    for place in range(_WARM_UP):
        serving.answer(requests.part(place, 1))
    return float(_calls(serving, requests, _WARM_UP, perf_counter_ns).mean()) / 1000


def _calls(serving: Serving, requests: Requests, count: int, clock: Clock) -> Numbers:
    """Milliseconds of calls with one row each; few calls are spread over all rows."""
    step = max(len(requests) // count, 1)
    ones = [requests.part(place * step, 1) for place in range(min(count, len(requests)))]
    took = np.empty(count)
    for place in range(count):
        one = ones[place % len(ones)]
        begun = clock()
        serving.answer(one)
        took[place] = (clock() - begun) / _NS_A_MS
    return took


def _batch(serving: Serving, requests: Requests, start: int, rows: int, clock: Clock) -> float:
    part = requests.part(start, rows)
    begun = clock()
    serving.answer(part)
    return (clock() - begun) / _NS_A_MS


def _middle(rounds: Numbers) -> Interval:
    """The median over rounds; its interval by drawing rounds again."""
    low, high = np.quantile(np.median(rounds[_draws(len(rounds))], axis=1), [0.025, 0.975])
    value = float(np.median(rounds))
    return Interval(value, min(float(low), value), max(float(high), value))


def _noise(rounds: Numbers) -> float:
    """What two measurements of the same model differ by at most, 19 times out of 20, as a share: rounds drawn twice."""
    drawn = np.median(rounds[_draws(len(rounds))], axis=1)
    return float(np.quantile(np.abs(drawn[::2] - drawn[1::2]) / np.median(rounds), 0.95))


def _draws(rounds: int) -> NDArray[np.int64]:
    return np.random.default_rng(0).integers(0, rounds, (_RESAMPLES, rounds))


def speedup(original: Timing, result: Timing) -> Interval:
    """Times as fast as the original, one row at a time: the median of the rounds' ratios.

    Within a round both have had the same machine, so that a slow one is in both or in none.
    """
    before, after = (_by_round(one.singles) for one in (original, result))
    return _middle(before / after)


def _by_round(singles: Numbers) -> Numbers:
    medians: Numbers = np.median(singles.reshape(len(singles), -1), axis=1)
    return medians
