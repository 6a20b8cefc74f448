"""Questions over HTTP to a server, while the year streams in underneath.

At a row of instants of the last two months the stream stands still for a moment, and the server is asked for every
flight of the hours ahead: as of now, how likely is it to be late?  The batch driver is asked the same afterwards.
"""

from __future__ import annotations

import http.client
import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import polars as pl

_DATA = Path(__file__).parent / "data"
_INGEST_TIMES = {
    "departures": "left_at",
    "arrivals": "reported_at",
    "cancellations": "cancelled_at",
    "queue": "changed_at",
    "weather": "known_at",
    "flights": "asked_at",
}
_READY_WITHIN_S = 60


def questions(at: datetime, *, hours: int = 6) -> pl.DataFrame:
    """A request for each flight that is due to leave in the hours after an instant, asked at that instant."""
    ahead = pl.col("sched_dep").is_between(at, at + timedelta(hours=hours), closed="right")
    flights = pl.scan_parquet(_DATA / "flights.parquet").filter(ahead).collect()
    return flights.with_columns(asked_at=pl.lit(at, pl.Datetime("us", "UTC")))


def position_at(at: datetime) -> int:
    """The position in the log behind all that is known at an instant."""
    counts = [
        pl.scan_parquet(_DATA / f"{name}.parquet").filter(pl.col(column) <= at).select(pl.len()).collect().item()
        for name, column in _INGEST_TIMES.items()
    ]
    return int(sum(counts))


@contextmanager
def server(project: Path) -> Iterator[int]:
    """`unisono serve` as a process of its own; gives its port."""
    port = _free_port()
    command = [sys.executable, "-m", "unisono", "serve", "--project", str(project), "--port", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        try:
            _wait(process, port)
            yield port
        finally:
            process.terminate()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + _READY_WITHIN_S
    while process.poll() is None and time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError(f"the server did not listen on port {port} within {_READY_WITHIN_S} s; its errors are above")


def ask(port: int, requests: pl.DataFrame) -> list[float]:
    """The probability of lateness of each request, from `POST /predict/delay`: one at a time, over one connection."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        return [_ask(connection, body) for body in bodies(requests)]
    finally:
        connection.close()


def bodies(requests: pl.DataFrame) -> Sequence[bytes]:
    """Each request as JSON: instants in ISO 8601, null as null."""
    instants = [pl.col(name).dt.to_string("%Y-%m-%dT%H:%M:%S%.6fZ") for name in ("sched_dep", "asked_at")]
    return [json.dumps(row).encode() for row in requests.drop("flight_id").with_columns(instants).iter_rows(named=True)]


def _ask(connection: http.client.HTTPConnection, body: bytes) -> float:
    connection.request("POST", "/predict/delay", body, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    content = answer.read()
    if answer.status != 200:
        raise RuntimeError(f"the server answered {answer.status} to {body.decode()}: {content.decode()}")
    return float(json.loads(content)["prediction"]["probability"])
