"""What workers count, in memory that they share: a file a worker, which only it writes, and which outlives it.

    magic, length of the names (two uint32) | names in msgpack | OF_PREDICTOR of each name | OF_WORKER | ids of versions

Records are float64 numbers only, so that files are summed as they are. The last of the names is "": requests about no
predictor that is served.
"""

from __future__ import annotations

import mmap
import os
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from zlib import crc32

import msgspec
import numpy as np
from numpy.typing import NDArray

from unisono.drivers.serving.calls import STAGES
from unisono.drivers.serving.operations.meter import PROTOCOLS
from unisono.drivers.serving.refusals import CODES

OTHER_STATUS = 999
STATUSES = (*sorted({200, *(status for status, _ in CODES.values())}), OTHER_STATUS)
TIMED = (*STAGES, "total")
"""What is timed: each stage, and the request as a whole."""
BOUNDS_S = (
    *(0.00001, 0.000025, 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005),
    *(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
)
"""Upper bounds of the histograms of times."""
SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256)
"""Upper bounds of the histogram of batches."""
KEPT_VERSIONS = 4
"""Versions of a predictor whose rows are counted apart; the one that came first makes room."""

OF_PREDICTOR = np.dtype(
    [
        ("requests", "<f8", (len(PROTOCOLS), len(STATUSES))),
        ("seconds", "<f8", (len(TIMED), len(BOUNDS_S) + 1)),
        ("seconds_sum", "<f8", (len(TIMED),)),
        ("sizes", "<f8", (len(SIZES) + 1,)),
        ("rows", "<f8"),
        ("version_rows", "<f8", (KEPT_VERSIONS,)),
        ("failed_rows", "<f8"),
        ("shadow_rows", "<f8"),
        # How it is, not what it has come to.
        ("waiting_rows", "<f8"),
        ("wait_s", "<f8"),
        ("versions", "<f8"),
        ("size_bytes", "<f8"),
    ]
)
CONNECTIONS = ("accepted", "turned_away", "refused", "cancelled", "cut")
"""What `http.connections.Counts` counts and nobody else does."""
OF_WORKER = np.dtype(
    [
        *((name, "<f8") for name in CONNECTIONS),
        ("restarts", "<f8"),
        ("evictions", "<f8"),
        ("copies_lost", "<f8"),
        ("log_written", "<f8"),
        ("log_dropped", "<f8"),
        ("log_lost", "<f8"),
        ("access_dropped", "<f8"),
        # How it is.
        ("connections", "<f8"),
        ("workers", "<f8"),
    ]
)
GAUGES = ("waiting_rows", "wait_s", "versions", "size_bytes", "connections", "workers")
"""What is no count, and begins anew with a process."""

_ID = "S40"
_SUFFIX = ".tally"
_HEAD = struct.Struct("<II")
_MAGIC = crc32(repr((OF_PREDICTOR.descr, OF_WORKER.descr, STATUSES, PROTOCOLS, TIMED)).encode())

Array = NDArray[Any]


class Tally:
    """One file of counts.

    names:      the predictors; the last is "".
    predictors: OF_PREDICTOR of each; worker: one OF_WORKER.
    ids:        ids of the versions that `version_rows` are of.
    """

    def __init__(self, names: Sequence[str], memory: mmap.mmap | bytes | bytearray, start: int) -> None:
        self.names = tuple(names)
        self.predictors: Array = np.frombuffer(memory, OF_PREDICTOR, len(names), start)
        start += self.predictors.nbytes
        self.worker: Array = np.frombuffer(memory, OF_WORKER, 1, start)
        start += self.worker.nbytes
        self.ids: Array = np.frombuffer(memory, _ID, len(names) * KEPT_VERSIONS, start).reshape(-1, KEPT_VERSIONS)

    def count(self, name: str, by: int) -> None:
        """Let a number of the worker grow. name: of OF_WORKER."""
        self.worker[name] += by

    @property
    def numbers(self) -> Array:
        """All numbers of all predictors in a row, not copied."""
        return _numbers(self.predictors).ravel()

    def take_over(self, other: Tally) -> None:
        """Go on with what another counted; what is no count begins anew."""
        places = {name: place for place, name in enumerate(other.names)}
        for place, name in enumerate(self.names):
            if name in places:
                self.predictors[place] = other.predictors[places[name]]
                self.ids[place] = other.ids[places[name]]
        self.worker[:] = other.worker
        for name in GAUGES:
            (self.predictors if name in OF_PREDICTOR.names else self.worker)[name] = 0.0  # type: ignore[operator]


