"""Ray Serve: one replica with dynamic batching, without dashboard and usage statistics."""

# mypy: disable-error-code="attr-defined, import-not-found, misc, untyped-decorator, unused-ignore"

from __future__ import annotations

import os

os.environ["RAY_USAGE_STATS_ENABLED"] = "0"

import signal
from collections.abc import Sequence

import ray
from ray import serve
from starlette.requests import Request

from benchmarks.serving.peers.forms import Row, values
from benchmarks.serving.peers.model import HOST, open_model, port


@serve.deployment(num_replicas=1, max_ongoing_requests=128, ray_actor_options={"num_cpus": 1})
class Scores:
    def __init__(self) -> None:
        self.model = open_model()

    @serve.batch(max_batch_size=64, batch_wait_timeout_s=0.001)
    async def score(self, rows: list[Sequence[float]]) -> list[float]:
        return self.model(rows)

    async def __call__(self, request: Request) -> dict[str, float]:
        row = Row.model_validate_json(await request.body())
        return {"probability": await self.score(values(row))}


if __name__ == "__main__":
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, configure_logging=False)
    serve.start(http_options={"host": HOST, "port": port()})
    serve.run(Scores.bind(), route_prefix="/predict", logging_config={"enable_access_log": False})
    signal.sigwait([signal.SIGTERM, signal.SIGINT])
    serve.shutdown()
    ray.shutdown()
