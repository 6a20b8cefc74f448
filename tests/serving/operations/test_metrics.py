"""What workers count is what they did; whoever is scraped tells of all of them."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import pytest
from msgspec.structs import replace
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from tests.serving.operations.answers import answered, outputs
from unisono.drivers.serving.calls import Call
from unisono.drivers.serving.exchange import Request, Response
from unisono.drivers.serving.handlers.metrics import MetricsHandler
from unisono.drivers.serving.http.server import HttpServer
from unisono.drivers.serving.operations.exposition import Exposition
from unisono.drivers.serving.operations.metrics import (
    BatchCounter,
    ConnectionCounter,
    Load,
    Memory,
    MemoryCounter,
    RequestCounter,
)
from unisono.drivers.serving.operations.tallies import KEPT_VERSIONS, open_tally, read_tally, sum_up
from unisono.drivers.serving.refusals import RefusalError
from unisono.drivers.serving.security.gate import Gate
from unisono.drivers.serving.service import Service
from unisono.spec.errors import ModelError, StateError
from unisono.store.states import NEW, Commit, Snapshot

NAMES = ["risk", "late"]
OPENMETRICS = "application/openmetrics-text; version=1.0.0"

Samples = Mapping[tuple[str, frozenset[tuple[str, str]]], float]


def call(predictor: str, *spent_s: float) -> Call:
    return Call(predictor, [], lambda outcome: None, spent_s=list(spent_s))


def told(counter: RequestCounter, status: int, call: Call | None = None, path: str = "/predict/risk") -> None:
    request = Request("POST", path, began_s=perf_counter() - 0.2)
    counter.answered("predict", request, Response(status), call, "v1" if status == 200 else "")


@dataclass(frozen=True)
class States:
    """At one place in the log, or broken."""

    last_commit: Commit | None

    def snapshot(self) -> Snapshot:
        raise AssertionError

    @property
    def last(self) -> Commit:
        if self.last_commit is None:
            raise StateError("the state cannot be read; start over")
        return self.last_commit


STATES = {"risk": States(Commit(1, 7, 1_700_000_000_000_000, 0)), "late": States(None), "free": States(NEW)}


def scraped(folder: Path) -> Samples:
    """Every sample, as Prometheus' own parser reads it."""
    text = Exposition(folder, STATES).render("")[0].decode()
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in parse_text(text)
        for sample in family.samples
    }


def value(samples: Samples, name: str, **labels: str) -> float:
    return samples[f"unisono_{name}", frozenset(labels.items())]


def test_requests_are_counted_by_predictor_protocol_and_status(tmp_path: Path) -> None:
    tally = open_tally(tmp_path, "0", NAMES)
    counter = RequestCounter(tally)
    for _ in range(600):  # more than are counted at a time
        told(counter, 200, call("risk", 0.001, 0.002, 0.003, 0.004, 0.005))
    told(counter, 422)
    told(counter, 404, path="/predict/unheard-of")
    told(counter, 418, call("late", 0, 0, 0, 0, 0))
    counter.tick()
    samples = scraped(tmp_path)
    assert value(samples, "requests_total", predictor="risk", protocol="predict", status="200") == 600
    assert value(samples, "requests_total", predictor="risk", protocol="predict", status="422") == 1
    assert value(samples, "requests_total", predictor="", protocol="predict", status="404") == 1
    assert value(samples, "requests_total", predictor="late", protocol="predict", status="other") == 1
    assert not any("unheard-of" in str(key) for key in samples)


def test_each_stage_is_in_the_bucket_of_its_time_and_what_never_was_is_in_none(tmp_path: Path) -> None:
    counter = RequestCounter(open_tally(tmp_path, "0", NAMES))
    told(counter, 200, call("risk", 0.0005, 0.00051, 0.0, 99.0, 0.000001))
    counter.tick()
    samples = scraped(tmp_path)

    def bucket(stage: str, le: str) -> float:
        return value(samples, "stage_seconds_bucket", predictor="risk", stage=stage, le=le)

    assert (bucket("decode", "0.00025"), bucket("decode", "0.0005"), bucket("decode", "+Inf")) == (0, 1, 1)
    assert (bucket("queue", "0.0005"), bucket("queue", "0.001")) == (0, 1)
    assert (bucket("model", "10.0"), bucket("model", "+Inf")) == (0, 1)
    assert bucket("encode", "1e-05") == 1
    assert value(samples, "stage_seconds_sum", predictor="risk", stage="model") == 99.0
    assert ("unisono_stage_seconds_count", frozenset({"predictor": "risk", "stage": "features"}.items())) not in samples
    assert value(samples, "request_seconds_bucket", predictor="risk", le="0.1") == 0
    assert value(samples, "request_seconds_count", predictor="risk") == 1
    assert 0.2 <= value(samples, "request_seconds_sum", predictor="risk") < 60


