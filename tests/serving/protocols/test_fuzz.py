"""Malformed bodies straight into the handlers: refused or answered, never a failure of the server, never more memory.

UNISONO_ROUNDS: quick tries 500, test 3,000, soak 200,000 new ones, half of them over gRPC.
"""

from __future__ import annotations

import gzip
import json
import os
import zlib
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tests.serving.protocols.parts import Parts, called, exchanged, inputs, make_parts, runner, tensor
from tests.serving.protocols.test_grpc import infer_request, raw_request
from tests.serving.protocols.test_predict import ROW
from tests.serving.protocols.test_rest import JSON_LENGTH, binary, texts
from unisono.drivers.serving.exchange import Request
from unisono.drivers.serving.refusals import CODES, RefusalError

ROUNDS = os.environ.get("UNISONO_ROUNDS", "test")
BODIES = {"quick": 500, "test": 3_000, "soak": 200_000}[ROUNDS]
SEED = int.from_bytes(os.urandom(4), "little") if ROUNDS == "soak" else 7
ALLOWED = {status for status, _ in CODES.values() if status != 500} | {200}
MORE_BYTES = 16 << 20
"""What the process may have grown by at the end; a leak of 200 bytes a body would show."""

HOSTILE: tuple[Any, ...] = (
    None, True, -1, 0, 2**31, 2**63, 2**64, 10**40, 10**400, 1e308, -0.0, "", "a", "\0", "\N{SNOWMAN}", "9" * 50,
    "1e999999999",
    "0001-01-01T00:00:00+23:59", "BYTES", "BOOL", "FP16", "features", "features.null", "name.null", [], [[]], [1], {},
    {"binary_data_size": 8}, {"binary_data_size": -1}, [2**40, 2**40], [0], [1, 1], "NaN", "sNaN", "-Infinity",
)  # fmt: skip


def mutated(chance: Random, body: bytes) -> bytes:
    """A body that is cut, flipped, spliced, or nothing but noise."""
    way = chance.randrange(6)
    place = chance.randrange(len(body) + 1)
    if way == 0:
        return body[:place]
    if way == 1:
        return chance.randbytes(chance.randrange(200))
    if way == 2:
        return body[:place] + chance.randbytes(chance.randrange(1, 9)) + body[place:]
    if way == 3:
        return body[:place] + body[min(place + chance.randrange(1, 40), len(body)) :]
    changed = bytearray(body or b"x")
    for _ in range(chance.randrange(1, 6)):
        changed[chance.randrange(len(changed))] = chance.randrange(256)
    return bytes(changed)


def disturbed(chance: Random, document: Any) -> Any:
    """A document in which some values are others."""
    if chance.random() < 0.02:
        return chance.choice(HOSTILE)
    if isinstance(document, dict):
        return {
            key if chance.random() > 0.02 else str(chance.choice(HOSTILE)): disturbed(chance, value)
            for key, value in document.items()
        }
    if isinstance(document, list):
        return [disturbed(chance, value) for value in document]
    return document


def protocol_document(chance: Random) -> dict[str, Any]:
    rows = chance.randrange(1, 4)
    beside = [
        tensor(f"{chance.choice(['name', 'shop', 'price', 'due'])}.null", "BOOL", [chance.random() < 0.5] * rows),
        tensor("features", "FP64", [[0.5, 1.5]] * rows),
        tensor("features.null", "BOOL", [[True, False]] * rows),
        tensor("asked_at", "INT64", [1_700_000_000_000_000] * rows),
    ]
    given = [*inputs(rows), *beside[: chance.randrange(len(beside) + 1)]]
    return {"id": "7", "inputs": given, "outputs": [{"name": "seen"}], "parameters": {"timeout": 9_000_000}}


def json_request(chance: Random) -> Request:
    text = json.dumps(disturbed(chance, protocol_document(chance))).encode()
    return Request("POST", "/v2/models/kinds/infer", body=text if chance.random() < 0.7 else mutated(chance, text))


def binary_request(chance: Random) -> Request:
    raws = {"name": texts(b"a", "\N{SNOWMAN}".encode()), "shop": bytes(16), "window": bytes(32)}
    raws = {name: raw if chance.random() < 0.7 else mutated(chance, raw) for name, raw in raws.items()}
    body, headers = binary({"inputs": inputs(2), "parameters": {"binary_data_output": True}}, raws)
    if chance.random() < 0.5:
        body = mutated(chance, body)
    if chance.random() < 0.2:
        headers[JSON_LENGTH] = str(chance.choice(HOSTILE)).encode()
    return Request("POST", "/v2/models/kinds/infer", headers=headers, body=body)


