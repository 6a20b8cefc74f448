"""The keeper's side: reads and judges a version, chooses what runs it, tries it, and leaves it for the workers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from unisono import __version__
from unisono.drivers.online.plan import OnlinePlan
from unisono.drivers.serving.prepared.folders import (
    ENGINE,
    FORMAT,
    GOLDEN,
    GRAPH,
    Serving,
    aside,
    hash_of,
    read_files,
    read_serving,
    write_folder,
)
from unisono.drivers.serving.prepared.loading import load
from unisono.models.engines import PreparesGraphs, UnsuitableError, find_engine, tolerance_of, unsuitable
from unisono.models.names import REFERENCE_ENGINE, extras_of
from unisono.models.passport import read_passport
from unisono.models.predictor_graph import Description
from unisono.models.session import Interface, Runner
from unisono.models.verifying.classes import NumericClass
from unisono.spec.active import Version
from unisono.spec.errors import ModelError, StateError

if TYPE_CHECKING:  # the workers, who load what is prepared, have no database
    from unisono.store.registry import Registry

QUICKEST = "trees"
"""Has the reference's bits, and is quicker for the graphs that it can run."""


@dataclass(frozen=True, slots=True)
class PreparedVersion:
    """A version that workers can load.

    version: its id.
    path:    its folder.
    engine:  what runs its graph, and numeric_class: whether that always has the bits of the reference.
    """

    version: str
    path: Path
    engine: str
    numeric_class: NumericClass


def prepare(
    registry: Registry, version: Version, plan: OnlinePlan, folder: Path, *, engine: str | None = None
) -> PreparedVersion:
    """Make a version ready for workers, in a folder of its own: `folder`/ID. What is there already is left as it is.

    registry: that has it; its artifact is read and judged.
    plan:     of its predictor: the graph has to get along with what requests and features there are.
    folder:   of all prepared versions; private, on a file system of this machine.
    engine:   what runs the graph; None: `trees` where it can and passes the golden rows, else onnxruntime.

    Raises StateError for a broken artifact, ModelError if this machine or the engine answers otherwise than the golden
    rows, StoreError if registry or folder cannot be reached. Nothing is left behind then.
    """
    place = folder / version.id
    known = _known(place, engine) or _made(_Source.of(registry, version), plan, place, engine)
    return PreparedVersion(version.id, place, known.engine, known.numeric_class)


def _known(place: Path, engine: str | None) -> Serving | None:
    """What lies there, if it is sound and by the engine that is wanted."""
    try:
        found = read_serving(place)
        read_files(place, found)
    except StateError:
        return None
    return found if found.wanted_engine == (engine or "") else None


@dataclass(frozen=True, slots=True)
class _Source:
    """A version as the registry has it.

    graph: with a front.
    """

    version: Version
    graph: bytes
    files: Mapping[str, bytes]

    @classmethod
    def of(cls, registry: Registry, version: Version) -> _Source:
        from unisono.models.front_graph import with_front  # which loads onnx

        files = registry.artifact(version).files
        return cls(version, with_front(files["graph.onnx"]), files)


def _made(source: _Source, plan: OnlinePlan, place: Path, engine: str | None) -> Serving:
    """By the engine that is wanted; else by the quickest, and if that cannot run it or does not pass, the reference."""
    if engine is not None:
        return _made_by(engine, source, plan, place, wanted=engine)
    try:
        return _made_by(QUICKEST, source, plan, place, wanted="")
    except ModelError:
        return _made_by(REFERENCE_ENGINE, source, plan, place, wanted="")


def _made_by(engine: str, source: _Source, plan: OnlinePlan, place: Path, *, wanted: str) -> Serving:
    """Write what workers need, and try it as they will, before it is where they look."""
    files, numeric_class = _of_engine(source.graph, engine)
    files = {GOLDEN: source.files["golden.json"], **extras_of(source.files), **files}
    runner = Runner(source.graph)
    serving = Serving(
        format=FORMAT,
        made_by=__version__,
        predictor=source.version.predictor,
        version=source.version.id,
        wanted_engine=wanted,
        engine=engine,
        numeric_class=numeric_class,
        bound=tolerance_of(engine, source.graph, read_passport(source.files["passport.json"]).tolerance()).bound,
        description=Description.of(runner.metadata),
        interface=Interface.of(runner),
        files={name: hash_of(content) for name, content in files.items()},
    )
    with aside(place) as new:
        write_folder(new, serving, files)
        load(new, plan)
    return serving


def _of_engine(graph: bytes, engine: str) -> tuple[dict[str, bytes], NumericClass]:
    """The files by which an engine runs a graph, and how near it comes to the reference."""
    if engine == REFERENCE_ENGINE:
        return {GRAPH: graph}, "exact"
    found = find_engine(engine)
    if not isinstance(found, PreparesGraphs):
        return {GRAPH: graph}, found.numeric_class
    try:
        prepared = found.prepare(graph)
    except UnsuitableError as error:
        raise unsuitable(engine, error) from error
    whole = {GRAPH: graph} if prepared.needs_graph else {}
    return {ENGINE: prepared.content, **whole}, found.numeric_class
