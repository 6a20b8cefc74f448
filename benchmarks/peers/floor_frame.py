"""What the frame costs if nothing is computed: Polars reads the inputs and writes a finished answer.

`python -m benchmarks.peers.floor_frame ANSWER EVENTS REQUESTS OUT`
"""

from __future__ import annotations

import sys

import polars as pl


def main(answer: str, events: str, requests: str, out: str) -> None:
    pl.read_parquet(events, columns=["key", "time", "value"])
    pl.read_parquet(requests)
    pl.read_parquet(answer).write_parquet(out)


if __name__ == "__main__":
    main(*sys.argv[1:])
