"""The report as data: what `compression.json` in an artifact holds."""

from __future__ import annotations

from typing import Any

import msgspec

from unisono.spec.errors import ModelError
from unisono.spec.wording import one_line

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

    Of models that take more than a millisecond the time of the processor, else of the clock: see `latency.timings`.

    runtime: what ran the graph.
    median:  of all calls, with an interval over rounds.
    p99:     of all calls.
    noise:   what two measurements of the same graph differ by at most, 19 times out of 20, as a share of the median; a
             smaller difference between two models says nothing.
    rows_per_s: in batches, on one core.
    batch_rows: rows of such a batch.
    """

    runtime: str
    median: Interval
    p99: float
    noise: float
    rows_per_s: float
    batch_rows: int


class CalibrationBin(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Rows of which a model is about equally sure.

    confidence: how sure it is: the mean probability of the class that it says.
    right:      share of the rows of which that is the class.
    rows:       of the bin.
    """

    confidence: float
    right: Interval
    rows: int


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
    energy_mj:        millijoules a row: modelled, not measured; None where operations are not known.
    accuracy:         share of the rows that are right, 0 to 1; of a regression: the share of the variance explained; of
                      the task "outputs", which has no right answer: the mean cosine with the original's outputs.
    metrics:          other metrics by name: auc, log_loss, brier, calibration_error; rmse, mae.
    calibration:      of a classifier, from the rows that it is least sure of to the surest.
    numeric_class:    exact or bounded; an engine that is bounded makes it that.
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
    energy_mj: Interval | None
    accuracy: Interval
    metrics: dict[str, Interval]
    calibration: list[CalibrationBin]
    numeric_class: str


class SliceChange(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What changed in one slice.

    column, value: which rows.
    rows:      how many of the test rows.
    original, result: share of them that each has right, 0 to 1 (of a regression: negative root mean squared error in
               units of the label's standard deviation; of "outputs": the mean cosine).
    change:    result less original, in points of 100; paired. The interval holds for all slices together, with 95 %.
    p_value:   of "nothing changed", corrected for the number of slices.
    is_judged: whether it has rows enough that a budget may be decided by it; see `ReportJson.slice_rows`.
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

    task:            regression, binary, multiclass or outputs.
    recipe:          with every setting.
    original, result: the two sides.
    rows:            that both were judged by.
    speedup:         times as fast as the original, one row at a time, each in its runtime.
    agreement:       share of the rows on which both say the same; of a regression: share of the variance of what the
                     original says that the result repeats; of "outputs": the mean cosine.
    accuracy_change: result less original, in points of 100, paired.
    slice_rows:      that a slice needs, so that a loss of 5 points in it would be seen four times out of five.
    slices:          the worst first.
    changed:         the most changed rows first.
    notes:           what the steps found out: step -> name -> value.
    broken:          what of the budget does not hold, one sentence each; empty: it holds.
    machine:         that measured it.
    """

    format: int
    predictor: str
    task: str
    recipe: dict[str, Any]
    original: Side
    result: Side
    rows: int
    speedup: Interval
    agreement: Interval
    accuracy_change: Interval
    slice_rows: int
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


class _Header(msgspec.Struct, frozen=True):
    format: int


def report_bytes(report: ReportJson) -> bytes:
    """As JSON that `read_report` reads; the same bytes for the same report."""
    return msgspec.json.encode(report, order="sorted")


def read_report(content: bytes) -> ReportJson:
    """What `report_bytes` wrote. Raises ModelError for anything else."""
    try:
        header = msgspec.json.decode(content, type=_Header)
        if header.format != FORMAT:
            raise _refused(f"format {header.format}")
        return msgspec.json.decode(content, type=ReportJson)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise _refused(one_line(error)) from error


def _refused(seen: str) -> ModelError:
    return ModelError(f"report: {seen}; allowed: a report of format {FORMAT}; compress the model again")
