"""The area under the ROC curve with its interval."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from unisono.compress.report.document import Interval
from unisono.compress.report.statistics.proportions import CONFIDENCE
from unisono.models.metrics import area_under_curve

Numbers = NDArray[np.float64]


def curve_area(scores: Numbers, is_second: NDArray[np.bool_], confidence: float = CONFIDENCE) -> Interval | None:
    """How often a row of the second class has a higher score than one of the first, with an interval.

    The variance is that of DeLong, DeLong and Clarke-Pearson, 1988, in the fast form of Sun and Xu, 2014; the interval
    is made on the scale of log odds (Pepe, 2003), so that it stays between 0 and 1. None: a class has not two rows.
    """
    second, first = scores[is_second], scores[~is_second]
    if min(len(second), len(first)) < 2:
        return None
    area = area_under_curve(scores, is_second)
    whole = stats.rankdata(scores)
    above = (whole[is_second] - stats.rankdata(second)) / len(first)
    below = (whole[~is_second] - stats.rankdata(first)) / len(second)
    error = math.sqrt(above.var(ddof=1) / len(second) + below.var(ddof=1) / len(first))
    if not 0 < area < 1:  # as sure as so many pairs can make it
        edge = 1 - (1 - confidence) ** (1 / min(len(second), len(first)))
        return Interval(area, max(0.0, area - edge), min(1.0, area + edge))
    reach = float(stats.norm.ppf(0.5 + confidence / 2)) * error / (area * (1 - area))
    middle = math.log(area / (1 - area))
    return Interval(area, _chance(middle - reach), _chance(middle + reach))


def _chance(log_odds: float) -> float:
    return float(1 / (1 + np.exp(-log_odds)))
