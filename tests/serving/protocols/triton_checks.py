"""What an independent client, `tritonclient`, has to see: run by an interpreter that has it.

    python triton_checks.py 127.0.0.1:8080 127.0.0.1:8081

prints one line of JSON: name of each check -> what went wrong, "" if nothing did. The server has `kinds` of `parts.py`.
"""

from __future__ import annotations

import json
import queue
import sys
import traceback
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

import numpy as np

VALUES: Mapping[str, tuple[str, Any]] = {
    "name": ("BYTES", np.array([b"n0", "\N{SNOWMAN}".encode()], object)),
    "shop": ("INT64", np.array([7, -7], np.int64)),
    "price": ("FP64", np.array([12.34, 0.5])),
    "weight": ("FP64", np.array([0.25, 2.5])),
    "flag": ("BOOL", np.array([True, False])),
    "due": ("INT64", np.array([1_700_000_000_000_000] * 2, np.int64)),
    "window": ("FP32", np.arange(8, dtype=np.float32).reshape(2, 2, 2)),
}


def inputs(client: Any, **options: bool) -> list[Any]:
    """The inputs of two rows, as the client's module has them."""
    made = []
    for name, (datatype, values) in VALUES.items():
        one = client.InferInput(name, list(values.shape), datatype)
        one.set_data_from_numpy(values, **options)
        made.append(one)
    return made


def check_answer(answer: Any) -> None:
    """What the two rows are answered, whatever way it came."""
    assert answer.as_numpy("prediction").tolist() == [0.25, 2.5]
    shares = answer.as_numpy("shares")
    assert shares.dtype == np.float32 and shares.tolist() == [[0.25, 0.75], [2.5, -1.5]]
    seen = [one.decode() if isinstance(one, bytes) else one for one in answer.as_numpy("seen").tolist()]
    assert seen == ["n0", "\N{SNOWMAN}"], seen
    assert answer.as_numpy("large").tolist() == [False, True]


def refused(ask: Callable[[], Any], message: str, status: str) -> None:
    """That something is refused with a message and a status."""
    error = import_module("tritonclient.utils").InferenceServerException
    try:
        ask()
    except error as seen:
        assert message in seen.message(), seen.message()
        assert seen.status() == status, seen.status()
        return
    raise AssertionError("it was not refused")


def http_health(client: Any, _: Any) -> None:
    assert client.is_server_live() and client.is_server_ready()
    assert client.is_model_ready("kinds") and client.is_model_ready("kinds", "champion")
    assert not client.is_model_ready("nobody") and not client.is_model_ready("kinds", "2")


def http_metadata(client: Any, _: Any) -> None:
    assert client.get_server_metadata()["name"] == "unisono"
    assert "binary_tensor_data" in client.get_server_metadata()["extensions"]
    model = client.get_model_metadata("kinds")
    assert {one["name"]: (one["datatype"], one["shape"]) for one in model["inputs"]}["window"] == ("FP32", [-1, 2, 2])


def http_json(client: Any, module: Any) -> None:
    outputs = [
        module.InferRequestedOutput(name, binary_data=False) for name in ("prediction", "shares", "seen", "large")
    ]
    check_answer(client.infer("kinds", inputs(module, binary_data=False), outputs=outputs))


def http_binary(client: Any, module: Any) -> None:
    check_answer(client.infer("kinds", inputs(module, binary_data=True)))


def http_mixed(client: Any, module: Any) -> None:
    names = {"prediction": True, "shares": False, "seen": True, "large": False}
    outputs = [module.InferRequestedOutput(name, binary_data=is_binary) for name, is_binary in names.items()]
    given = inputs(module, binary_data=True)
    plain = inputs(module, binary_data=False)
    check_answer(client.infer("kinds", [*given[:3], *plain[3:]], outputs=outputs))


def http_compressed(client: Any, module: Any) -> None:
    for way in ("gzip", "deflate"):
        for is_binary in (True, False):
            answer = client.infer(
                "kinds",
                inputs(module, binary_data=is_binary),
                request_compression_algorithm=way,
                response_compression_algorithm=way,
            )
            check_answer(answer)


