"""BentoML: one worker with adaptive batching: `bentoml serve benchmarks.serving.peers.bentoml_service:Scores`."""

# mypy: disable-error-code="import-not-found, untyped-decorator, unused-ignore"

import bentoml

from benchmarks.serving.peers.forms import Answer, Row, values
from benchmarks.serving.peers.model import open_model


@bentoml.service(workers=1, traffic={"timeout": 30, "max_concurrency": 1024}, logging={"access": {"enabled": False}})
class Scores:
    def __init__(self) -> None:
        self.model = open_model()

    @bentoml.api(batchable=True, max_batch_size=64, max_latency_ms=1000)
    def predict(self, rows: list[Row]) -> list[Answer]:
        return [Answer(probability=one) for one in self.model([values(row) for row in rows])]
