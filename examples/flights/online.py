"""Questions over HTTP to a server, while the year streams in underneath.

At a row of instants of the last two months the stream stands still for a moment, and the server is asked for every
flight of the hours ahead: as of now, how likely is it to be late?  The batch driver is asked the same afterwards.
"""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

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
def server(project: Path) -> Iterator[str]:
    """`unisono serve` as a process of its own; gives host:port."""
    command = [sys.executable, "-m", "unisono", "serve", "--project", str(project), "--port", "0", "--json", "--quiet"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        try:
            yield _address(process)
        finally:
            process.terminate()


def _address(process: subprocess.Popen[bytes]) -> str:
    """Where it can be reached: it says so in one line once it can be."""
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line.startswith(b"{") or b'"url"' not in line:
        raise RuntimeError(f"the server did not start: {line.decode() or 'it said nothing'}; its errors are above")
    return str(urlsplit(json.loads(line)["url"]).netloc)


def ask(address: str, requests: pl.DataFrame) -> list[float]:
    """The probability of lateness of each request, from `POST /predict/delay`: one at a time, over one connection."""
    connection = http.client.HTTPConnection(address, timeout=30)
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
