"""Polars + onnxruntime as one writes it by hand: `python -m benchmarks.peers.batch_polars GRAPH TABLE OUT`.

A thread a core, one session that they share, a row group at a time, rows in order.
"""

from __future__ import annotations

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq

from benchmarks.scores import COLUMNS, KEY, ROW_GROUP
from unisono.models.session import open_native

CALL = 4096


def main(graph: str, table: str, out: str) -> None:
    session = open_native(Path(graph).read_bytes())
    rows = pl.scan_parquet(table).select(pl.len()).collect().item()

    def score(start: int) -> pl.DataFrame:
        block = pl.scan_parquet(table).slice(start, ROW_GROUP).collect()
        matrix = block.select(COLUMNS).to_numpy(order="c")
        frames = []
        for at in range(0, len(matrix), CALL):
            prediction, probability = session.run(None, {"matrix": matrix[at : at + CALL]})
            frames.append(pl.DataFrame({"prediction": prediction, "probability": probability}))
        return block.select(KEY).hstack(pl.concat(frames))

    writer = None
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for frame in pool.map(score, range(0, rows, ROW_GROUP)):
            block = frame.to_arrow()
            writer = writer or pq.ParquetWriter(out, block.schema)
            writer.write_table(block)
    if writer is not None:
        writer.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
