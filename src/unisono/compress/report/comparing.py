"""Two models' answers to the same rows: how good each is, and what changed from one to the other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from unisono.compress.report.answers import Answers, Chances, Vectors
from unisono.compress.report.document import CalibrationBin, Interval
from unisono.compress.report.statistics.calibration import calibration_bins, calibration_error
from unisono.compress.report.statistics.means import Estimate, explained, mean, root_mean_square
from unisono.compress.report.statistics.proportions import CONFIDENCE, paired_change, share, unchanged
from unisono.compress.report.statistics.ranking import curve_area
from unisono.spec.errors import ModelError

Mask = NDArray[np.bool_]
Numbers = NDArray[np.float64]
Places = NDArray[np.int64]

POINTS = 100.0


class Comparison(Protocol):
    """Of an original and what was made of it. Changes are result less original, in points of 100."""

    def accuracies(self) -> tuple[Interval, Interval]:
        """How good both are; see `Side.accuracy`."""
        ...

    def metrics(self) -> tuple[dict[str, Interval], dict[str, Interval]]:
        """Other metrics of both."""
        ...

    def calibration(self) -> tuple[list[CalibrationBin], list[CalibrationBin]]:
        """Whether both are right as often as they say; empty where they do not say."""
        ...

    def agreement(self) -> Interval:
        """How often both say the same; see `ReportJson.agreement`."""
        ...

    def change(self) -> Interval:
        """Of the accuracy."""
        ...

    def levels(self, rows: Mask) -> tuple[float, float]:
        """How good both are in a slice; see `SliceChange.original`."""
        ...

    def slice_change(self, rows: Mask, confidence: float) -> Interval:
        """What changed in a slice."""
        ...

    def chance(self, rows: Mask) -> float:
        """Of so much of a change in a slice if nothing changed."""
        ...

    def spread(self) -> float:
        """The variance of what one row adds to the change of a slice, in shares, not points."""
        ...

    def distances(self) -> Numbers:
        """How far apart the answers to each row are; see `ChangedRow.distance`."""
        ...


def compared(original: Answers, result: Answers, *, truth: Places | Numbers) -> Comparison:
    """Two models' answers side by side.

    truth: what is right for each row, as `Data.targets` says it; for vectors it is not looked at.

    Raises ModelError if they are of different tasks, or do not have as many classes or numbers.
    """
    if type(original) is not type(result) or original.values.shape != result.values.shape:
        raise ModelError(
            f"result: answers of shape {result.values.shape}; allowed: as the original's, {original.values.shape}; "
            "compress to a model with the same classes or outputs"
        )
    if isinstance(original, Chances) and isinstance(result, Chances):
        return _Classes(original, result, truth.astype(np.int64))
    if isinstance(original, Vectors) and isinstance(result, Vectors):
        return _Outputs(original, result)
    return _Numbers(original.values, result.values, truth.astype(np.float64))


@dataclass(frozen=True, slots=True)
class _Classes:
    """Of classifiers."""

    original: Chances
    result: Chances
    truth: Places

    def _right(self) -> tuple[Mask, Mask]:
        return self.original.said == self.truth, self.result.said == self.truth

    def _counts(self, rows: Mask) -> tuple[int, int]:
        before, after = self._right()
        return int((after & ~before)[rows].sum()), int((before & ~after)[rows].sum())

    def accuracies(self) -> tuple[Interval, Interval]:
        before, after = (share(int(right.sum()), len(right)) for right in self._right())
        return before, after

    def metrics(self) -> tuple[dict[str, Interval], dict[str, Interval]]:
        return _metrics_of(self.original, self.truth), _metrics_of(self.result, self.truth)

    def calibration(self) -> tuple[list[CalibrationBin], list[CalibrationBin]]:
        before, after = self._right()
        return calibration_bins(self.original.confidence, before), calibration_bins(self.result.confidence, after)

    def agreement(self) -> Interval:
        same = self.original.said == self.result.said
        return share(int(same.sum()), len(same))

    def change(self) -> Interval:
        return self.slice_change(np.ones(len(self.truth), np.bool_), CONFIDENCE)

    def levels(self, rows: Mask) -> tuple[float, float]:
        before, after = (float(right[rows].mean()) for right in self._right())
        return before, after

    def slice_change(self, rows: Mask, confidence: float) -> Interval:
        return in_points(paired_change(*self._counts(rows), int(rows.sum()), confidence))

    def chance(self, rows: Mask) -> float:
        return unchanged(*self._counts(rows))

    def spread(self) -> float:
        before, after = self._right()
        return float((after.astype(np.float64) - before).var())

    def distances(self) -> Numbers:
        gaps: Numbers = np.abs(self.original.values - self.result.values).sum(axis=1) / 2
        return gaps


def _metrics_of(answers: Chances, truth: Places) -> dict[str, Interval]:
    chances, said = answers.values, answers.said
    least = float(np.finfo(np.float64).eps)
    losses = -np.log(np.clip(chances[np.arange(len(truth)), truth], least, 1 - least))
    errors = chances - np.eye(chances.shape[1])[truth]
    found = {"log_loss": _above_zero(mean(losses))}
    if chances.shape[1] == 2:
        area = curve_area(chances[:, 1], truth == 1)
        found |= {} if area is None else {"auc": area}
        found["brier"] = _above_zero(mean(errors[:, 1] ** 2))
    found["calibration_error"] = calibration_error(answers.confidence, said == truth)
    return found


def _above_zero(found: Estimate) -> Interval:
    """With an interval of what is never negative."""
    whole = found.interval()
    return Interval(whole.value, max(whole.low, 0.0), whole.high)


@dataclass(frozen=True, slots=True)
class _Numbers:
    """Of regressions."""

    original: Numbers
    result: Numbers
    truth: Numbers

    def _errors(self) -> tuple[Numbers, Numbers]:
        return self.original - self.truth, self.result - self.truth

    def _unit(self) -> float:
        return float(self.truth.std()) or 1.0

    def _change(self, rows: Mask) -> Estimate:
        """Of the negative root mean squared error of a slice, in standard deviations of the label."""
        before, after = (root_mean_square(errors[rows] / self._unit()) for errors in self._errors())
        return before - after

    def accuracies(self) -> tuple[Interval, Interval]:
        before, after = (explained(errors, self.truth).interval() for errors in self._errors())
        return before, after

    def metrics(self) -> tuple[dict[str, Interval], dict[str, Interval]]:
        before, after = (
            {"rmse": _above_zero(root_mean_square(errors)), "mae": _above_zero(mean(np.abs(errors)))}
            for errors in self._errors()
        )
        return before, after

    def calibration(self) -> tuple[list[CalibrationBin], list[CalibrationBin]]:
        return [], []

    def agreement(self) -> Interval:
        return explained(self.result - self.original, self.original).interval()

    def change(self) -> Interval:
        before, after = (explained(errors, self.truth) for errors in self._errors())
        return in_points((after - before).interval())

    def levels(self, rows: Mask) -> tuple[float, float]:
        before, after = (-root_mean_square(errors[rows] / self._unit()).value for errors in self._errors())
        return before, after

    def slice_change(self, rows: Mask, confidence: float) -> Interval:
        return in_points(self._change(rows).interval(confidence))

    def chance(self, rows: Mask) -> float:
        return self._change(rows).chance_of_zero()

    def spread(self) -> float:
        return float(self._change(np.ones(len(self.truth), np.bool_)).moves.var())

    def distances(self) -> Numbers:
        gaps: Numbers = np.abs(self.original - self.result) / self._unit()
        return gaps


@dataclass(frozen=True, slots=True)
class _Outputs:
    """Of models with outputs of their own: there is nothing that is right but what the original says."""

    original: Vectors
    result: Vectors

    def _alike(self) -> Numbers:
        return self.original.cosines(self.result)

    def accuracies(self) -> tuple[Interval, Interval]:
        return Interval(1.0, 1.0, 1.0), self.agreement()

    def metrics(self) -> tuple[dict[str, Interval], dict[str, Interval]]:
        return {}, {}

    def calibration(self) -> tuple[list[CalibrationBin], list[CalibrationBin]]:
        return [], []

    def agreement(self) -> Interval:
        return mean(self._alike()).interval()

    def change(self) -> Interval:
        return in_points(mean(self._alike() - 1).interval())

    def levels(self, rows: Mask) -> tuple[float, float]:
        return 1.0, float(self._alike()[rows].mean())

    def slice_change(self, rows: Mask, confidence: float) -> Interval:
        return in_points(mean(self._alike()[rows] - 1).interval(confidence))

    def chance(self, rows: Mask) -> float:
        return mean(self._alike()[rows] - 1).chance_of_zero()

    def spread(self) -> float:
        return float(self._alike().var())

    def distances(self) -> Numbers:
        return 1 - self._alike()


def in_points(found: Interval) -> Interval:
    """Shares as points of 100."""
    return Interval(found.value * POINTS, found.low * POINTS, found.high * POINTS)
