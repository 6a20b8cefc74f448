"""The protocol over gRPC: messages in process, and what only a real server has: deadlines, limits, status codes."""

from __future__ import annotations

import asyncio
import struct
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import grpc
import numpy as np
import pytest

import unisono as un
from tests.serving.protocols.parts import NamedVersion, Parts, called, make_parts, runner
from unisono.drivers.serving.calls import Call
from unisono.drivers.serving.grpc import check_installed
from unisono.drivers.serving.grpc.messages import MESSAGES
from unisono.drivers.serving.grpc.server import STATUS, GrpcServer
from unisono.drivers.serving.refusals import CODES, RefusalError
from unisono.drivers.serving.security.gate import Gate
from unisono.drivers.serving.settings import Grpc

ROW: Mapping[str, tuple[str, list[int], Any]] = {
    "name": ("BYTES", [1], [b"n0"]),
    "shop": ("INT64", [1], [7]),
    "price": ("FP64", [1], [12.34]),
    "weight": ("FP64", [1], [0.25]),
    "flag": ("BOOL", [1], [True]),
    "due": ("INT64", [1], [1_700_000_000_000_000]),
    "window": ("FP32", [1, 2, 2], [1.0, 2.0, 3.0, 4.0]),
}
FIELDS = {"BYTES": "bytes", "INT64": "int64", "INT32": "int", "INT8": "int", "FP64": "fp64", "BOOL": "bool"}
FIELDS |= {"FP32": "fp32", "UINT8": "uint", "UINT64": "uint64"}


def infer_request(row: Mapping[str, tuple[str, list[int], Any]] = ROW, **fields: Any) -> Any:
    """A ModelInferRequest with typed contents."""
    message = MESSAGES["ModelInferRequest"](**{"model_name": "kinds", **fields})
    for name, (datatype, shape, values) in row.items():
        one = message.inputs.add(name=name, datatype=datatype, shape=shape)
        getattr(one.contents, f"{FIELDS[datatype]}_contents").extend(values)
    return message


def raw_of(datatype: str, values: Any) -> bytes:
    if datatype == "BYTES":
        return b"".join(struct.pack("<I", len(one)) + one for one in values)
    kinds = {"INT64": "<i8", "FP64": "<f8", "FP32": "<f4", "BOOL": "?"}
    return np.array(values, kinds[datatype]).tobytes()


def raw_request(row: Mapping[str, tuple[str, list[int], Any]] = ROW) -> Any:
    """The same in binary form."""
    message = MESSAGES["ModelInferRequest"](model_name="kinds")
    for name, (datatype, shape, values) in row.items():
        message.inputs.add(name=name, datatype=datatype, shape=shape)
        message.raw_input_contents.append(raw_of(datatype, values))
    return message


def call(parts: Parts, name: str, message: Any, headers: Mapping[bytes, bytes] | None = None) -> Any:
    """What a call is answered: a message, or a refusal."""
    body = message if isinstance(message, bytes) else message.SerializeToString()
    answer = runner().run(called(parts.grpc(), name, body, headers or {}))
    return answer if isinstance(answer, RefusalError) else MESSAGES[f"{name}Response"].FromString(answer)


def test_typed_contents_go_in_and_out() -> None:
    parts = make_parts()
    answer = call(parts, "ModelInfer", infer_request(id="42"))
    assert (answer.model_name, answer.model_version, answer.id) == ("kinds", "echo1", "42")
    assert answer.parameters["position"].int64_param == 5
    assert answer.parameters["time"].string_param == "1970-01-01T00:00:00.000007Z"
    by_name = {one.name: one for one in answer.outputs}
    assert list(by_name["prediction"].contents.fp64_contents) == [0.25]
    assert list(by_name["shares"].contents.fp32_contents) == [0.25, 0.75] and list(by_name["shares"].shape) == [1, 2]
    assert list(by_name["seen"].contents.bytes_contents) == [b"n0"]
    assert list(by_name["large"].contents.bool_contents) == [False]
    assert parts.echo.rows[0][:6] == ("n0", 7, 1234, 0.25, True, 1_700_000_000_000_000)


def test_raw_contents_go_in_and_out() -> None:
    parts = make_parts()
    message = raw_request()
    message.outputs.add(name="seen")
    message.outputs.add(name="shares")
    answer = call(parts, "ModelInfer", message)
    assert [one.name for one in answer.outputs] == ["seen", "shares"]
    assert list(answer.raw_output_contents) == [b"\2\0\0\0n0", np.array([0.25, 0.75], "<f4").tobytes()]
    assert parts.echo.rows[0][:6] == ("n0", 7, 1234, 0.25, True, 1_700_000_000_000_000)