def compressed_request(chance: Random) -> Request:
    text = json.dumps({"inputs": inputs(2)}).encode()
    body = gzip.compress(text) if chance.random() < 0.5 else zlib.compress(text)
    headers = {b"content-encoding": chance.choice([b"gzip", b"deflate", b"GZIP ", b"br", b""])}
    body = body if chance.random() < 0.2 else mutated(chance, body)
    return Request("POST", "/v2/models/kinds/infer", headers=headers, body=body)


def plain_request(chance: Random) -> Request:
    document = disturbed(chance, chance.choice([ROW, [ROW, ROW]]))
    text = json.dumps(document).encode()
    headers = {b"x-timeout-ms": str(chance.choice(HOSTILE)).encode()} if chance.random() < 0.1 else {}
    path = chance.choice(["/predict/kinds", "/features/kinds"])
    query = mutated(chance, b"version=champion") if chance.random() < 0.1 else b""
    body = text if chance.random() < 0.6 else mutated(chance, text)
    return Request("POST", path, query=query, headers=headers, body=body)


def infer_message(chance: Random) -> bytes:
    """A ModelInferRequest whose fields are disturbed, one or two of them, or whose bytes are."""
    message = raw_request() if chance.random() < 0.5 else infer_request(id="7")
    for _ in range(chance.randrange(3)):
        DISTURBANCES[chance.randrange(len(DISTURBANCES))](chance, message)
    body: bytes = message.SerializeToString()
    return body if chance.random() < 0.6 else mutated(chance, body)


def _other_datatype(chance: Random, message: Any) -> None:
    chance.choice(message.inputs).datatype = chance.choice(["BYTES", "INT8", "UINT64", "FP16", "FP32", "BF16", ""])


def _other_shape(chance: Random, message: Any) -> None:
    one = chance.choice(message.inputs)
    one.shape[:] = [chance.choice([-1, 0, 1, 2, 2**40, 2**63 - 1]) for _ in range(chance.randrange(4))]


def _other_name(chance: Random, message: Any) -> None:
    chance.choice(message.inputs).name = chance.choice(["features", "name.null", "shop.null", "shop", "", "\0"])


def _other_raw(chance: Random, message: Any) -> None:
    if message.raw_input_contents:
        place = chance.randrange(len(message.raw_input_contents))
        message.raw_input_contents[place] = mutated(chance, message.raw_input_contents[place])


def _other_contents(chance: Random, message: Any) -> None:
    contents = chance.choice(message.inputs).contents
    contents.int_contents.extend([300] * chance.randrange(3))
    contents.bytes_contents.extend([b"\xff", b"", b"9e9999999"][: chance.randrange(4)])


def _other_parameter(chance: Random, message: Any) -> None:
    message.parameters["timeout"].double_param = chance.choice([0.0, -1.0, float("nan"), 1e300])


DISTURBANCES = (_other_datatype, _other_shape, _other_name, _other_raw, _other_contents, _other_parameter)

REQUESTS = (json_request, binary_request, compressed_request, plain_request)


async def asked(parts: Parts, chance: Random) -> int:
    """What one malformed request is answered over HTTP."""
    response = await exchanged(parts.service(), chance.choice(REQUESTS)(chance))
    return response.status


async def said(parts: Parts, chance: Random) -> int:
    """What one malformed call is answered over gRPC, as a status of HTTP."""
    name = "ModelInfer" if chance.random() < 0.9 else chance.choice(["ModelMetadata", "RepositoryIndex", "ModelReady"])
    body = infer_message(chance)
    answer = await called(parts.grpc(), name, body, {})
    return answer.status if isinstance(answer, RefusalError) else 200


def resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.slow
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("ask", [asked, said])
def test_malformed_bodies_are_refused_or_answered(
    ask: Callable[[Parts, Random], Any], caplog: pytest.LogCaptureFixture
) -> None:
    parts = make_parts()
    seen: dict[int, int] = {}
    bodies = BODIES // 2
    early_bytes = 0
    for number in range(bodies):
        status = runner().run(ask(parts, Random(f"{SEED}.{number}")))
        assert status in ALLOWED, f"body {SEED}.{number}: {caplog.text}"
        seen[status] = seen.get(status, 0) + 1
        if number == bodies // 3:
            early_bytes = resident_bytes()
    assert resident_bytes() - early_bytes < MORE_BYTES
    assert seen[200] > bodies // 50 and bodies - seen[200] > bodies // 3, seen
    assert not caplog.records
    print(f"{bodies} tried: {seen}")
