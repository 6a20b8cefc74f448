"""The point-in-time frame in unisono: `python -m benchmarks.unisono_frame VALUES EVENTS REQUESTS OUT`."""

from __future__ import annotations

import sys

import polars as pl

import unisono as un
from benchmarks.definition import view


def main(values: str, events: str, requests: str, out: str) -> None:
    features = view("decimal" if values == "decimal" else "float")
    un.point_in_time([features], pl.read_parquet(requests), {"events": events}, time="time").write_parquet(out)


if __name__ == "__main__":
    main(*sys.argv[1:])
