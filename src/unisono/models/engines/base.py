"""What an engine is: another way to run a predictor's graph than onnxruntime, which says how near it comes."""

from __future__ import annotations

from typing import Protocol

from unisono.models.session import Run
from unisono.models.verifying.classes import NumericClass


class Engine(Protocol):
    """Runs graphs. Whatever it runs is tried on the version's golden rows before it answers.

    numeric_class: "exact" if its answers always have the bits of onnxruntime's.
    """

    numeric_class: NumericClass

    def open(self, graph: bytes, reference: Run) -> Run:
        """A graph, ready to run.

        graph:     the bytes of `PredictorGraph.onnx`.
        reference: how onnxruntime runs it, for what an engine leaves to it.

        Raises UnsuitableError for a graph that it cannot run.
        """
        ...


class UnsuitableError(ValueError):
    """An engine cannot run a graph; the message says why, as a sentence about the graph."""