def http_large_compressed(client: Any, module: Any) -> None:
    rows = 500
    given = []
    for name, (datatype, values) in VALUES.items():
        many = np.concatenate([values] * (rows // 2))
        given.append(module.InferInput(name, list(many.shape), datatype))
        given[-1].set_data_from_numpy(many)
    answer = client.infer("kinds", given, response_compression_algorithm="gzip")
    assert answer.as_numpy("prediction").tolist() == [0.25, 2.5] * (rows // 2)


def http_said(client: Any, module: Any) -> None:
    answer = client.infer(
        "kinds", inputs(module), model_version="champion", request_id="me", timeout=5_000_000, priority=1
    ).get_response()
    assert (answer["id"], answer["model_name"], answer["model_version"]) == ("me", "kinds", "echo1")
    assert answer["parameters"]["position"] == 5


def http_async(client: Any, module: Any) -> None:
    waiting = [client.async_infer("kinds", inputs(module)) for _ in range(8)]
    for one in waiting:
        check_answer(one.get_result())


def http_repository(client: Any, _: Any) -> None:
    assert {one["name"]: one["state"] for one in client.get_model_repository_index()}["kinds"] == "READY"
    client.unload_model("kinds")
    assert not client.is_model_ready("kinds")
    client.load_model("kinds")
    assert client.is_model_ready("kinds")


def http_refusals(client: Any, module: Any) -> None:
    refused(lambda: client.infer("nobody", inputs(module)), "no such predictor is served", "404")
    refused(lambda: client.infer("kinds", inputs(module)[1:]), "no input name", "400")
    refused(lambda: client.get_model_metadata("kinds", "2"), "version 2 is not served", "404")
    refused(lambda: client.load_model("nobody"), "no such predictor", "404")
    refused(lambda: client.unload_model("risk"), "the registry is away", "503")
    wrong = module.InferInput("shop", [2], "UINT64")
    wrong.set_data_from_numpy(np.array([1, 2], np.uint64))
    given = [wrong if one.name() == "shop" else one for one in inputs(module)]
    refused(lambda: client.infer("kinds", given), "allowed: INT64", "400")


def grpc_health(client: Any, _: Any) -> None:
    assert client.is_server_live() and client.is_server_ready()
    assert client.is_model_ready("kinds") and client.is_model_ready("kinds", "champion")
    refused(lambda: client.is_model_ready("nobody"), "no such predictor", "StatusCode.NOT_FOUND")


def grpc_metadata(client: Any, _: Any) -> None:
    assert client.get_server_metadata().name == "unisono"
    model = client.get_model_metadata("kinds", as_json=True)
    assert [one["name"] for one in model["inputs"]][:2] == ["name", "shop"]
    assert model["outputs"][1] == {"name": "shares", "datatype": "FP32", "shape": ["-1", "2"]}


def grpc_raw(client: Any, module: Any) -> None:
    check_answer(client.infer("kinds", inputs(module)))
    outputs = [module.InferRequestedOutput(name) for name in ("large", "seen", "shares", "prediction")]
    check_answer(client.infer("kinds", inputs(module), outputs=outputs, compression_algorithm="gzip"))


def grpc_typed(client: Any, _: Any) -> None:
    """Typed contents, by the client's own messages and stub: its `infer` always sends binary form."""
    messages = import_module("tritonclient.grpc.service_pb2")
    request = messages.ModelInferRequest(model_name="kinds")
    fields = {"BYTES": "bytes", "INT64": "int64", "FP64": "fp64", "BOOL": "bool", "FP32": "fp32"}
    for name, (datatype, values) in VALUES.items():
        one = request.inputs.add(name=name, datatype=datatype, shape=values.shape)
        getattr(one.contents, f"{fields[datatype]}_contents").extend(values.ravel().tolist())
    answer = client._client_stub.ModelInfer(request)
    assert not answer.raw_output_contents
    assert list(answer.outputs[0].contents.fp64_contents) == [0.25, 2.5]
    assert list(answer.outputs[2].contents.bytes_contents) == [b"n0", "\N{SNOWMAN}".encode()]


def grpc_said(client: Any, module: Any) -> None:
    answer = client.infer(
        "kinds", inputs(module), model_version="champion", request_id="me", timeout=5_000_000, client_timeout=5.0
    ).get_response()
    assert (answer.id, answer.model_name, answer.model_version) == ("me", "kinds", "echo1")
    assert answer.parameters["position"].int64_param == 5


def grpc_async(client: Any, module: Any) -> None:
    answers: queue.Queue[Any] = queue.Queue()
    for _ in range(8):
        client.async_infer("kinds", inputs(module), lambda result, error: answers.put((result, error)))
    for _ in range(8):
        result, error = answers.get(timeout=10)
        assert error is None, error
        check_answer(result)


def grpc_repository(client: Any, _: Any) -> None:
    assert {one.name: one.state for one in client.get_model_repository_index().models}["kinds"] == "READY"
    client.unload_model("kinds")
    assert not client.is_model_ready("kinds")
    client.load_model("kinds")
    assert client.is_model_ready("kinds")


def grpc_refusals(client: Any, module: Any) -> None:
    refused(lambda: client.infer("nobody", inputs(module)), "no such predictor is served", "StatusCode.NOT_FOUND")
    refused(lambda: client.infer("kinds", inputs(module)[1:]), "no input name", "StatusCode.INVALID_ARGUMENT")
    refused(lambda: client.load_model("nobody"), "no such predictor", "StatusCode.NOT_FOUND")
    refused(lambda: client.unload_model("risk"), "the registry is away", "StatusCode.UNAVAILABLE")


CHECKS: Mapping[str, Callable[[Any, Any], None]] = {
    name: check for name, check in list(globals().items()) if name.startswith(("http_", "grpc_"))
}


def outcome(check: Callable[[Any, Any], None], client: Any, module: Any) -> str:
    """What went wrong; "" if nothing did."""
    try:
        check(client, module)
    except Exception:
        return traceback.format_exc()
    return ""


def main(http: str, grpc: str) -> None:
    """Make all checks."""
    modules = {"http": import_module("tritonclient.http"), "grpc": import_module("tritonclient.grpc")}
    clients = {
        "http": modules["http"].InferenceServerClient(http, concurrency=4),
        "grpc": modules["grpc"].InferenceServerClient(grpc),
    }
    outcomes = {name: outcome(check, clients[name[:4]], modules[name[:4]]) for name, check in CHECKS.items()}
    for client in clients.values():
        client.close()
    print(json.dumps(outcomes))


if __name__ == "__main__":
    main(*sys.argv[1:])
