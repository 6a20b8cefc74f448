"""Rows of compression: `python -m benchmarks.compress ROW`, each on two cores, with peers in the same run.

Every row carries out recipes as `unisono compress` does, on real data; the report that users get is where its figures
come from. Stages that an earlier run made are used again: `--fresh` forgets them first.
"""

from __future__ import annotations

import argparse
import json
import shutil
from importlib import import_module

from benchmarks.compress.bench import Bench
from benchmarks.compress.page import renew, table
from benchmarks.compress.row import Row

ROWS = (
    "squeezenet",
    "distilbert",
    "forest",
    "low_rank",
    "nodes",
    "weights",
    "int8",
    "all_in_one",
    "tabular",
    "search",
    "search_minilm",
)


def run(name: str, bench: Bench) -> Row:
    """One row."""
    row: Row = import_module(f"benchmarks.compress.rows.{name}").run(bench)
    return row


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("row", choices=[name.replace("_", "-") for name in ROWS])
    options.add_argument("--json", action="store_true", help="print the result as one JSON line, last")
    options.add_argument("--write", action="store_true", help="put the result into docs/compression-results.md")
    options.add_argument(
        "--fresh", action="store_true", help="make every stage again; the teacher and the data are kept"
    )
    arguments = options.parse_args()
    bench = Bench.usual()
    if arguments.fresh:
        shutil.rmtree(bench.folder / "projects", ignore_errors=True)
    result = run(arguments.row.replace("-", "_"), bench)
    if arguments.write:
        renew(result)
    print(json.dumps(result.document()) if arguments.json else table(result), flush=True)


if __name__ == "__main__":
    main()
