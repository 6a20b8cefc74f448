"""Traces of some requests: a span for each, and one for each of its stages, made once it is answered.

Whether a request is traced is the caller's choice, if it sends a W3C `traceparent`; else it is drawn. Who is not traced
costs a look at one header. Only this file knows OpenTelemetry, which is optional.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Collection
from time import perf_counter, time_ns
from typing import TYPE_CHECKING

import unisono
from unisono.drivers.serving.calls import STAGES, Call
from unisono.drivers.serving.exchange import Request, Response
from unisono.drivers.serving.operations.access import template
from unisono.drivers.serving.settings import Tracing
from unisono.spec.errors import StoreError

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import SpanProcessor, TracerProvider

_PARENT = re.compile(rb"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]([0-9a-f])(-.*)?")
_CARRIED = ("traceparent", "tracestate")


def tracer_of(settings: Tracing, names: Collection[str]) -> Tracer:
    """A tracer that sends to a collector, in the background.

    names: of the predictors that are served.

    Raises StoreError if OpenTelemetry is not installed.
    """
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as error:
        raise StoreError(
            "[serve.tracing] needs OpenTelemetry; install it: pip install 'unisono[tracing]', or leave the section out"
        ) from error
    return Tracer(settings, names, BatchSpanProcessor(OTLPSpanExporter(endpoint=settings.endpoint)))


class Tracer:
    """Makes the spans; a `Meter`.

    settings:  what is traced.
    names:     of the predictors that are served.
    processor: takes the spans.
    draw:      gives numbers from 0 up to 1.
    """

    def __init__(
        self,
        settings: Tracing,
        names: Collection[str],
        processor: SpanProcessor,
        *,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._provider = _provider(settings.service, processor)
        self._tracer = self._provider.get_tracer("unisono", unisono.__version__)
        self._names = frozenset(names)
        self._ratio = settings.ratio
        self._draw = draw

    def answered(self, protocol: str, request: Request, response: Response, call: Call | None, version: str) -> None:
        """See `Meter`."""
        parent = request.headers.get(b"traceparent")
        found = _PARENT.fullmatch(parent) if parent is not None else None
        if int(found[1], 16) & 1 if found else self._draw() < self._ratio:
            self._trace(request, response, call, version)

    def close(self) -> None:
        """Send what waits to be sent."""
        self._provider.shutdown()

    def _trace(self, request: Request, response: Response, call: Call | None, version: str) -> None:
        from opentelemetry.trace import SpanKind, Status, StatusCode, set_span_in_context

        end_ns = time_ns()
        began_ns = end_ns - round((perf_counter() - request.began_s) * 1e9)
        path = template(request.path, self._names)
        span = self._tracer.start_span(
            f"{request.method} {path}",
            _context(request),
            SpanKind.SERVER,
            {"http.request.method": request.method, "http.route": path, "http.response.status_code": response.status},
            start_time=began_ns,
        )
        if call is not None:
            span.set_attributes(
                {"unisono.predictor": call.predictor, "unisono.version": version, "unisono.rows": len(call.rows)}
            )
            self._trace_stages(
                call, began_ns + round((call.arrived_s - request.began_s) * 1e9), set_span_in_context(span)
            )
        if response.status >= 500:
            span.set_status(Status(StatusCode.ERROR))
        span.end(end_ns)

    def _trace_stages(self, call: Call, start_ns: int, context: Context) -> None:
        """The stages follow each other; what was not is left out."""
        for stage, seconds in zip(STAGES, call.spent_s, strict=True):
            if seconds:
                span = self._tracer.start_span(stage, context, start_time=start_ns)
                start_ns += round(seconds * 1e9)
                span.end(start_ns)


def _context(request: Request) -> Context:
    """What the caller's headers say of the trace that the request is part of."""
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    carrier = {name: request.headers.get(name.encode(), b"").decode("latin-1") for name in _CARRIED}
    return TraceContextTextMapPropagator().extract({name: text for name, text in carrier.items() if text})


def _provider(service: str, processor: SpanProcessor) -> TracerProvider:
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.sampling import ALWAYS_ON

    resource = Resource.create({"service.name": service, "service.version": unisono.__version__})
    # What is not to be traced never comes so far; see `Tracer.answered`.
    provider = TracerProvider(sampler=ALWAYS_ON, resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(processor)
    return provider
