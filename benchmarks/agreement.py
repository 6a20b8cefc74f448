"""Are two answers to the workload equal?  Exactly where both are exact, else within a stated error.

`python -m benchmarks.agreement OURS THEIRS VALUES` compares two Parquet files of answered requests, prints
one JSON line and exits 1 if they differ.
"""

from __future__ import annotations

import json
import sys

import numpy as np
import polars as pl
from numpy.typing import NDArray

from benchmarks.workload import FEATURES

# Of max(1, |value|): the floor is for windows that ran empty, where a running float sum leaves a residue instead of 0.
ERROR = 1e-9


def is_exact(name: str, values: str) -> bool:
    """Whether every engine can give this feature exactly: counts, maxima, and sums of decimals."""
    return "count" in name or "_max_" in name or ("_sum_" in name and values == "decimal")


def disagreement(ours: NDArray[np.float64], theirs: NDArray[np.float64], *, error: float) -> tuple[float, int | None]:
    """The largest error, and the first row where null (NaN) meets a value or the error is above `error`."""
    both_null = np.isnan(ours) & np.isnan(theirs)
    gap = np.where(both_null, 0.0, np.abs(ours - theirs) / np.maximum(1.0, np.abs(ours)))
    wrong = np.flatnonzero(~(gap <= error))
    return float(np.nanmax(gap, initial=0.0)), (int(wrong[0]) if len(wrong) else None)


def compare(ours: pl.DataFrame, theirs: pl.DataFrame, values: str) -> dict[str, object]:
    """`equal`, the `largest_error` of the inexact features, and the `first` difference as text."""
    ours, theirs = ours.sort("request"), theirs.sort("request")
    if not ours.select("request", "key", "time").equals(theirs.select("request", "key", "time")):
        return {"equal": False, "largest_error": None, "first": "other requests, keys or times"}
    largest = 0.0
    for name in FEATURES:
        left, right = (frame[name].cast(pl.Float64).to_numpy() for frame in (ours, theirs))
        error, row = disagreement(left, right, error=0.0 if is_exact(name, values) else ERROR)
        if row is not None:
            first = f"{name}, request {row}: {float(left[row])} and {float(right[row])}"
            return {"equal": False, "largest_error": error, "first": first}
        largest = max(largest, error)
    return {"equal": True, "largest_error": largest, "first": None}


def main(ours: str, theirs: str, values: str) -> None:
    result = compare(pl.read_parquet(ours), pl.read_parquet(theirs), values)
    print(json.dumps(result))
    sys.exit(0 if result["equal"] else 1)


if __name__ == "__main__":
    main(*sys.argv[1:])