def open_tally(folder: Path, slot: str, predictors: Sequence[str]) -> Tally:
    """The counts of one worker's place, to be gone on with.

    slot:       names the place: a worker that takes another's counts from where that one ended.
    predictors: whose requests are counted.
    """
    names = [*predictors, ""]
    packed = msgspec.msgpack.encode(names)
    packed += bytes(-(len(packed) + _HEAD.size) % 8)
    size = _HEAD.size + len(packed) + len(names) * OF_PREDICTOR.itemsize + OF_WORKER.itemsize
    path = folder / f"{slot}{_SUFFIX}"
    before, partial = read_tally(path), folder / f".{slot}.{os.getpid()}"
    with partial.open("w+b") as file:
        file.truncate(size + len(names) * KEPT_VERSIONS * np.dtype(_ID).itemsize)
        memory = mmap.mmap(file.fileno(), 0)
    memory[: _HEAD.size + len(packed)] = _HEAD.pack(_MAGIC, len(packed)) + packed
    tally = Tally(names, memory, _HEAD.size + len(packed))
    if before is not None:
        tally.take_over(before)
        tally.count("restarts", 1)
    partial.replace(path)
    return tally


def read_tally(path: Path) -> Tally | None:
    """The counts in a file as they are now; None if there are none that this release knows."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    if len(content) < _HEAD.size or _HEAD.unpack_from(content)[0] != _MAGIC:
        return None
    end = _HEAD.size + _HEAD.unpack_from(content)[1]
    names = msgspec.msgpack.Decoder(list[str]).decode(content[_HEAD.size : end].rstrip(b"\0"))
    return Tally(names, content, end)


def sum_up(folder: Path) -> tuple[Tally, Mapping[tuple[str, str], float]]:
    """The counts of all workers together, and rows by predictor and version. Of waits the longest counts."""
    read = [tally for tally in map(read_tally, sorted(folder.glob(f"*{_SUFFIX}"))) if tally is not None]
    names = list(dict.fromkeys(name for tally in read for name in tally.names))
    place_of = {name: place for place, name in enumerate(names)}
    total = Tally(names, bytearray(_bytes(len(names))), 0)
    numbers, waits = _numbers(total.predictors), np.zeros(len(names))
    rows: dict[tuple[str, str], float] = {}
    for tally in read:
        places = [place_of[name] for name in tally.names]
        numbers[places] += _numbers(tally.predictors)
        waits[places] = np.maximum(waits[places], tally.predictors["wait_s"])
        _numbers(total.worker)[:] += _numbers(tally.worker)
        for place, version in zip(*np.nonzero(tally.ids), strict=True):
            key = (tally.names[place], tally.ids[place, version].decode())
            rows[key] = rows.get(key, 0.0) + float(tally.predictors["version_rows"][place, version])
    total.predictors["wait_s"] = waits
    return total, rows


def _bytes(names: int) -> int:
    return names * (OF_PREDICTOR.itemsize + KEPT_VERSIONS * np.dtype(_ID).itemsize) + OF_WORKER.itemsize


def _numbers(records: Array) -> Array:
    """Records as rows of numbers, not copied."""
    return records.view("<f8").reshape(len(records), records.dtype.itemsize // 8)
