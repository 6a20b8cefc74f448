"""The bare engine in memory: `python -m benchmarks.peers.batch_engine GRAPH TABLE OUT` prints its CPU seconds.

One session of onnxruntime as unisono opens it, one thread, on a row-major matrix of the first MEMORY_ROWS rows, in the
calls that are fastest here. Decoding them before and writing OUT after is not counted.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import numpy as np
import polars as pl

from benchmarks.scores import COLUMNS, KEY
from unisono.models.session import open_native

MEMORY_ROWS = 1_000_000
CALLS = (1024, 4096, 65_536)


def main(graph: str, table: str, out: str) -> None:
    session = open_native(Path(graph).read_bytes())
    (name,) = [one.name for one in session.get_inputs()]
    rows = pl.read_parquet(table, n_rows=MEMORY_ROWS)
    matrix = np.ascontiguousarray(rows.select(COLUMNS).to_numpy())
    taken = {}
    for call in CALLS:
        began = time.process_time()
        parts = [session.run(None, {name: matrix[start : start + call]}) for start in range(0, len(matrix), call)]
        taken[call] = time.process_time() - began
    names = [one.name for one in session.get_outputs()]
    columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
    answers = dict(zip(names, columns, strict=True))
    rows.select(KEY).with_columns(pl.Series(one, values) for one, values in answers.items()).write_parquet(out)
    print(json.dumps({"rows": len(matrix), "cpu_s": min(taken.values()), "calls": taken}))


if __name__ == "__main__":
    main(*sys.argv[1:])
