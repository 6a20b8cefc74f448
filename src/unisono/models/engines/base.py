"""What an engine is: another way to run a predictor's graph than onnxruntime, which says how near it comes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, Protocol

from numpy.typing import NDArray

Tensor = NDArray[Any]

Run = Callable[[Mapping[str, Tensor]], list[Tensor]]
"""Arrays by the names of the graph's inputs -> its outputs, in order. Threads may share it."""

NumericClass = Literal["exact", "bounded"]


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
