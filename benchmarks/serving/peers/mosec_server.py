"""mosec: one worker with dynamic batching, JSON decoded strictly by msgspec."""

# mypy: disable-error-code="import-not-found, misc, unused-ignore"

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import msgspec
from mosec import Server, ValidationError, Worker

from benchmarks.scores import COLUMNS
from benchmarks.serving.peers.model import HOST, Rows, open_model, port

Row: Any = msgspec.defstruct("Row", [(name, float) for name in COLUMNS], forbid_unknown_fields=True)


class Scores(Worker):
    def __init__(self) -> None:
        self.model = open_model()
        self.decoder = msgspec.json.Decoder(Row)
        self.encoder = msgspec.json.Encoder()

    def deserialize(self, data: bytes) -> Sequence[float]:
        try:
            return msgspec.structs.astuple(self.decoder.decode(data))
        except msgspec.DecodeError as error:
            raise ValidationError(str(error)) from error

    def forward(self, data: Rows) -> list[float]:
        return self.model(data)

    def serialize(self, data: float) -> bytes:
        return self.encoder.encode({"probability": data})


if __name__ == "__main__":
    sys.argv[1:] = ["--address", HOST, "--port", str(port()), "--log-level", "warning"]
    server = Server()
    server.append_worker(Scores, num=1, max_batch_size=64, max_wait_time=1)
    server.run()
