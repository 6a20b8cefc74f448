"""Who is compared: how each server is started, asked and understood."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from benchmarks.harness import ROOT
from benchmarks.serving.environments import python_of
from benchmarks.serving.workload import KEYED, PREDICTOR, WIDE, Files, Form

_PEERS = "benchmarks.serving.peers"
_MLSERVER = Path(__file__).parent / "peers" / "mlserver"


@dataclass(frozen=True, slots=True)
class Contestant:
    """A server.

    name:        as results call it.
    command:     after `python -m`; {PORT} and {PROJECT} are filled in.
    path:        that requests are sent to.
    form:        of their bodies; None: GET without one.
    answer:      takes the probability out of the decoded answer.
    environment: that it runs in; None: this one.
    project:     of unisono, that it serves.
    headers:     NAME=VALUE, sent with each request.
    variables:   of its environment; {PORT+N} is a port near its own.
    """

    name: str
    command: Sequence[str]
    path: str
    form: Form | None = None
    answer: Callable[[Any], float] = field(default=lambda found: found["probability"])
    environment: str | None = None
    project: str | None = None
    headers: Sequence[str] = ()
    variables: Mapping[str, str] = field(default_factory=dict)

    def command_line(self, files: Files, port: int) -> list[str]:
        """What starts it. Raises UnavailableError if its environment cannot be made."""
        python = sys.executable if self.environment is None else str(python_of(self.environment))
        project = str(files.project(self.project)) if self.project else ""
        return [
            python,
            "-m",
            *(part.replace("{PORT}", str(port)).replace("{PROJECT}", project) for part in self.command),
        ]

    def environ(self, files: Files, port: int) -> dict[str, str]:
        """What its environment has besides ours."""
        shared = {
            "BENCHMARK_GRAPH": str(files.graph),
            "BENCHMARK_PORT": str(port),
            "PYTHONPATH": str(ROOT),
            "ORT_DISABLE_TELEMETRY": "1",
        }
        near = {f"{{PORT+{step}}}": str(port + step) for step in range(3)}
        return shared | {name: near.get(value, value) for name, value in self.variables.items()}


def unisono(name: str, project: str, *, timeout_ms: int = 5000) -> Contestant:
    """As users run it; a deadline comes with each request."""
    return Contestant(
        name,
        ("unisono", "serve", "--project", "{PROJECT}", "--workers", "1", "--port", "{PORT}"),
        f"/predict/{PREDICTOR[project]}",
        "keyed" if project == KEYED else "named",
        answer=lambda found: found["prediction"]["probability"],
        project=project,
        headers=(f"x-timeout-ms={timeout_ms}",),
    )


def _mosec(name: str, *, batch: int) -> Contestant:
    """Batches cost it a wait: it is quick for many callers, or for one."""
    command, variables = (f"{_PEERS}.mosec_server",), {"BENCHMARK_BATCH": str(batch)}
    return Contestant(name, command, "/inference", "named", environment="mosec", variables=variables)


def _first(found: Any) -> float:
    probability: float = found[0]["probability"]
    return probability


OURS, WITH_FEATURES, HELLO = "unisono", "unisono, 15 features looked up", "hello"

CONTESTANTS: Final = {
    one.name: one
    for one in (
        unisono(OURS, WIDE),
        unisono(WITH_FEATURES, KEYED),
        Contestant(HELLO, (f"{_PEERS}.hello",), "/", environment="fastapi"),
        Contestant("fastapi", (f"{_PEERS}.fastapi_server",), "/predict", "named", environment="fastapi"),
        _mosec("mosec", batch=64),
        _mosec("mosec row by row", batch=1),
        Contestant("litserve", (f"{_PEERS}.litserve_server",), "/predict", "named", environment="litserve"),
        Contestant(
            "mlserver",
            (f"{_PEERS}.mlserver_server", "start", str(_MLSERVER)),
            "/v2/models/scores/infer",
            "tensor",
            answer=lambda found: found["outputs"][0]["data"][0],
            environment="mlserver",
            variables={
                "MLSERVER_HTTP_PORT": "{PORT+0}",
                "MLSERVER_GRPC_PORT": "{PORT+1}",
                "MLSERVER_METRICS_PORT": "{PORT+2}",
            },
        ),
        Contestant(
            "bentoml",
            ("bentoml", "serve", f"{_PEERS}.bentoml_service:Scores", "--host", "127.0.0.1", "--port", "{PORT}"),
            "/predict",
            "listed",
            answer=_first,
            environment="bentoml",
            variables={"BENTOML_DO_NOT_TRACK": "True"},
        ),
        Contestant("ray", (f"{_PEERS}.ray_server",), "/predict", "named", environment="ray"),
    )
}
"""By name; hello is the bound that no server on its stack can pass, and answers no predictions."""
