"""The model in memory: `python -m benchmarks.serving.model_alone GRAPH` prints microseconds for one row, the median."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from statistics import median

import numpy as np

from benchmarks.harness import pin_to_one_core
from unisono.models.session import open_native

ROWS = 4096


def main(graph: str) -> None:
    pin_to_one_core()
    session = open_native(Path(graph).read_bytes())
    rows = np.random.default_rng(9).normal(size=(2 * ROWS, 1, 30))
    spent = []
    for row in rows:
        started = time.perf_counter_ns()
        session.run(None, {"matrix": row})
        spent.append(time.perf_counter_ns() - started)
    print(json.dumps({"us": median(spent[ROWS:]) / 1e3}))  # the first half warms up


if __name__ == "__main__":
    main(*sys.argv[1:])
