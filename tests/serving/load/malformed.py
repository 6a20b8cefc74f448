"""Requests that are wrong in many ways, the same for the same seed."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable, Sequence
from typing import Any

_TENSORS: dict[str, Any] = {
    "id": "a",
    "inputs": [
        {"name": "user", "shape": [1], "datatype": "BYTES", "data": ["u1"]},
        {"name": "shop", "shape": [1], "datatype": "INT64", "data": [1]},
    ],
    "outputs": [{"name": "probability", "parameters": {"binary_data": True}}],
}
_ROWS: list[Any] = [{"user": "u1", "shop": 1}, [{"user": "u1", "shop": 1}, {"user": "u2", "shop": 2}]]
_DOCUMENTS: Sequence[tuple[str, Any]] = [
    ("/predict/risk", _ROWS[0]),
    ("/predict/risk", _ROWS[1]),
    ("/features/risk", _ROWS[0]),
    ("/v2/models/risk/infer", _TENSORS),
]
_READS = ("/health/live", "/health/ready", "/v2", "/v2/health/ready", "/v2/models/risk", "/metrics", "/openapi.json")
_HEADERS = (
    b"content-length: 5",
    b"content-length: -1",
    b"content-length: 99999999999999999999",
    b"content-length: 1 1",
    b"transfer-encoding: chunked",
    b"transfer-encoding: gzip, chunked",
    b"transfer-encoding: chunked, identity",
    b"content-encoding: gzip",
    b"content-encoding: br",
    b"content-type: text/\xff",
    b"inference-header-content-length: 999999",
    b"inference-header-content-length: -5",
    b"inference-header-content-length: 20",
    b"x-timeout-ms: nan",
    b"x-timeout-ms: -1",
    b"expect: 100-continue",
    b"connection: upgrade\r\nupgrade: websocket",
    b"upgrade: h2c",
    b"host:",
    b" folded: x",
    b"bad name: x",
    b"no colon",
    b"x: \x00",
    b"authorization: Bearer \xff",
    b"accept-encoding: zstd",
    b"traceparent: 00-zz",
    b"x: " + b"y" * 40_000,
    b"\r\n".join(b"x%d: y" % number for number in range(200)),
)
_DEEP: Any = "deep"  # stands for lists in lists, thousands of them
_VALUES: Sequence[Any] = (
    None,
    True,
    -1,
    0,
    2**63,
    -(2**63),
    10**30,
    1e308,
    -0.0,
    0.1,
    float("nan"),
    float("inf"),
    "",
    "\x00",
    "\ud800",
    "BYTES",
    "1970-01-01T00:00:00Z",
    "x" * 5000,
    [],
    {},
    [[]],
    [-1],
    [2**40, 2**40],
    _DEEP,
)


class Malformer:
    """Makes one request after the other.

    seed: of the first.
    """

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._kinds: Sequence[Callable[[], bytes]] = (
            self._noise,
            self._cut,
            self._flipped,
            self._spliced,
            self._repeated,
            self._labelled,
            self._document,
            self._binary,
        )

    def one(self) -> bytes:
        """What is sent on one connection."""
        return self._random.choice(self._kinds)()

    def valid(self) -> bytes:
        """A request that is answered."""
        if self._random.random() < 0.2:
            return f"GET {self._random.choice(_READS)} HTTP/1.1\r\nhost: x\r\n\r\n".encode()
        path, document = self._random.choice(_DOCUMENTS)
        return _post(path, json.dumps(document).encode())

    def _noise(self) -> bytes:
        return self._random.randbytes(self._random.randrange(1, 400))

    def _cut(self) -> bytes:
        valid = self.valid()
        return valid[: self._random.randrange(1, len(valid))]

    def _flipped(self) -> bytes:
        mutated = bytearray(self.valid())
        for _ in range(self._random.randrange(1, 8)):
            mutated[self._random.randrange(len(mutated))] = self._random.randrange(256)
        return bytes(mutated)

    def _spliced(self) -> bytes:
        first, second = self.valid(), self.valid()
        return first[: self._random.randrange(len(first))] + second[self._random.randrange(len(second)) :]

    def _repeated(self) -> bytes:
        valid = self.valid()
        start = self._random.randrange(len(valid))
        end = self._random.randrange(start, len(valid))
        return valid[:end] + valid[start:end] * self._random.randrange(1, 60) + valid[end:]

    def _labelled(self) -> bytes:
        line, _, rest = self.valid().partition(b"\r\n")
        return b"\r\n".join([line, self._random.choice(_HEADERS), rest])

    def _document(self) -> bytes:
        path, document = self._random.choice(_DOCUMENTS)
        text = json.dumps(self._mutated(copy.deepcopy(document)))
        return _post(path, text.replace(json.dumps(_DEEP), "[" * 5000 + "]" * 5000).encode())

    def _mutated(self, document: Any) -> Any:
        """One value, somewhere, is replaced, left out, or joined by another."""
        if not isinstance(document, dict | list) or not document or self._random.random() < 0.15:
            return self._random.choice(_VALUES)
        places: list[Any] = list(document) if isinstance(document, dict) else list(range(len(document)))
        place, what = self._random.choice(places), self._random.random()
        if what < 0.15:
            del document[place]
        elif what < 0.25 and isinstance(document, dict):
            document[self._random.choice(("extra", "parameters", ""))] = self._random.choice(_VALUES)
        else:
            document[place] = self._mutated(document[place])
        return document

    def _binary(self) -> bytes:
        """Tensors as bytes behind the JSON, with sizes that need not be theirs."""
        sizes = [self._random.choice((6, 8, 0, 1, -8, 2**31, 2**63)) for _ in range(2)]
        inputs = [
            {"name": "user", "shape": [1], "datatype": "BYTES", "parameters": {"binary_data_size": sizes[0]}},
            {"name": "shop", "shape": [1], "datatype": "INT64", "parameters": {"binary_data_size": sizes[1]}},
        ]
        head = json.dumps(self._mutated({"inputs": inputs})).encode()
        length = self._random.choice((len(head), len(head), len(head) - 1, 0, 10**9))
        body = head + self._random.choice((b"\x02\0\0\0u1", b"\xff\xff\xff\xffu1")) + self._random.randbytes(8)
        return _post("/v2/models/risk/infer", body, b"inference-header-content-length: %d\r\n" % length)


def _post(path: str, body: bytes, headers: bytes = b"") -> bytes:
    kind = b"application/octet-stream" if headers else b"application/json"
    start = b"POST %s HTTP/1.1\r\nhost: x\r\ncontent-type: %s\r\n" % (path.encode(), kind)
    return start + headers + b"content-length: %d\r\n\r\n" % len(body) + body
