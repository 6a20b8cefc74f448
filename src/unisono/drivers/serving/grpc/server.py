"""Carries gRPC calls on grpcio: its threads wait, the loop answers.

grpcio's own loop (`grpc.aio`) was measured at 390 microseconds of CPU a call, its threads at 285.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Event
from time import perf_counter
from typing import Any

import grpc

from unisono.drivers.serving.exchange import Cancel, Request
from unisono.drivers.serving.grpc.service import GrpcService
from unisono.drivers.serving.refusals import RefusalError
from unisono.drivers.serving.settings import Grpc
from unisono.spec.errors import StoreError

STATUS: Mapping[int, grpc.StatusCode] = {
    400: grpc.StatusCode.INVALID_ARGUMENT,
    401: grpc.StatusCode.UNAUTHENTICATED,
    403: grpc.StatusCode.PERMISSION_DENIED,
    404: grpc.StatusCode.NOT_FOUND,
    405: grpc.StatusCode.UNIMPLEMENTED,
    409: grpc.StatusCode.FAILED_PRECONDITION,
    408: grpc.StatusCode.DEADLINE_EXCEEDED,
    413: grpc.StatusCode.RESOURCE_EXHAUSTED,
    414: grpc.StatusCode.INVALID_ARGUMENT,
    415: grpc.StatusCode.INVALID_ARGUMENT,
    422: grpc.StatusCode.INVALID_ARGUMENT,
    429: grpc.StatusCode.RESOURCE_EXHAUSTED,
    431: grpc.StatusCode.RESOURCE_EXHAUSTED,
    499: grpc.StatusCode.CANCELLED,
    500: grpc.StatusCode.INTERNAL,
    503: grpc.StatusCode.UNAVAILABLE,
    504: grpc.StatusCode.DEADLINE_EXCEEDED,
}
"""A refusal's status of HTTP -> that of gRPC."""


class GrpcServer:
    """One worker's gRPC server.

    service:  what it carries; on the thread of `loop`.
    settings: of [serve.grpc].
    loop:     that answers.
    """

    def __init__(self, service: GrpcService, settings: Grpc, loop: asyncio.AbstractEventLoop) -> None:
        self._service = service
        self._loop = loop
        self._server = grpc.server(
            ThreadPoolExecutor(settings.threads, thread_name_prefix="grpc"),
            handlers=[_Handlers(service.methods, self._answer)],
            maximum_concurrent_rpcs=settings.calls,
            options=[
                ("grpc.so_reuseport", 1),
                ("grpc.max_receive_message_length", settings.max_message_bytes),
                ("grpc.max_send_message_length", -1),
            ],
        )

    def start(self, host: str, port: int, credentials: grpc.ServerCredentials | None = None) -> int:
        """Listen; port 0 takes a free one. Returns the port.

        credentials: certificate and key, for TLS.

        Raises StoreError if the address is taken.
        """
        where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        try:
            bound = (
                self._server.add_insecure_port(where)
                if credentials is None
                else self._server.add_secure_port(where, credentials)
            )
        except RuntimeError as error:
            raise StoreError(
                f"cannot listen on {where} for gRPC; allowed: a free port on an address of this machine; choose "
                "another with [serve.grpc] port"
            ) from error
        self._server.start()
        return int(bound)

    async def drain(self, grace_s: float) -> None:
        """Accept no more; what is under way is answered, what is not after `grace_s` is cut."""
        stopped = self._server.stop(grace_s)
        await asyncio.get_running_loop().run_in_executor(None, stopped.wait)

    def _answer(self, path: str, body: bytes, context: grpc.ServicerContext) -> bytes:
        """One call, on a thread of grpcio."""
        ticket = _Ticket(self._service, self._request(path, body, context))
        if not context.add_callback(ticket.gone):
            ticket.gone()
        self._loop.call_soon_threadsafe(ticket.start)
        ticket.there.wait()
        answer = ticket.answer
        if isinstance(answer, bytes):
            return answer
        if answer is None:
            self._loop.call_soon_threadsafe(ticket.take_back)
        _abort(context, answer or RefusalError("cancelled", "the caller went away; allowed: to wait; send it again"))
        raise AssertionError("abort raises")

    def _request(self, path: str, body: bytes, context: grpc.ServicerContext) -> Request:
        headers = {
            key.encode(): value if isinstance(value, bytes) else value.encode()
            for key, value in context.invocation_metadata()
        }
        left_s = context.time_remaining()
        if left_s is not None:
            headers[b"x-timeout-ms"] = repr(max(left_s * 1000, 1e-3)).encode()
        return Request("POST", path, headers=headers, body=body, began_s=perf_counter())


class _Ticket:
    """One call between grpcio's thread, which waits, and the loop, which answers."""

    __slots__ = ("answer", "cancel", "request", "service", "there")

    def __init__(self, service: GrpcService, request: Request) -> None:
        self.service = service
        self.request = request
        self.there = Event()
        self.answer: bytes | RefusalError | None = None
        self.cancel: Cancel | None = None

    def start(self) -> None:
        """Have it answered, on the loop."""
        if not self.there.is_set():
            self.cancel = self.service.handle(self.request, self._put)

    def _put(self, answer: bytes | RefusalError) -> None:
        self.answer = answer
        self.there.set()

    def take_back(self) -> None:
        """Nobody wants the answer any more. On the loop, after `start`."""
        if self.cancel is not None:
            self.cancel()

    def gone(self) -> None:
        """The call has ended: by its answer, by its deadline, or since the caller went away."""
        self.there.set()


class _Handlers(grpc.GenericRpcHandler):
    """Finds the calls by name; messages stay bytes."""

    def __init__(self, methods: tuple[str, ...], answer: Callable[[str, bytes, grpc.ServicerContext], bytes]) -> None:
        self._methods: Mapping[str, grpc.RpcMethodHandler[bytes, bytes]] = {
            path: grpc.unary_unary_rpc_method_handler(partial(answer, path)) for path in methods
        }

    def service(self, details: grpc.HandlerCallDetails) -> Any:
        """The call of a name; None if there is none."""
        return self._methods.get(details.method)


def _abort(context: grpc.ServicerContext, refusal: RefusalError) -> None:
    metadata: list[tuple[str, str]] = [("unisono-code", refusal.code)]
    if refusal.retry_after_s is not None:
        metadata.append(("retry-after", str(max(1, round(refusal.retry_after_s)))))
    context.set_trailing_metadata(tuple(metadata))
    context.abort(STATUS[refusal.status], str(refusal))
