"""The one workload of all benchmarks: sizes, windows, feature names, and where its files are kept.

Imports nothing heavy: the process that measures the peak memory of others has to stay small (`harness.run_process`).
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, get_args

Values = Literal["decimal", "float"]
VALUES: Final[tuple[Values, ...]] = get_args(Values)

EVENTS: Final = 5_000_000
EVENTS_PER_KEY: Final = 50
EVENTS_PER_REQUEST: Final = 10
ZIPF: Final = 0.8
PLACES: Final = 2
HOUR_US: Final = 3_600_000_000
START_US: Final = 1_700_006_400_000_000  # 2023-11-15T00:00:00Z
SPAN_US: Final = 30 * 24 * HOUR_US
WINDOWS: Final = {"1h": HOUR_US, "1d": 24 * HOUR_US, "7d": 7 * 24 * HOUR_US}
AGGREGATIONS: Final = ("count", "sum", "mean", "max", "std")
VIEW: Final = "by_key"
# Part of a file's name, so that a changed generator never meets an old file.
GENERATION: Final = 1


def feature(aggregation: str, window: str) -> str:
    """The column of one feature, named as unisono names it."""
    column = "count" if aggregation == "count" else f"value_{aggregation}"
    return f"{VIEW}__{column}_{window}"


FEATURES: Final = tuple(feature(aggregation, window) for window in WINDOWS for aggregation in AGGREGATIONS)


@dataclass(frozen=True, slots=True)
class Workload:
    """Events of Zipf-distributed keys over 30 days, and requests drawn the same way.

    values: "decimal" has two places, "float" is the same amounts unrounded.
    events: rows of the log; keys and requests are in proportion (5 M, 100 k and 500 k).
    """

    values: Values
    events: int = EVENTS

    @property
    def keys(self) -> int:
        return max(1, self.events // EVENTS_PER_KEY)

    @property
    def requests(self) -> int:
        return max(1, self.events // EVENTS_PER_REQUEST)

    @property
    def events_path(self) -> Path:
        """Columns id, key (Int64), time (Timestamp), value (Decimal or Float64), in log order."""
        return cache() / f"events-{self.values}-{self.events}-{GENERATION}.parquet"

    @property
    def requests_path(self) -> Path:
        """Columns request (row number), key (Int64), time (Timestamp), in order of time."""
        return cache() / f"requests-{self.events}-{GENERATION}.parquet"

    def ensure(self) -> None:
        """Writes the files, in a process of its own, unless they are there."""
        if not (self.events_path.exists() and self.requests_path.exists()):
            command = [sys.executable, "-m", "benchmarks.generate", self.values, str(self.events)]
            subprocess.run(command, check=True, cwd=Path(__file__).parent.parent)


def cache() -> Path:
    """The folder of generated files: UNISONO_BENCHMARKS_CACHE, else one under the system's temporary folder."""
    default = Path(tempfile.gettempdir()) / "unisono-benchmarks"
    folder = Path(os.environ.get("UNISONO_BENCHMARKS_CACHE", default))
    folder.mkdir(parents=True, exist_ok=True)
    return folder
