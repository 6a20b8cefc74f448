"""How far the report can be trusted: false alarms and losses among slices, and a model measured beside itself.

python -m benchmarks.compress.report_statistics
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import stats

import unisono as un
from unisono.compress.report.answers import Chances
from unisono.compress.report.changes import slice_changes
from unisono.compress.report.comparing import compared
from unisono.compress.report.latency import speedup, timings
from unisono.compress.report.serving import Serving, requests_of
from unisono.compress.report.slicing import Slice
from unisono.models import PredictorGraph, build_graph, import_model

REPORTS, SLICES, ROWS = 400, 20, 16_000
RIGHT = 0.8  # of the rows, for both models
CHANGED = (0.1, 0.02)  # share of the rows that the other model has otherwise
LOST = 0.05  # of the rows of one slice
PAIRS = 20

Bools = NDArray[np.bool_]
Way = Callable[[Bools, Bools, NDArray[np.int64]], Bools]
"""(what each model has right, the slice of each row) -> which slices are called changed."""


def unpaired(before: Bools, after: Bools, places: NDArray[np.int64]) -> Bools:
    """Each slice by the test of two independent shares, at 5 %."""
    rows = ROWS // SLICES
    shares = [(before[places == one].mean(), after[places == one].mean()) for one in range(SLICES)]
    gaps = [abs(a - b) / np.sqrt((a * (1 - a) + b * (1 - b)) / rows) for a, b in shares]
    return np.array([gap > stats.norm.ppf(0.975) for gap in gaps])


def paired(before: Bools, after: Bools, places: NDArray[np.int64]) -> Bools:
    """Each slice by McNemar's test, at 5 % each."""
    return np.array([one < 0.05 for one in _chances(before, after, places, together=False)])


def ours(before: Bools, after: Bools, places: NDArray[np.int64]) -> Bools:
    """As the report does it: McNemar's test, corrected for the number of slices."""
    return np.array([one < 0.05 for one in _chances(before, after, places, together=True)])


def _chances(before: Bools, after: Bools, places: NDArray[np.int64], *, together: bool) -> list[float]:
    truth = np.zeros(len(before), np.int64)
    comparison = compared(_said(before), _said(after), truth=truth)
    parts = [Slice("", str(one), places == one) for one in range(SLICES)]
    if not together:
        return [comparison.chance(one.rows) for one in parts]
    found = {one.value: one.p_value for one in slice_changes(comparison, parts, 100)}
    return [found[one.value] for one in parts]


def _said(right: Bools) -> Chances:
    return Chances(np.where(right[:, None], [0.9, 0.1], [0.1, 0.9]))


def drawn(seed: int, lost: float, changed: float) -> tuple[Bools, Bools, NDArray[np.int64]]:
    """Two models that are right as often, each in some rows alone; in the first slice the second lost more.

    lost:    share of that slice's rows.
    changed: share of all rows, as many to right as to wrong.
    """
    random = np.random.default_rng(seed)
    places = random.permutation(np.arange(ROWS) % SLICES)
    before = random.random(ROWS) < RIGHT
    losing = (changed / 2 + lost * (places == 0)) / RIGHT
    gaining = changed / 2 / (1 - RIGHT)
    return before, before ^ (random.random(ROWS) < np.where(before, losing, gaining)), places


_WAYS: dict[str, Way] = {"two shares, 5 % each": unpaired, "paired, 5 % each": paired, "paired, corrected": ours}


def slices_table() -> str:
    """How often each way is wrong where nothing changed, and right where something did."""
    lines = ["| way | rows that changed | reports with a false alarm | the loss is seen |", "|---|---|---|---|"]
    for changed in CHANGED:
        for name, way in (
            ("two shares, 5 % each", unpaired),
            ("paired, 5 % each", paired),
            ("paired, corrected", ours),
        ):
            alarms = np.mean([way(*drawn(seed, 0.0, changed)).any() for seed in range(REPORTS)])
            seen = np.mean([way(*drawn(seed, LOST, changed))[0] for seed in range(REPORTS)])
            lines.append(f"| {name} | {changed:.0%} | {alarms:.0%} | {seen:.0%} |")
    return "\n".join(lines)


def against_itself() -> str:
    """A model measured beside itself, many times: how far from 1 the ratio is, and whether the interval says so."""
    graph, frame = forest()
    requests = requests_of(graph, frame)
    found, noises = [], []
    for _ in range(PAIRS):
        both = [(Serving(graph, "onnxruntime"), requests) for _ in range(2)]
        one, other = timings(both, lambda done, of: None)
        found.append(speedup(one, other))
        noises.append(one.latency().noise)
    ratios = np.array([one.value for one in found])
    held = sum(one.low <= 1 <= one.high for one in found)
    return (
        f"a forest beside itself, {PAIRS} times: ratio {ratios.min():.3f} to {ratios.max():.3f}, its interval holds 1 "
        f"{held} times; noise floor {np.median(noises):.1%} (median), {max(noises):.1%} (largest)"
    )


def forest() -> tuple[PredictorGraph, pl.DataFrame]:
    """100 trees of 31 leaves on ten numbers, and rows."""
    from lightgbm import LGBMClassifier

    random = np.random.default_rng(0)
    names = [f"x{place}" for place in range(10)]
    frame = pl.DataFrame(random.normal(size=(2000, 10)), schema=names)
    label = frame.to_numpy().sum(axis=1) + random.normal(size=2000) > 0
    fitted = LGBMClassifier(n_estimators=100, n_jobs=1, verbose=-1).fit(frame.to_pandas(), label)
    inputs = dict.fromkeys(names, un.Float64)
    predictor = un.Predictor("forest", request=inputs, time="asked_at", features=())
    return build_graph(predictor, [], import_model(fitted, inputs=inputs), ()), frame


def main() -> None:
    print(f"{REPORTS} reports of {SLICES} slices of {ROWS // SLICES} rows; the loss is {LOST:.0%} of one slice\n")
    print(slices_table(), "\n")
    print(against_itself())


if __name__ == "__main__":
    main()
