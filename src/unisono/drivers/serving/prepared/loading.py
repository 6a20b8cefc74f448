"""The worker's side: a prepared version in memory, verified and warm. Loads no onnx, no frames, no database."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, partial
from pathlib import Path

from unisono.drivers.online.plan import OnlinePlan
from unisono.drivers.row_scoring import RowScorer
from unisono.drivers.serving.prepared.folders import ENGINE, GOLDEN, GRAPH, Serving, read_files, read_serving
from unisono.drivers.serving.prepared.trial import GoldenRequests, MadeFor, Score, warm_up
from unisono.drivers.serving.repository import Form
from unisono.drivers.serving.versions.memory import resident_bytes, trim
from unisono.drivers.serving.wire.tensors import forms_of
from unisono.models.engines import LoadsLibrary, PreparesGraphs, UnsuitableError, find_engine, unsuitable
from unisono.models.golden import GoldenRows
from unisono.models.golden_check import check_golden
from unisono.models.names import REFERENCE_ENGINE, extras_of
from unisono.models.predictor_graph import graph_of
from unisono.models.row_encoder import RowEncoder
from unisono.models.session import Run, Runner, Session, open_native
from unisono.models.verifying.classes import NumericClass, Tolerance
from unisono.spec.active import Version


class PreparedScorer(RowScorer):
    """A version in memory.

    engine:     what runs its graph, and numeric_class: whether that always has the bits of the reference.
    outputs:    what it gives.
    timings:    rows and seconds of the batches that it was warmed up with, of 1, 2, 4, ... rows.
    size_bytes: memory that it takes: what the process grew by while it was loaded, and never less than its files. Other
                threads' memory is counted with it, and what malloc had left is not: within a few hundred kB, if nothing
                else is going on; the first one in a process seems to take 3 MB more.
    """

    __slots__ = ("engine", "numeric_class", "outputs", "size_bytes", "timings")

    def __init__(self, serving: Serving, session: Session, encoder: RowEncoder, path: Path) -> None:
        super().__init__(Version(serving.predictor, serving.version, str(path)), session, encoder)
        self.engine: str = serving.engine
        self.numeric_class: NumericClass = serving.numeric_class
        self.outputs: tuple[Form, ...] = ()
        self.timings: list[tuple[int, float]] = []
        self.size_bytes = 0


def load(path: Path, plan: OnlinePlan) -> PreparedScorer:
    """A prepared version in memory, once it has passed its golden rows and is warm.

    path: the folder that `prepare` made.
    plan: of its predictor.

    Raises StateError for files that are torn or changed, ModelError if this machine answers otherwise than the golden
    rows, or the graph does not get along with the plan.
    """
    serving = read_serving(path)
    _settle(serving.engine)
    before = _trimmed_bytes()
    files = read_files(path, serving)
    graph = graph_of(b"", serving.description, extras_of(files))
    session = Session.over(_run_of(serving, files), serving.interface)
    encoder = RowEncoder(graph, serving.interface, plan.columns, plan.features)
    scorer = PreparedScorer(serving, session, encoder, path)
    golden = GoldenRows.from_bytes(files[GOLDEN])
    scorer.outputs = forms_of(golden.outputs)
    scorer.timings = _timings(golden, session, scorer.score_rows, MadeFor(graph, plan), Tolerance(serving.bound))
    least = sum(map(len, files.values()))
    del files, golden
    scorer.size_bytes = max(_trimmed_bytes() - before, least)
    return scorer


@cache
def _settle(engine: str) -> None:
    """Load what a process loads once, some 10 MB, so that it is not taken for the first version's."""
    open_native(_SMALLEST)
    found: object = None if engine == REFERENCE_ENGINE else find_engine(engine)
    if isinstance(found, LoadsLibrary):
        found.load()


_SMALLEST = (
    b'\x08\n:+\n\x10\n\x01x\x12\x01y"\x08Identity\x12\x01gZ\t\n\x01x\x12\x04\n\x02\x08\x0bb\t\n\x01y\x12\x04\n\x02\x08\x0bB\x04'
    b"\n\x00\x10\x15"
)
"""An ONNX model of one operator, Identity."""


def _run_of(serving: Serving, files: Mapping[str, bytes]) -> Run:
    reference = Runner(files[GRAPH]) if GRAPH in files else None
    if serving.engine == REFERENCE_ENGINE:
        assert reference is not None
        return reference
    engine = find_engine(serving.engine)
    try:
        if isinstance(engine, PreparesGraphs):
            return engine.restore(files[ENGINE], reference)
        assert reference is not None
        return engine.open(files[GRAPH], reference)
    except UnsuitableError as error:
        raise unsuitable(serving.engine, error) from error


def _timings(
    golden: GoldenRows, session: Session, score: Score, made_for: MadeFor, tolerance: Tolerance
) -> list[tuple[int, float]]:
    """What golden rows take, once they have passed: as requests, unless they have tokens in place of texts."""
    if made_for.graph.tokenizers:
        check_golden(session, golden, tolerance)
        return warm_up(lambda feeds: partial(session.answer, feeds), golden)
    requests = GoldenRequests(golden, session, score, made_for)
    check_golden(requests, requests.golden, tolerance)
    return warm_up(requests.batch, requests.golden)


def _trimmed_bytes() -> int:
    """Memory of this process, once what it does not need is given back."""
    trim()
    return resident_bytes()
