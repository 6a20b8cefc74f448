"""The table scored by unisono: `python -m benchmarks.unisono_batch ENGINE PROJECT TABLE OUT`."""

from __future__ import annotations

import sys
import uuid

import unisono as un
from benchmarks.scores import KEY, PREDICTOR
from unisono.drivers.batch import run_batch


def main(engine: str, project: str, table: str, out: str) -> None:
    run_batch(un.load(project), PREDICTOR, table, out, keep=[KEY], engine=engine, run_id=uuid.uuid4().hex)


if __name__ == "__main__":
    main(*sys.argv[1:])
