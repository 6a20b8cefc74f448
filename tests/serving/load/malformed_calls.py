"""Calls over gRPC that are wrong in many ways, the same for the same seed: in their frames, and in their messages."""

from __future__ import annotations

import random
import struct
from typing import Any, Final

from unisono.drivers.serving.grpc.messages import MESSAGES

SERVICE: Final = "/inference.GRPCInferenceService/"
INFER: Final = f"{SERVICE}ModelInfer"
_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_METHODS = ("ModelInfer", "ModelInfer", "ModelInfer", "ModelMetadata", "ModelReady", "ServerLive", "Nothing")
_NAMES = ("user", "shop", "asked_at", "", "x" * 5000, "\x00")
_DATATYPES = ("BYTES", "INT64", "FP64", "FP16", "", "NONE")
_SIZES = (1, 1, 1, 2, 0, -1, 2**31, 2**62)


class CallMalformer:
    """Makes one call after the other.

    seed: of the first.
    """

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def frames(self) -> bytes:
        """What is sent on a connection of its own: noise, or frames of any kind after HTTP/2's preface."""
        if self._random.random() < 0.3:
            return self._random.randbytes(self._random.randrange(1, 400))
        settings = struct.pack(">IBBI", 0, 4, 0, 0)[1:]
        return _PREFACE + settings + b"".join(self._frame() for _ in range(self._random.randrange(1, 6)))

    def _frame(self) -> bytes:
        payload = self._random.randbytes(self._random.randrange(60))
        length = self._random.choice((len(payload), len(payload), 0, 2**24 - 1))
        kind, flags = self._random.randrange(12), self._random.randrange(256)
        return struct.pack(">I", length)[1:] + struct.pack(">BBI", kind, flags, self._random.randrange(8)) + payload

    def message(self) -> tuple[str, bytes]:
        """Method and message."""
        method = SERVICE + self._random.choice(_METHODS)
        kind = self._random.random()
        if kind < 0.2:
            return method, self._random.randbytes(self._random.randrange(200))
        if kind < 0.6:
            return method, self._mutated(valid_message())
        return method, self._strange().SerializeToString()

    def _mutated(self, message: bytes) -> bytes:
        mutated = bytearray(message)
        for _ in range(self._random.randrange(1, 6)):
            mutated[self._random.randrange(len(mutated))] = self._random.randrange(256)
        return bytes(mutated[: self._random.randrange(1, len(mutated) + 1)])

    def _strange(self) -> Any:
        """A message that can be read, of tensors that are none."""
        choose = self._random.choice
        message = MESSAGES["ModelInferRequest"](model_name=choose(("risk", "risk", "risk", "", "risc", "\u0000")))
        for _ in range(self._random.randrange(4)):
            shape = [choose(_SIZES) for _ in range(self._random.randrange(3))]
            tensor = message.inputs.add(name=choose(_NAMES), datatype=choose(_DATATYPES), shape=shape)
            tensor.contents.int64_contents.extend([1] * self._random.randrange(3))
            tensor.contents.bytes_contents.extend([b"\xff"] * self._random.randrange(2))
        for _ in range(self._random.randrange(3)):
            message.raw_input_contents.append(self._random.randbytes(self._random.randrange(20)))
        message.parameters["binary"].int64_param = choose(_SIZES)
        return message


def valid_message() -> bytes:
    """A ModelInferRequest that is answered."""
    message = MESSAGES["ModelInferRequest"](model_name="risk")
    user = message.inputs.add(name="user", datatype="BYTES", shape=[1])
    user.contents.bytes_contents.append(b"u1")
    message.inputs.add(name="shop", datatype="INT64", shape=[1]).contents.int64_contents.append(1)
    content: bytes = message.SerializeToString()
    return content
