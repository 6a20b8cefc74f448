"""Ways to run a predictor's graph: onnxruntime, the reference, and engines that are quicker for some graphs.

Engines are found by the entry-point group `unisono.engines`; one is used where it is named, and nowhere else.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points

from unisono.models.engines.base import (
    Engine,
    LoadsLibrary,
    PreparedGraph,
    PreparesGraphs,
    StatesBound,
    UnsuitableError,
)
from unisono.models.names import REFERENCE_ENGINE
from unisono.models.session import Session
from unisono.models.verifying.classes import NumericClass, Tolerance
from unisono.spec.errors import InputError, ModelError
from unisono.spec.wording import did_you_mean, listing, quoted

__all__ = [
    "Engine",
    "EngineSession",
    "LoadsLibrary",
    "PreparedGraph",
    "PreparesGraphs",
    "StatesBound",
    "UnsuitableError",
    "engines",
    "find_engine",
    "open_session",
    "tolerance_of",
    "unsuitable",
]

GROUP = "unisono.engines"

# The same as the entry points of this package, for a source tree that is not installed.
_OURS = {
    "trees": "unisono.models.engines.trees:Trees",
    "openvino": "unisono.models.engines.openvino:OpenVino",
}


@cache
def engines() -> Mapping[str, Engine]:
    """Every engine but the reference, by name. One that is installed takes the place of ours of the same name."""
    ours = {name: _load(place) for name, place in _OURS.items()}
    return {**ours, **{point.name: point.load()() for point in entry_points(group=GROUP)}}


def _load(place: str) -> Engine:
    module, _, name = place.partition(":")
    made: Engine = getattr(import_module(module), name)()
    return made


class EngineSession(Session):
    """A predictor's graph that an engine runs, ready to answer.

    graph:  the bytes of `PredictorGraph.onnx`.
    engine: its name.

    Raises InputError if there is no such engine, ModelError for a graph that it cannot run.
    """

    __slots__ = ("engine", "numeric_class")

    def __init__(self, graph: bytes, engine: str) -> None:
        super().__init__(graph)
        found = find_engine(engine)
        self.engine: str = engine
        self.numeric_class: NumericClass = found.numeric_class
        try:
            self._use(found.open(graph, self.direct), self.interface)
        except UnsuitableError as error:
            raise unsuitable(engine, error) from error


def unsuitable(engine: str, error: UnsuitableError) -> ModelError:
    """What to say of a graph that an engine cannot run."""
    return ModelError(
        f"engine {quoted(engine)}: cannot run this graph: {error}; allowed: graphs of its kind; "
        f"use engine {quoted(REFERENCE_ENGINE)}, which runs every graph"
    )


def find_engine(name: str) -> Engine:
    """The engine of a name. Raises InputError if there is none."""
    known = engines()
    if name not in known:
        names = [REFERENCE_ENGINE, *known]
        raise InputError(
            f"engine {quoted(name)}: there is none; allowed: {listing(names)}; {did_you_mean(name, names)}"
        )
    return known[name]


def open_session(graph: bytes, engine: str = REFERENCE_ENGINE) -> Session:
    """A predictor's graph, ready to answer, by the engine that is named. Raises InputError, ModelError."""
    return Session(graph) if engine == REFERENCE_ENGINE else EngineSession(graph, engine)


def tolerance_of(engine: str, graph: bytes, passport: Tolerance) -> Tolerance:
    """How far answers to golden rows may be apart: by the version's passport, or by what the engine says of itself.

    Raises InputError if there is no such engine.
    """
    if engine == REFERENCE_ENGINE:
        return passport
    found: object = find_engine(engine)
    return Tolerance(max(passport.bound, found.bound(graph))) if isinstance(found, StatesBound) else passport
