"""What the settings ask for looks on, and nothing else is there."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter

import pytest

from tests.serving.operations.answers import PLAN, Version, answered
from unisono.drivers.scores import Row
from unisono.drivers.serving.calls import Call
from unisono.drivers.serving.exchange import Request, Response
from unisono.drivers.serving.lanes import Lanes
from unisono.drivers.serving.operations.memory import memory_of
from unisono.drivers.serving.operations.meter import NoMeter
from unisono.drivers.serving.operations.metrics import Load, Memory
from unisono.drivers.serving.operations.observers import Observers, Place
from unisono.drivers.serving.operations.tallies import sum_up
from unisono.drivers.serving.operations.writer_process import WriterProcess
from unisono.drivers.serving.security.gate import Gate
from unisono.drivers.serving.settings import Access, Log, Metrics, Serve, Tracing
from unisono.drivers.serving.versions.changing import ChangingCatalogue
from unisono.drivers.serving.versions.routes import Routes
from unisono.store.served import read_served

OFF = Serve(metrics=Metrics(enabled=False))


def observers(settings: Serve, folder: Path, *, log: str = "") -> Observers:
    return Observers(
        settings, Place(0, folder, folder, log), [PLAN], lambda: Memory(0, 0, [Load("risk", 1, 0.5, 1, 9)])
    )


def one_request(observers: Observers) -> None:
    call = Call("risk", [("u", 1)], lambda outcome: None, request_id="r1")
    request = Request("POST", "/predict/risk", began_s=perf_counter())
    observers.meter.answered("predict", request, Response(200, b"{}"), call, "v1")
    for watcher in observers.watchers:
        watcher.answered("risk", answered([1], ids=["r1"]))


def test_what_is_off_is_not_there(tmp_path: Path) -> None:
    found = observers(OFF, tmp_path)
    assert isinstance(found.meter, NoMeter) and found.watchers == []
    assert found.handlers({}, Gate(None)) == {}
    found.close()


@pytest.mark.slow
def test_with_everything_on_a_request_is_counted_and_written_down(tmp_path: Path) -> None:
    writer = WriterProcess(tmp_path / "served", Log(flush_s=0.05))
    settings = Serve(access=Access(path="access"), tracing=Tracing(endpoint="http://127.0.0.1:1/v1/traces", ratio=0))
    found = observers(settings, tmp_path, log=writer.address)

    async def serve() -> None:
        found.start()
        one_request(found)
        while not (tmp_path / "access").read_text():
            await asyncio.sleep(0.001)
        found.reopen()
        found.close()

    asyncio.run(asyncio.wait_for(serve(), 60))
    writer.stop(20)
    assert json.loads((tmp_path / "access").read_text())["request_id"] == "r1"
    total, rows_of_version = sum_up(tmp_path)
    assert rows_of_version == {("risk", "v1"): 1}
    assert total.predictors["waiting_rows"].tolist() == [1, 0]
    assert total.predictors["requests"].sum() == 1
    rows = read_served(tmp_path / "served" / "risk", details=True)
    assert rows is not None and rows.get_column("served.request_id").to_list() == ["r1"]
    assert list(found.handlers({}, Gate(None))) == ["metrics"]


def test_the_log_of_access_can_go_to_standard_error(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    found = observers(Serve(access=Access(path="stderr"), metrics=Metrics(enabled=False)), tmp_path)
    one_request(found)
    found.close()
    assert json.loads(capfd.readouterr().err)["path"] == "/predict/{predictor}"


class InMemory(Version):
    """A version that takes room."""

    size_bytes = 1000
    outputs = ()
    timings: Sequence[tuple[int, float]] = [(1, 0.25)]


def test_memory_is_what_is_loaded_and_what_waits(tmp_path: Path) -> None:
    rows: list[Row] = [("u", 1)] * 3

    async def look() -> tuple[Memory, Memory]:
        lanes = Lanes()
        catalogue = ChangingCatalogue([PLAN], lanes, lambda name, path: InMemory(), budget_bytes=1 << 40)  # type: ignore[arg-type,return-value]
        before = memory_of(catalogue, lanes)
        (tmp_path / "v1").mkdir()
        await catalogue.apply(
            Routes("risk", versions={"v1": str(tmp_path / "v1")}, aliases={"champion": "v1"}, revision=1)
        )
        catalogue.predictor("risk").submit(Call("risk", rows, lambda outcome: None))
        return before, memory_of(catalogue, lanes)

    logging.disable()  # the call is never answered
    before, after = asyncio.run(look())
    logging.disable(logging.NOTSET)
    assert before == Memory(0, 0, [Load("risk", 0, 0.0, 0, 0)])
    assert after == Memory(0, 0, [Load("risk", 3, 0.75, 1, 1000)])
