"""The table scored by unisono: `python -m benchmarks.unisono_batch ENGINE CORES PROJECT TABLE OUT`.

CORES: 0 for all.
"""

from __future__ import annotations

import sys
import uuid

import unisono as un
from benchmarks.scores import KEY, PREDICTOR
from unisono.drivers.batch import run_batch


def main(engine: str, cores: str, project: str, table: str, out: str) -> None:
    once = uuid.uuid4().hex
    run_batch(un.load(project), PREDICTOR, table, out, keep=[KEY], engine=engine, cores=int(cores) or None, run_id=once)


if __name__ == "__main__":
    main(*sys.argv[1:])
