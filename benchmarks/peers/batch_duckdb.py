"""DuckDB with a Python function on Arrow: `python -m benchmarks.peers.batch_duckdb GRAPH TABLE OUT`.

The function takes a list of the columns a row, which are row-major as they come, and gives the probability; DuckDB
calls it for vectors of 2048 rows.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
from duckdb.func import PythonUDFType

from benchmarks.scores import COLUMNS, KEY
from unisono.models.session import open_native


def main(graph: str, table: str, out: str) -> None:
    session = open_native(Path(graph).read_bytes())

    def score(rows: Any) -> Any:
        matrix = rows.combine_chunks().flatten().to_numpy().reshape(-1, len(COLUMNS))
        return pa.array(session.run(["probability"], {"matrix": matrix})[0])

    connection = duckdb.connect()
    connection.create_function("score", score, ["DOUBLE[]"], "DOUBLE", type=PythonUDFType.ARROW)
    select = f"SELECT {KEY}, score([{', '.join(COLUMNS)}]) AS probability FROM read_parquet('{table}')"
    answer = f"SELECT {KEY}, probability > 0.5 AS prediction, probability FROM ({select})"
    connection.execute(f"COPY ({answer}) TO '{out}' (FORMAT PARQUET)")


if __name__ == "__main__":
    main(*sys.argv[1:])
