"""Small logs to break."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

from unisono.connect.log import Batch, Log, LogWriter
from unisono.connect.records import EVENT, REQUEST


def batch(topic: str, *times: int, rank: int = EVENT) -> Batch:
    """Rows that say which they are."""
    frame = pl.DataFrame({"time": times, "text": [f"{topic}{time}" for time in times]})
    return Batch(topic, frame, np.array(times, np.int64), rank)


def rows(log: Log, position: int = 0, **options: int) -> list[tuple[int, str]]:
    """Position and text of each row from a position on."""
    found: list[tuple[int, str]] = []
    for block in log.read(position, **options):
        for part in block.parts:
            places = (part.offsets.astype(int) + block.position).tolist()
            found += zip(places, part.frame.get_column("text").to_list(), strict=True)
    return sorted(found)


def make(directory: Path, appends: int = 5, **options: object) -> list[tuple[int, str]]:
    """A log of several appends; returns its rows."""
    with LogWriter(directory, **options) as writer:  # type: ignore[arg-type]
        for number in range(appends):
            times = [10 * number + step for step in range(3)]
            writer.append([batch("a", *times), batch("ask", 10 * number + 1, rank=REQUEST)])
    return rows(Log(directory))


def flip(path: Path, offset: int) -> None:
    """Change one bit of a file."""
    data = bytearray(path.read_bytes())
    data[offset] ^= 0x10
    path.write_bytes(data)
