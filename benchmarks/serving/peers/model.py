"""What all peers share: the model, run by onnxruntime on one thread, and where they listen."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import numpy as np
import onnxruntime  # type: ignore[import-untyped, unused-ignore]

HOST = "127.0.0.1"
GRAPH_VARIABLE, PORT_VARIABLE = "BENCHMARK_GRAPH", "BENCHMARK_PORT"

Rows = Sequence[Sequence[float]]


def port() -> int:
    """Where to listen."""
    return int(os.environ[PORT_VARIABLE])


def open_model() -> Callable[[Rows], list[float]]:
    """What gives the probabilities of some rows."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    graph = Path(os.environ[GRAPH_VARIABLE]).read_bytes()
    session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])

    def probabilities(rows: Rows) -> list[float]:
        found: list[float] = session.run(["probability"], {"matrix": np.array(rows, dtype=np.float64)})[0].tolist()
        return found

    return probabilities
