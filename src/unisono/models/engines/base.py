"""What an engine is: another way to run a predictor's graph than onnxruntime, which says how near it comes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

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


@dataclass(frozen=True, slots=True)
class PreparedGraph:
    """What an engine made of a graph, so that another process has less to do.

    content:     in a form of its own.
    needs_graph: whether it wants the reference at hand, too.
    """

    content: bytes
    needs_graph: bool


@runtime_checkable
class PreparesGraphs(Protocol):
    """An engine that reads a graph once, and runs what it made of it in other processes."""

    def prepare(self, graph: bytes) -> PreparedGraph:
        """What is made of a graph. Raises UnsuitableError for a graph that it cannot run."""
        ...

    def restore(self, content: bytes, reference: Run | None) -> Run:
        """What was prepared, ready to run. Raises ModelError for bytes that are something else.

        reference: how onnxruntime runs the graph, if it was said to be needed.
        """
        ...


@runtime_checkable
class StatesBound(Protocol):
    """An engine of class bounded that says by itself how near it comes."""

    def bound(self, graph: bytes) -> float:
        """How far its answers to a graph may be from the reference's, absolute or relative, whichever is smaller."""
        ...


@runtime_checkable
class LoadsLibrary(Protocol):
    """An engine that needs a library that is not always installed."""

    def load(self) -> None:
        """Have the library in memory. Raises ModelError if it is not installed."""
        ...


class UnsuitableError(ValueError):
    """An engine cannot run a graph; the message says why, as a sentence about the graph."""
