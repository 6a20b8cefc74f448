"""LitServe: one worker, one API server, batching, and its faster queue."""

# mypy: disable-error-code="import-not-found, misc, unused-ignore"

from collections.abc import Sequence

import litserve as ls

from benchmarks.serving.peers.forms import Row, values
from benchmarks.serving.peers.model import HOST, Rows, open_model, port


class Scores(ls.LitAPI):
    def setup(self, device: str) -> None:
        self.model = open_model()

    def decode_request(self, request: Row) -> Sequence[float]:
        return values(request)

    def batch(self, inputs: list[Sequence[float]]) -> Rows:
        return inputs

    def predict(self, rows: Rows) -> list[float]:
        return self.model(rows)

    def unbatch(self, output: list[float]) -> list[float]:
        return output

    def encode_response(self, output: float) -> dict[str, float]:
        return {"probability": output}


if __name__ == "__main__":
    api = Scores(max_batch_size=64, batch_timeout=0.001)
    server = ls.LitServer(api, accelerator="cpu", workers_per_device=1, fast_queue=True, timeout=30)
    server.run(host=HOST, port=port(), num_api_servers=1, generate_client_file=False, log_level="warning")
