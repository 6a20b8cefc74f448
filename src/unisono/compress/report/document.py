"""The report as data: what `compression.json` in an artifact holds."""

from __future__ import annotations

from typing import Any

import msgspec

FORMAT = 1


class Interval(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A number that was estimated.

    value:     of it.
    low, high: of the interval that holds it with 95 % confidence.
    """

    value: float
    low: float
    high: float


class Latency(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How long one row takes, from the request's values to the answer, tokens included; milliseconds, one thread.

    runtime: what ran the graph.
    median:  of all calls, with an interval over rounds.
    p99:     of all calls.
    noise:   what the same measurement of the same graph differed by between rounds, as a share of the median; a smaller
             difference between two models says nothing.
    rows_per_s: in batches, on one core.
    batch_rows: rows of such a batch.
    """

    runtime: str
    median: Interval
    p99: float
    noise: float
    rows_per_s: float
    batch_rows: int


class Side(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One of the two models.

    size_bytes:       of its artifact.
    graph_bytes:      of its graph.
    compressed_bytes: of its graph, by zlib: what a download costs.
    parameters:       numbers that were learnt: weights, thresholds, leaves.
    zeros:            of them, that are zero.
    operations:       multiplications with an addition a row, where they are known; of trees: comparisons.
    latency:          with the runtime that was chosen.
    runtimes:         with every runtime that could run it.
    peak_bytes:       most memory of a process that runs it row by row, over one that only imported the runtime.
    energy_mj:        millijoules a row, modelled.
    accuracy:         share of the rows that are right, 0 to 1; of a regression: the share of the variance explained.
    metrics:          other metrics by name: auc, log_loss, calibration_error, rmse, ...
    numeric_class:    exact or bounded.
    """

    size_bytes: int
    graph_bytes: int
    compressed_bytes: int
    parameters: int
    zeros: int
    operations: int | None
    latency: Latency
    runtimes: list[Latency]
    peak_bytes: int
    energy_mj: Interval
    accuracy: Interval
    metrics: dict[str, Interval]
    numeric_class: str


class SliceChange(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What changed in one slice.

    column, value: which rows.
    rows:      how many of the test rows.
    original, result: share of them that each has right, 0 to 1 (of a regression: negative root mean squared error in
               units of the label's standard deviation).
    change:    result less original, in points of 100; paired. The interval holds for all slices together.
    p_value:   of "nothing changed", corrected for the number of slices.
    is_judged: whether it has rows enough that a budget may be decided by it.
    """

    column: str
    value: str
    rows: int
    original: float
    result: float
    change: Interval
    p_value: float
    is_judged: bool


class ChangedRow(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A row whose answer changed much.

    row:    its place among the test rows.
    values: what the model reads, shortened.
    label:  what is right.
    original, result: what each says, with the probability of it where there is one.
    distance: how far apart they are: half the sum of the differences of their probabilities; of a regression the
            difference in standard deviations of the label.
    """

    row: int
    values: dict[str, str]
    label: str
    original: str
    result: str
    distance: float


class ReportJson(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a recipe saved and what it cost.

    recipe:          with every setting.
    original, result: the two sides.
    rows:            that both were judged by.
    agreement:       share of the rows on which both say the same.
    accuracy_change: result less original, in points of 100, paired.
    slices:          the worst first.
    changed:         the most changed rows first.
    notes:           what the steps found out: step -> name -> value.
    broken:          what of the budget does not hold, one sentence each; empty: it holds.
    machine:         that measured it.
    """

    format: int
    predictor: str
    recipe: dict[str, Any]
    original: Side
    result: Side
    rows: int
    agreement: Interval
    accuracy_change: Interval
    slices: list[SliceChange]
    changed: list[ChangedRow]
    notes: dict[str, dict[str, Any]]
    broken: list[str]
    machine: dict[str, str]

    @property
    def worst_slice(self) -> SliceChange | None:
        """The slice that lost most, among those with rows enough."""
        judged = [one for one in self.slices if one.is_judged]
        return min(judged, key=lambda one: one.change.value, default=None)
