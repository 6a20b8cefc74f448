"""mosec: one worker, JSON decoded strictly by msgspec; with dynamic batching, or row by row if BENCHMARK_BATCH is 1."""

# mypy: disable-error-code="import-not-found, misc, unused-ignore"

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Any

import msgspec
from mosec import Server, ValidationError, Worker

from benchmarks.scores import COLUMNS
from benchmarks.serving.peers.model import HOST, open_model, port

BATCH = int(os.environ["BENCHMARK_BATCH"])
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

    def forward(self, data: Any) -> Any:
        return self.model(data) if BATCH > 1 else self.model([data])[0]

    def serialize(self, data: float) -> bytes:
        return self.encoder.encode({"probability": data})


if __name__ == "__main__":
    sys.argv[1:] = ["--address", HOST, "--port", str(port()), "--log-level", "warning"]
    server = Server()
    server.append_worker(Scores, num=1, max_batch_size=BATCH, max_wait_time=1)
    server.run()
