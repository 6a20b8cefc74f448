"""The access log has a line for each request, tells no secret, and makes nobody wait."""

from __future__ import annotations

import json
import os
import resource
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import Any

import pytest

from unisono.drivers.serving.calls import Call
from unisono.drivers.serving.exchange import Request, Response
from unisono.drivers.serving.operations.access import DROPPED, AccessLog, Sink, template
from unisono.spec.errors import StoreError

SECRET = b"s3cret" * 8
HEADERS = {
    b"authorization": b"Bearer uns_0123456789abcdef_" + SECRET,
    b"traceparent": b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    b"cookie": SECRET,
}


class Log(AccessLog):
    """One that shows what it counted."""

    def __init__(self, sink: Sink, *, most: int = 1000) -> None:
        self.counts: Counter[str] = Counter()
        super().__init__(
            sink, ["risk"], most=most, count=lambda name, by: self.counts.update({name: by}), clock=lambda: 1.25
        )


def tell(log: AccessLog, path: str = "/predict/risk", status: int = 200, call: Call | None = None) -> None:
    request = Request("POST", path, b"key=" + SECRET, HEADERS, SECRET, perf_counter() - 0.5)
    log.answered("predict", request, Response(status, b"12345"), call, "v1" if call else "")


def a_call(**more: Any) -> Call:
    return Call("risk", [("u", 1)], lambda outcome: None, spent_s=[0.001, 0.0, 0.0025, 0.01, 0.0], **more)


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_line_says_who_asked_what_and_what_it_took_and_no_secret(tmp_path: Path) -> None:
    log = Log(Sink(tmp_path / "access"))
    tell(log, call=a_call(request_id="r1"))
    tell(log, status=401)
    log.close()
    first, second = lines(tmp_path / "access")
    total = first["ms"].pop("total")
    assert 500 <= total < 60_000
    assert first == {
        "time": "1970-01-01T00:00:01.250000Z",
        "protocol": "predict",
        "method": "POST",
        "path": "/predict/{predictor}",
        "status": 200,
        "predictor": "risk",
        "version": "v1",
        "rows": 1,
        "ms": {"decode": 1.0, "queue": 0.0, "features": 2.5, "model": 10.0, "encode": 0.0},
        "bytes_in": len(SECRET),
        "bytes_out": 5,
        "request_id": "r1",
        "token": "0123456789abcdef",
        "trace": "4bf92f3577b34da6a3ce929d0e0e4736",
    }
    assert (second["status"], second["predictor"], list(second["ms"])) == (401, "risk", ["total"])
    assert SECRET not in (tmp_path / "access").read_bytes()


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/predict/risk", "/predict/{predictor}"),
        ("/predict/s3cret", "/predict/{other}"),
        ("/v2/models/risk/versions/s3cret/infer", "/v2/models/{predictor}/versions/{version}/infer"),
        ("/v2", "/v2"),
        ("/health/ready", "/health/ready"),
        ("/", "/"),
        ("/risk", "/{other}"),
        ("/" + "s3cret/" * 1000, "/" + "/".join(["{other}"] * 7)),
    ],
)
def test_a_path_is_shown_without_what_callers_make_up(path: str, shown: str) -> None:
    assert template(path, frozenset(["risk"])) == shown


def test_a_file_that_was_moved_is_left_and_a_new_one_begun(tmp_path: Path) -> None:
    path = tmp_path / "access"
    log = Log(Sink(path))
    tell(log, status=200)
    log.tick()
    path.rename(tmp_path / "access.1")
    tell(log, status=422)
    log.reopen()
    tell(log, status=503)
    log.close()
    assert [line["status"] for line in lines(tmp_path / "access.1")] == [200, 422]
    assert [line["status"] for line in lines(path)] == [503]


def test_a_file_that_cannot_be_opened_is_refused_with_the_setting(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"allowed: a file to append to; correct `path` in \[serve.access\]"):
        Sink(tmp_path)


def test_a_pipe_that_nobody_reads_makes_nobody_wait(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    log = Log(Sink(fifo), most=1000)
    for _ in range(3000):
        tell(log, call=a_call())
        log.tick()
    dropped = log.counts[DROPPED]
    assert dropped > 1000
    data = b""
    while True:
        try:
            data += os.read(reader, 1 << 20)
        except BlockingIOError:
            log.tick()
            if not log._lines:
                break
    data += os.read(reader, 1 << 20)
    found = [json.loads(line) for line in data.splitlines()]
    assert len(found) == 3000 - dropped
    log.close()
    os.close(reader)


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_costs_lines_that_are_counted_and_ends_with_room(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "access"
    log = Log(Sink(path))
    with largest_file(1000):
        for _ in range(2):
            for _ in range(10):
                tell(log, call=a_call())
            log.tick()
    assert "access log: lines could not be written" in caplog.text and len(caplog.records) == 1
    for _ in range(3):
        tell(log, call=a_call())
    log.close()
    whole = [line for line in path.read_bytes().splitlines() if line.endswith(b"}")]
    assert log.counts[DROPPED] + len(whole) == 23
    assert log.counts[DROPPED] == 10
