"""Traced requests are spans with their stages; who decides is the caller, else chance."""

from __future__ import annotations

import gzip
import sys
import threading
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, HTTPServer
from itertools import pairwise
from time import perf_counter

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from unisono.drivers.serving.calls import Call
from unisono.drivers.serving.exchange import Request, Response
from unisono.drivers.serving.operations.tracing import Tracer, tracer_of
from unisono.drivers.serving.settings import Tracing
from unisono.spec.errors import StoreError

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


def tell(tracer: Tracer, parent: str | None = None, status: int = 200, *, is_call: bool = True) -> None:
    headers = {} if parent is None else {b"traceparent": parent.encode(), b"tracestate": b"a=1"}
    began_s = perf_counter() - 0.5
    spent_s = [0.001, 0.002, 0.0, 0.003, 0.004]
    call = Call("risk", [("u", 1)], lambda outcome: None, arrived_s=began_s + 0.1, spent_s=spent_s)
    request = Request("POST", "/predict/risk", headers=headers, began_s=began_s)
    tracer.answered("predict", request, Response(status), call if is_call else None, "v1")


def spans(*parents: str | None, ratio: float = 0.0, drawn: float = 0.5, status: int = 200) -> Sequence[ReadableSpan]:
    exporter = InMemorySpanExporter()
    settings = Tracing(endpoint="nowhere", ratio=ratio, service="shop")
    tracer = Tracer(settings, ["risk"], SimpleSpanProcessor(exporter), draw=lambda: drawn)
    for parent in parents:
        tell(tracer, parent, status)
    tracer.close()
    return exporter.get_finished_spans()


def test_a_request_is_a_span_with_one_for_each_of_its_stages() -> None:
    *stages, whole = spans(f"00-{TRACE}-{SPAN}-01")
    assert (whole.name, whole.kind) == ("POST /predict/{predictor}", SpanKind.SERVER)
    assert whole.parent is not None and f"{whole.parent.span_id:016x}" == SPAN
    assert whole.context is not None and whole.context.trace_state["a"] == "1"
    assert dict(whole.attributes or {}) == {
        "http.request.method": "POST",
        "http.route": "/predict/{predictor}",
        "http.response.status_code": 200,
        "unisono.predictor": "risk",
        "unisono.version": "v1",
        "unisono.rows": 1,
    }
    assert [stage.name for stage in stages] == ["decode", "queue", "model", "encode"]
    assert all(stage.parent == whole.context for stage in stages)
    assert {f"{span.context.trace_id:032x}" for span in (*stages, whole) if span.context} == {TRACE}
    took_ms = [(stage.end_time or 0) - (stage.start_time or 0) for stage in stages]
    assert took_ms == [1_000_000, 2_000_000, 3_000_000, 4_000_000]
    assert (stages[0].start_time or 0) - (whole.start_time or 0) == pytest.approx(1e8, abs=1e3)
    assert all(left.end_time == right.start_time for left, right in pairwise(stages))
    assert whole.resource.attributes["service.name"] == "shop"


def test_the_caller_decides_whether_a_request_is_traced() -> None:
    assert len(spans(f"00-{TRACE}-{SPAN}-01", ratio=0.0)) == 5
    assert spans(f"00-{TRACE}-{SPAN}-00", ratio=1.0) == ()


@pytest.mark.parametrize("parent", [None, "", "nonsense", "00-123-456-01"])
def test_else_chance_decides(parent: str | None) -> None:
    assert len(spans(parent, ratio=0.25, drawn=0.24)) == 5
    assert spans(parent, ratio=0.25, drawn=0.25) == ()
    (*_, whole) = spans(parent, ratio=1.0)
    assert whole.parent is None


def test_a_failure_of_the_server_is_an_error_and_a_refusal_is_none() -> None:
    assert spans(None, ratio=1.0, status=503)[-1].status.status_code == StatusCode.ERROR
    assert spans(None, ratio=1.0, status=422)[-1].status.status_code == StatusCode.UNSET


def test_a_request_that_never_was_a_call_has_no_stages() -> None:
    exporter = InMemorySpanExporter()
    tracer = Tracer(Tracing(ratio=1.0), ["risk"], SimpleSpanProcessor(exporter))
    tell(tracer, status=401, is_call=False)
    assert [span.name for span in exporter.get_finished_spans()] == ["POST /predict/{predictor}"]
    tracer.close()


# To a collector -------------------------------------------------------------------------------------------------------


class Collector(HTTPServer):
    """Takes spans as a collector does."""

    received: list[ExportTraceServiceRequest]


class _Take(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        self.server.received.append(ExportTraceServiceRequest.FromString(body))
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector(("127.0.0.1", 0), _Take) as server:
        server.received = []
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def test_a_collector_gets_the_spans(collector: Collector) -> None:
    endpoint = f"http://127.0.0.1:{collector.server_port}/v1/traces"
    tracer = tracer_of(Tracing(endpoint=endpoint, ratio=1.0), ["risk"])
    for _ in range(3):
        tell(tracer)
    tracer.close()
    found = [
        span
        for request in collector.received
        for resource in request.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]
    assert sorted(span.name for span in found) == sorted(
        3 * ["POST /predict/{predictor}", "decode", "queue", "model", "encode"]
    )
    assert len({span.trace_id for span in found}) == 3


def test_without_opentelemetry_tracing_is_refused_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    with pytest.raises(StoreError, match=r"pip install 'unisono\[tracing\]'"):
        tracer_of(Tracing(endpoint="http://127.0.0.1:1"), [])
