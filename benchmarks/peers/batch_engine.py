"""The bare engine in memory: `python -m benchmarks.peers.batch_engine GRAPH TABLE OUT` prints its CPU seconds.

One session of onnxruntime as unisono opens it, on a row-major matrix of the first MEMORY_ROWS rows, in the calls that
are fastest here: by one thread, and by one a core, which two cores that share caches make slower. Decoding the matrix
before and writing OUT after is not counted.
"""

from __future__ import annotations

import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from benchmarks.scores import COLUMNS, KEY
from unisono.drivers.cores import usable_cores
from unisono.models.session import open_native

MEMORY_ROWS = 1_000_000
CALLS = (1024, 4096, 65_536)


def main(graph: str, table: str, out: str) -> None:
    session = open_native(Path(graph).read_bytes())
    (name,) = [one.name for one in session.get_inputs()]
    rows = pl.read_parquet(table, n_rows=MEMORY_ROWS)
    matrix = np.ascontiguousarray(rows.select(COLUMNS).to_numpy())

    def parts_of(call: int, threads: int) -> tuple[float, list[list[Any]]]:
        began = time.process_time()
        with ThreadPoolExecutor(threads) as pool:
            starts = range(0, len(matrix), call)
            parts = list(pool.map(lambda start: session.run(None, {name: matrix[start : start + call]}), starts))
        return time.process_time() - began, parts

    one = min(parts_of(call, 1)[0] for call in CALLS)
    every = min(parts_of(call, usable_cores())[0] for call in CALLS)
    _, parts = parts_of(CALLS[1], 1)
    names = [one.name for one in session.get_outputs()]
    columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
    answers = [pl.Series(*named) for named in zip(names, columns, strict=True)]
    rows.select(KEY).with_columns(answers).write_parquet(out)
    print(json.dumps({"rows": len(matrix), "one_core_cpu_s": one, "all_cores_cpu_s": every}))


if __name__ == "__main__":
    main(*sys.argv[1:])
