"""Whether a model is right as often as it says it is."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from unisono.compress.report.document import CalibrationBin, Interval
from unisono.compress.report.statistics.proportions import CONFIDENCE, share

Numbers = NDArray[np.float64]

BINS = 15
_FEWEST = 10  # rows of a bin


def calibration_error(confidence_of: Numbers, is_right: NDArray[np.bool_], confidence: float = CONFIDENCE) -> Interval:
    """The root mean squared gap between how sure a model is and how often it is right, 0 to 1.

    Over bins with as many rows each, and without the bias: plain bins find a gap even where there is none, since the
    share of right rows in a bin strays; what it strays by is taken away (Kumar, Liang and Ma, 2019). The interval is
    made for the square, by the variance of each bin's gap.

    confidence_of: a row: the probability of the class that the model says.
    is_right:      a row: whether that is the class.
    """
    gaps = is_right - confidence_of
    parts = [gaps[rows] for rows in _bins(confidence_of)]
    sizes = np.array([len(part) for part in parts], np.float64)
    weights = sizes / sizes.sum()
    middle = np.array([part.mean() for part in parts])
    stray = np.array([part.var(ddof=1) / len(part) if len(part) > 1 else part.mean() ** 2 for part in parts])
    square = float((weights * (middle**2 - stray)).sum())
    known = np.maximum(middle**2 - stray, 0)
    error = math.sqrt(float((weights**2 * (4 * known * stray + 2 * stray**2)).sum()))
    reach = float(stats.norm.ppf(0.5 + confidence / 2)) * error
    return Interval(*(math.sqrt(max(one, 0.0)) for one in (square, square - reach, square + reach)))


def calibration_bins(confidence_of: Numbers, is_right: NDArray[np.bool_]) -> list[CalibrationBin]:
    """How sure a model is and how often it is right, from the least sure rows to the surest."""
    return [
        CalibrationBin(float(confidence_of[rows].mean()), share(int(is_right[rows].sum()), len(rows)), len(rows))
        for rows in _bins(confidence_of)
    ]


def _bins(confidence_of: Numbers) -> list[NDArray[np.int64]]:
    """Rows of about equal confidence; equal ones are together, whatever order they come in."""
    count = max(1, min(BINS, len(confidence_of) // _FEWEST))
    edges = np.unique(np.quantile(confidence_of, np.arange(1, count) / count))
    places = np.searchsorted(edges, confidence_of, side="left")
    return [np.flatnonzero(places == place) for place in np.unique(places)]