def test_rows_batches_and_versions_are_counted_and_shadows_apart(tmp_path: Path) -> None:
    counter = BatchCounter(open_tally(tmp_path, "0", NAMES))
    for _ in range(520):
        counter.answered("risk", answered([1]))
    counter.answered("risk", answered([1, 2], [3], version="v2"))
    counter.answered("risk", answered([1, 2], version="v3", shadow=True))
    failed = replace(answered([1], [2]), outputs=None, alone=[outputs([1]), ModelError("no")])
    counter.answered("risk", failed)
    counter.tick()
    samples = scraped(tmp_path)
    assert value(samples, "rows_total", predictor="risk") == 524
    assert value(samples, "shadow_rows_total", predictor="risk") == 2
    assert value(samples, "failed_rows_total", predictor="risk") == 1
    assert value(samples, "version_rows_total", predictor="risk", version="v1") == 521
    assert value(samples, "version_rows_total", predictor="risk", version="v2") == 3
    assert value(samples, "batch_rows_bucket", predictor="risk", le="1.0") == 521
    assert value(samples, "batch_rows_bucket", predictor="risk", le="4.0") == 522


def test_of_many_versions_those_that_came_last_are_counted_apart(tmp_path: Path) -> None:
    counter = BatchCounter(open_tally(tmp_path, "0", NAMES))
    for version in range(KEPT_VERSIONS + 2):
        for _ in range(version + 1):
            counter.answered("risk", answered([1], version=f"v{version}"))
        counter.tick()
    rows = sum_up(tmp_path)[1]
    assert rows == {("risk", f"v{version}"): version + 1 for version in range(2, KEPT_VERSIONS + 2)}


def test_how_predictors_are_doing_is_summed_over_workers_but_for_the_wait(tmp_path: Path) -> None:
    memory = Memory(2, 1, [Load("risk", 3, 0.5, 1, 1000), Load("late", 0, 0.0, 0, 0)])
    counters = [MemoryCounter(open_tally(tmp_path, slot, NAMES), lambda: memory) for slot in "01"]
    for counter in counters:
        counter.tick()
    memory = Memory(5, 1, [Load("risk", 1, 0.25, 1, 1000)])
    counters[0].tick()
    samples = scraped(tmp_path)
    assert value(samples, "waiting_rows", predictor="risk") == 4
    assert value(samples, "expected_wait_seconds", predictor="risk") == 0.5
    assert value(samples, "loaded_versions", predictor="risk") == 2
    assert value(samples, "loaded_bytes", predictor="risk") == 2000
    assert value(samples, "evictions_total") == 7
    assert value(samples, "shadow_copies_lost_total") == 2
    assert value(samples, "state_position", predictor="risk") == 7
    assert value(samples, "state_lag_seconds", predictor="risk") > 0
    assert value(samples, "state_position", predictor="free") == 0
    of_states = {labels for name, labels in samples if name.startswith("unisono_state_")}
    assert of_states == {frozenset({("predictor", "risk")}), frozenset({("predictor", "free")})}


def test_counts_outlive_the_worker_and_how_it_was_does_not(tmp_path: Path) -> None:
    tally = open_tally(tmp_path, "0", NAMES)
    counter = RequestCounter(tally)
    told(counter, 200, call("late", 1, 0, 0, 0, 0))
    counter.tick()
    server = HttpServer(Service({}))
    server.counts.accepted, server.counts.cancelled = 3, 2
    connections = ConnectionCounter(tally, server)
    connections.tick()
    tally.count("connections", 3)
    MemoryCounter(tally, lambda: Memory(0, 0, [Load("late", 9, 1.0, 1, 5)])).tick()
    tally.count("log_dropped", 64)
    successor = open_tally(tmp_path, "0", ["new", *NAMES])
    told(RequestCounter(successor), 200, call("late", 1, 0, 0, 0, 0))
    samples = scraped(tmp_path)
    assert value(samples, "requests_total", predictor="late", protocol="predict", status="200") == 1
    assert value(samples, "waiting_rows", predictor="late") == 0
    assert value(samples, "connections") == 0
    assert value(samples, "connections_accepted_total") == 3
    assert value(samples, "cancelled_requests_total") == 2
    assert value(samples, "prediction_log_rows_total", outcome="dropped") == 64
    assert value(samples, "worker_restarts_total") == 1