def with_raws_too(message: Any) -> None:
    message.raw_input_contents.extend([b""] * len(ROW))


def with_timeout(message: Any) -> None:
    message.parameters["timeout"].string_param = "soon"


BAD: dict[str, tuple[Callable[[Any], None] | Mapping[str, Any], str]] = {
    "both contents": (with_raws_too, "both contents and raw_input_contents"),
    "one raw content": (lambda message: message.raw_input_contents.append(b""), "1 raw_input_contents for 7"),
    "a wrong timeout": (with_timeout, "timeout: no whole number"),
    "too few values": ({"shop": ("INT64", [1], [])}, "0 int64_contents; allowed: 1"),
    "too large for INT8": ({"shop": ("INT8", [1], [300])}, "300"),
    "too large for UINT8": ({"shop": ("UINT8", [1], [300])}, "300"),
    "UINT64 for an integer": ({"shop": ("UINT64", [1], [1])}, "allowed: INT64"),
    "text that is none": ({"name": ("BYTES", [1], [b"\xff"])}, "not UTF-8"),
    "an unknown input": ({"x": ("BYTES", [1], [b"a"])}, "no such input of kinds"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_request_that_does_not_fit_is_refused(name: str) -> None:
    change, message = BAD[name]
    request = infer_request() if callable(change) else infer_request({**ROW, **change})
    if callable(change):
        change(request)
    refusal = call(make_parts(), "ModelInfer", request)
    assert isinstance(refusal, RefusalError) and refusal.code in ("bad_request", "invalid_request")
    assert message in str(refusal) and "allowed: " in str(refusal)


def test_half_precision_comes_in_binary_form_only() -> None:
    message = infer_request()
    message.inputs[3].datatype = "FP16"
    assert "FP16 in contents" in str(call(make_parts(), "ModelInfer", message))
    message = raw_request()
    message.inputs[3].datatype = "FP16"
    message.raw_input_contents[3] = np.array([0.5], "<f2").tobytes()
    parts = make_parts()
    call(parts, "ModelInfer", message)
    assert parts.echo.rows[0][3] == 0.5


def test_what_the_server_and_its_models_are() -> None:
    parts = make_parts()
    assert call(parts, "ServerLive", b"").live and call(parts, "ServerReady", b"").ready
    assert call(parts, "ServerMetadata", b"").name == "unisono"
    metadata = call(parts, "ModelMetadata", MESSAGES["ModelMetadataRequest"](name="kinds"))
    assert list(metadata.versions) == ["echo1"]
    assert (metadata.inputs[6].name, list(metadata.inputs[6].shape)) == ("window", [-1, 2, 2])
    assert call(parts, "ModelReady", MESSAGES["ModelReadyRequest"](name="kinds", version="champion")).ready
    parts.is_ready = False
    assert not call(parts, "ServerReady", b"").ready


def test_models_are_listed_unloaded_and_loaded() -> None:
    parts = make_parts()
    named = {"model_name": "kinds"}
    assert [one.state for one in call(parts, "RepositoryIndex", b"").models] == ["READY"]
    call(parts, "RepositoryModelUnload", MESSAGES["RepositoryModelUnloadRequest"](**named))
    assert not call(parts, "ModelReady", MESSAGES["ModelReadyRequest"](name="kinds")).ready
    assert not call(parts, "RepositoryIndex", MESSAGES["RepositoryIndexRequest"](ready=True)).models
    call(parts, "RepositoryModelLoad", MESSAGES["RepositoryModelLoadRequest"](**named))
    assert parts.shelf.asked == [("kinds", "UNAVAILABLE"), ("kinds", "READY")]
    unknown = call(parts, "RepositoryModelLoad", MESSAGES["RepositoryModelLoadRequest"](model_name="kind"))
    assert isinstance(unknown, RefusalError) and unknown.code == "no_such_model"


def test_every_code_has_a_status() -> None:
    assert {status for status, _ in CODES.values()} <= STATUS.keys()


# Over a real server --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Running:
    """A server on a loop of its own."""

    parts: Parts
    channel: grpc.Channel
    port: int
    server: GrpcServer
    loop: asyncio.AbstractEventLoop

    def call(self, name: str, message: Any, **options: Any) -> Any:
        stub: Any = self.channel.unary_unary(f"/inference.GRPCInferenceService/{name}")
        body = message if isinstance(message, bytes) else message.SerializeToString()
        return MESSAGES[f"{name}Response"].FromString(stub(body, **{"timeout": 10, **options}))

    def refused(self, name: str, message: Any, **options: Any) -> Any:
        with pytest.raises(grpc.RpcError) as caught:
            self.call(name, message, **options)
        return caught.value


@pytest.fixture
def running(request: pytest.FixtureRequest) -> Iterator[Running]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    parts = make_parts(gate=getattr(request, "param", None))
    server = GrpcServer(parts.grpc(), Grpc(port=0, threads=4, max_message_bytes=100_000), loop)
    port = server.start("127.0.0.1", 0)
    try:
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield Running(parts, channel, port, server, loop)
    finally:
        asyncio.run_coroutine_threadsafe(server.drain(0.0), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def test_a_call_is_answered_over_the_network(running: Running) -> None:
    assert list(running.call("ModelInfer", infer_request()).outputs[0].contents.fp64_contents) == [0.25]
    assert running.call("ServerLive", b"").live


@pytest.mark.parametrize(
    ("name", "message", "status", "code"),
    [
        ("ModelInfer", b"\xff", grpc.StatusCode.INVALID_ARGUMENT, "bad_request"),
        ("ModelInfer", infer_request(model_name="kind"), grpc.StatusCode.NOT_FOUND, "no_such_model"),
        ("ModelInfer", infer_request({}), grpc.StatusCode.INVALID_ARGUMENT, "invalid_request"),
    ],
)
def test_a_refusal_has_a_status_and_its_code(
    running: Running, name: str, message: Any, status: grpc.StatusCode, code: str
) -> None:
    refused = running.refused(name, message)
    assert refused.code() == status and "allowed: " in refused.details()
    assert dict(refused.trailing_metadata())["unisono-code"] == code


def test_a_message_that_is_too_large_is_refused(running: Running) -> None:
    large = infer_request({**ROW, "name": ("BYTES", [1], [b"x" * 200_000])})
    assert running.refused("ModelInfer", large).code() == grpc.StatusCode.RESOURCE_EXHAUSTED


def test_another_call_is_not_there(running: Running) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        stub: Any = running.channel.unary_unary("/inference.GRPCInferenceService/ModelConfig")
        stub(b"", timeout=10)
    assert caught.value.code() == grpc.StatusCode.UNIMPLEMENTED


def test_the_callers_deadline_is_the_calls_and_its_end_takes_the_call_back(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[Call] = []
    monkeypatch.setattr(NamedVersion, "submit", lambda self, call: taken.append(call))
    assert running.refused("ModelInfer", infer_request(), timeout=0.3).code() == grpc.StatusCode.DEADLINE_EXCEEDED
    (call,) = taken
    assert 0 < call.deadline_s - call.arrived_s < 0.31
    asyncio.run_coroutine_threadsafe(_until(lambda: call.is_over), running.loop).result(10)


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(9):
        while not condition():
            await asyncio.sleep(0.005)


@pytest.mark.parametrize("running", [Gate([])], indirect=True)
def test_a_token_comes_in_the_metadata(running: Running) -> None:
    refused = running.refused("ModelInfer", infer_request(), metadata=(("authorization", "Bearer uns_a_b"),))
    assert refused.code() == grpc.StatusCode.UNAUTHENTICATED and "unknown" in refused.details()
    assert "no token" in running.refused("RepositoryIndex", b"").details()
    assert running.call("ServerLive", b"").live


def test_an_address_that_is_taken_is_said(running: Running) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        other = GrpcServer(running.parts.grpc(), Grpc(port=port), running.loop)
        with pytest.raises(un.StoreError, match=f"cannot listen on 127.0.0.1:{port} for gRPC"):
            other.start("127.0.0.1", port)


def test_several_workers_listen_on_one_port(running: Running) -> None:
    other = GrpcServer(running.parts.grpc(), Grpc(port=running.port), running.loop)
    assert other.start("127.0.0.1", running.port) == running.port
    asyncio.run_coroutine_threadsafe(other.drain(0.0), running.loop).result(10)
    assert running.call("ServerLive", b"").live


def test_a_message_that_is_too_large_once_inflated_is_refused(running: Running) -> None:
    large = infer_request({**ROW, "name": ("BYTES", [1], [b"x" * 5_000_000])})
    refused = running.refused("ModelInfer", large, compression=grpc.Compression.Gzip)
    assert refused.code() == grpc.StatusCode.RESOURCE_EXHAUSTED


def test_a_server_without_grpcio_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    check_installed()
    monkeypatch.setitem(sys.modules, "grpc", None)
    with pytest.raises(un.StoreError, match=r"pip install 'unisono\[grpc\]'"):
        check_installed()
