"""Rows of transformers on small devices: `python -m benchmarks.edge_transformers ROW`.

What is dear (a teacher, data, stages of a recipe) is kept beside that of benchmarks.compress, and used again.
"""

from __future__ import annotations

import argparse
import json

from benchmarks.compress.bench import Bench
from benchmarks.edge_transformers import rows
from benchmarks.edge_transformers.page import renew, text_of
from benchmarks.harness import say


def main() -> None:
    options = argparse.ArgumentParser(prog="python -m benchmarks.edge_transformers", description=__doc__)
    options.add_argument("row", choices=rows.names())
    options.add_argument("--json", action="store_true", help="print the result as one JSON line, last")
    options.add_argument("--write", action="store_true", help="put the result into the page that has a place for it")
    arguments = options.parse_args()
    result = rows.run(arguments.row, Bench.usual())
    if arguments.write:
        say(f"written into {renew(result).name}")
    print(json.dumps(result.document()) if arguments.json else text_of(result), flush=True)


if __name__ == "__main__":
    main()