def test_a_file_of_another_release_is_not_read(tmp_path: Path) -> None:
    open_tally(tmp_path, "0", NAMES)
    content = (tmp_path / "0.tally").read_bytes()
    (tmp_path / "1.tally").write_bytes(b"\0\0\0\0" + content[4:])
    (tmp_path / "2.tally").write_bytes(b"")
    assert read_tally(tmp_path / "1.tally") is None and read_tally(tmp_path / "2.tally") is None
    assert sum_up(tmp_path)[0].names == (*NAMES, "")


def test_both_formats_are_sound_and_openmetrics_is_given_to_who_wants_it(tmp_path: Path) -> None:
    tally = open_tally(tmp_path, "0", NAMES)
    counter, batches = RequestCounter(tally), BatchCounter(tally)
    told(counter, 200, call("risk", 0.001, 0.002, 0.003, 0.004, 0.005))
    batches.answered("risk", answered([1, 2]))
    counter.tick()
    batches.tick()
    exposition = Exposition(tmp_path, STATES)
    text, content_type = exposition.render("text/plain")
    assert content_type.startswith("text/plain; version=0.0.4")
    names = {family.name for family in parse_text(text.decode())}
    text, content_type = exposition.render(OPENMETRICS)
    assert content_type.startswith("application/openmetrics-text")
    families = {family.name: family for family in parse_openmetrics(text.decode())}  # type: ignore[no-untyped-call]
    assert names == set(families)
    assert all(name.startswith("unisono_") and family.documentation for name, family in families.items())


# GET /metrics ---------------------------------------------------------------------------------------------------------


def ask(handler: MetricsHandler, method: str = "GET", path: str = "/metrics") -> Response:
    async def asked() -> Response:
        answer = asyncio.get_running_loop().create_future()
        handler.handle(
            Request(method, path, headers={b"accept": b"text/plain"}), tuple(path.split("/")[1:]), answer.set_result
        )
        response: Response = await answer
        return response

    return asyncio.run(asked())


def test_metrics_are_given_to_who_may_read(tmp_path: Path) -> None:
    open_tally(tmp_path, "0", NAMES)
    exposition = Exposition(tmp_path, STATES)
    response = ask(MetricsHandler(exposition.render, Gate(None)))
    assert response.status == 200 and b'unisono_state_position{predictor="risk"} 7.0' in response.body
    assert dict(response.headers)[b"content-type"].startswith(b"text/plain; version=0.0.4")
    with pytest.raises(RefusalError, match="no token"):
        ask(MetricsHandler(exposition.render, Gate([])))
    with pytest.raises(RefusalError, match="method POST"):
        ask(MetricsHandler(exposition.render, Gate(None)), method="POST")
    with pytest.raises(RefusalError, match="nothing is here"):
        ask(MetricsHandler(exposition.render, Gate(None)), path="/metrics/risk")


def test_metrics_that_cannot_be_had_are_refused_with_the_reason() -> None:
    def broken(accept: str) -> Any:
        raise StateError("the state cannot be read; start over")

    response = ask(MetricsHandler(broken, Gate(None)))
    assert response.status == 503 and b"the state cannot be read" in response.body


def test_what_is_refused_before_a_handler_takes_it_is_counted_too(tmp_path: Path) -> None:
    counter = RequestCounter(open_tally(tmp_path, "0", NAMES))
    exposition = Exposition(tmp_path, STATES)
    service = Service({"metrics": MetricsHandler(exposition.render, Gate([]))}, counter)
    replies: list[Response] = []
    for path in ("/metrics", "/nothing/risk"):
        service.handle(Request("GET", path, began_s=perf_counter()), replies.append)
    assert [reply.status for reply in replies] == [401, 404]
    counter.tick()
    samples = scraped(tmp_path)
    assert value(samples, "requests_total", predictor="", protocol="other", status="401") == 1
    assert value(samples, "requests_total", predictor="risk", protocol="other", status="404") == 1


def test_the_page_of_operations_has_every_metric_and_no_other(tmp_path: Path) -> None:
    page = (Path(__file__).parents[3] / "docs" / "operations.md").read_text()
    table = "\n".join(line.rpartition(" | ")[0] for line in page.splitlines() if line.startswith("| `unisono_"))
    families = Exposition(tmp_path, STATES).collect()
    names = {f"{family.name}_total" if family.type == "counter" else family.name for family in families}
    assert set(re.findall(r"`(unisono_\w+)`", table)) == names
