"""The online driver over a whole log: the state is committed up to each request, then the request is answered.

What parity compares is thus the real thing: requests as JSON, states read from LMDB, the graph run for one row. A long
log is cut into ranges, one process each: the state at the start of a range is folded without answers.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from itertools import pairwise
from pathlib import Path

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray

from unisono.connect.log import Log
from unisono.drivers.comparing import Answers
from unisono.drivers.cores import usable_cores
from unisono.drivers.fold import BEGINNING, PredictorFold
from unisono.drivers.ingest import request_topic
from unisono.drivers.online.plan import plan_of
from unisono.drivers.online.predictor import OnlinePredictor
from unisono.drivers.plants import ChangedLog, Changes
from unisono.drivers.predictors import ReadyPredictor, make_predictor_ready
from unisono.drivers.scores import Scores
from unisono.drivers.stream import ReadableLog
from unisono.spec.active import Version
from unisono.spec.errors import ParityError
from unisono.spec.predictor import Predictor
from unisono.spec.progress import Progress, no_progress
from unisono.spec.serialize import from_json, to_json
from unisono.store.states import StateStore

WORTH_PROCESSES = 20_000
"""Requests; another process takes two seconds to start, and to fold what comes before its range."""


def run_online(ready: ReadyPredictor, log: ChangedLog, scorer: Scores, progress: Progress = no_progress) -> Answers:
    """The answers to all requests of a log, in log order, each as the server would have given it."""
    from unisono.drivers.scoring import Scorer

    cuts = _cuts(ready, log) if isinstance(scorer, Scorer) else [0, log.end.position]
    ranges = list(pairwise(cuts))
    with ExitStack() as stack:
        jobs = [
            stack.enter_context(_in_process(ready, log, scorer, start, stop))
            for start, stop in ranges[1:]
            if isinstance(scorer, Scorer)
        ]
        first = answer_range(ready, log, scorer, *ranges[0], _scaled(progress, len(ranges), log.end.position))
        return _joined([first, *(job.result() for job in jobs)])


def _cuts(ready: ReadyPredictor, log: ChangedLog) -> list[int]:
    """Positions that part the requests evenly, one range a core."""
    places = [
        part.offsets.astype(np.int64) + block.position
        for block in log.read()
        for part in block.parts
        if part.topic == request_topic(ready.name)
    ]
    asked = np.concatenate([*places, np.empty(0, np.int64)])
    cores = usable_cores() if len(asked) >= WORTH_PROCESSES else 1
    return [0, *(int(asked[len(asked) * part // cores]) for part in range(1, cores)), log.end.position]


def _scaled(progress: Progress, ranges: int, total: int) -> Progress:
    """One range's progress stands for that of all."""
    return lambda what, done, _: progress(what, min(done * ranges, total), total)


def _joined(pieces: Sequence[Answers]) -> Answers:
    outputs = {name: np.concatenate([piece.outputs[name] for piece in pieces]) for name in pieces[0].outputs}
    return Answers(np.concatenate([piece.features for piece in pieces]), outputs)


def answer_range(
    ready: ReadyPredictor, log: ReadableLog, scorer: Scores, start: int, stop: int, progress: Progress
) -> Answers:
    """The answers to the requests with start <= position < stop."""
    rows: list[NDArray[np.float64]] = []
    outputs: list[Mapping[str, object]] = []
    with tempfile.TemporaryDirectory(prefix="unisono-parity-") as name:
        store = StateStore(Path(name), ready.identities, mode="temporary")
        try:
            plan = plan_of(ready)
            online = OnlinePredictor(plan, store, scorer.of_rows(plan.columns))
            for body in _lockstep(ready, log, store, start, stop, progress):
                answer = online.answer(body)
                rows.append(answer.features)
                outputs.append(answer.prediction)
        finally:
            store.close()
    names = outputs[0] if outputs else {}
    columns = {name: np.array([output[name] for output in outputs]) for name in names}
    return Answers(np.concatenate([*rows, np.empty((0, len(ready.feature_names)))]), columns)


def _lockstep(
    ready: ReadyPredictor, log: ReadableLog, store: StateStore, start: int, stop: int, progress: Progress
) -> Iterator[bytes]:
    """Each request's body, once the state stands where the request stands in the log."""

    def load(view: str, key: bytes) -> bytes | None:
        with store.snapshot() as snapshot:
            state = snapshot.state(view, key)
            return None if state is None else bytes(state)

    fold = PredictorFold(ready, load)
    time = _fold_until(fold, log, start)
    for block in log.read(start, until=stop):
        opened = fold.open(block, answers=False)
        bodies = request_bodies(ready, opened.requests)
        runs = opened.runs
        opened.cut([place for place, _, _ in runs])
        for step in range(opened.steps):
            opened.run(step)
            time = max(time, opened.time_of(step))
            changes = fold.take_changes(time)
            if changes:
                store.commit(changes, position=opened.end_of(step), time=time)
            if step < len(runs):
                _, first, last = runs[step]
                yield from bodies[first:last]
        progress("online", block.end - start, stop - start)


def _fold_until(fold: PredictorFold, log: ReadableLog, position: int) -> int:
    """Fold what comes before a position; returns the log's time there."""
    time = BEGINNING
    for block in log.read(0, until=position):
        opened = fold.open(block, answers=False)
        opened.run(0)
        time = max(time, opened.time_of(0))
    return time


def request_bodies(ready: ReadyPredictor, requests: pl.DataFrame) -> list[bytes]:
    """Requests as callers send them: JSON objects of the request columns."""
    if not requests.height:
        return []
    columns = [requests.get_column(name) for name in ready.spec.columns]
    texts = [
        column.dt.strftime("%Y-%m-%dT%H:%M:%S%.6fZ") if isinstance(column.dtype, pl.Datetime) else column
        for column in columns
    ]
    return [msgspec.json.encode(row) for row in pl.DataFrame(texts).iter_rows(named=True)]


# Another process ------------------------------------------------------------------------------------------------------


class _Order(msgspec.Struct, forbid_unknown_fields=True):
    """What another process is to do; beside it lie spec.json, graph.onnx, tokenizer/ and the replaced rows."""

    log: str
    dropped: list[int]
    replaced: list[int]
    start: int
    stop: int
    version: str


class _Job:
    """A range that another process answers; files of a temporary folder go there and back."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        command = [sys.executable, "-m", "unisono.drivers.lockstep", str(directory)]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)

    def result(self) -> Answers:
        """The answers, once they are there. Raises ParityError if the process failed."""
        said = self.process.stderr.read() if self.process.stderr else b""
        if self.process.wait():
            lines = said.decode("utf-8", "replace").strip().splitlines() or ["it was killed"]
            raise ParityError(f"online: the process for a range of the log failed: {lines[-1]}; run again")
        with np.load(self.directory / "answers.npz") as arrays:
            outputs = {name.removeprefix("output."): arrays[name] for name in arrays if name.startswith("output.")}
            return Answers(arrays["features"], outputs)

    def close(self) -> None:
        """End the process if it still runs."""
        self.process.kill()
        self.process.wait()
        if self.process.stderr:
            self.process.stderr.close()


@contextmanager
def _in_process(ready: ReadyPredictor, log: ChangedLog, scorer: Scores, start: int, stop: int) -> Iterator[_Job]:
    with tempfile.TemporaryDirectory(prefix="unisono-parity-") as name:
        directory = Path(name)
        _write_order(directory, ready, log, scorer, start, stop)
        job = _Job(directory)
        try:
            yield job
        finally:
            job.close()


def _write_order(
    directory: Path, ready: ReadyPredictor, log: ChangedLog, scorer: Scores, start: int, stop: int
) -> None:
    from unisono.drivers.scoring import Scorer

    assert isinstance(scorer, Scorer) and isinstance(log.log, Log)
    changes = log.changes
    place = str(log.log.directory.resolve())
    order = _Order(place, sorted(changes.dropped), sorted(changes.replaced), start, stop, scorer.version.id)
    (directory / "order.json").write_bytes(msgspec.json.encode(order))
    (directory / "spec.json").write_bytes(to_json(ready.spec, ready.graphs))
    (directory / "graph.onnx").write_bytes(scorer.onnx)
    (directory / "tokenizer").mkdir()
    for name, content in scorer.extras.items():
        (directory / name).write_bytes(content)
    for position, row in changes.replaced.items():
        row.write_parquet(directory / f"{position}.parquet")


def carry_out(directory: Path) -> None:
    """Answer the range that a folder's order.json names; write answers.npz."""
    from unisono.drivers.scoring import Scorer

    order = msgspec.json.decode((directory / "order.json").read_bytes(), type=_Order)
    spec = from_json((directory / "spec.json").read_bytes())
    assert isinstance(spec, Predictor)
    ready = make_predictor_ready(spec)
    replaced = {position: pl.read_parquet(directory / f"{position}.parquet") for position in order.replaced}
    log = ChangedLog(Log(order.log), Changes(frozenset(order.dropped), replaced))
    graph = (directory / "graph.onnx").read_bytes()
    extras = {f"tokenizer/{path.name}": path.read_bytes() for path in (directory / "tokenizer").iterdir()}
    scorer = Scorer.of_graph(Version(ready.name, order.version, ""), graph, ready.feature_names, extras)
    answers = answer_range(ready, log, scorer, order.start, order.stop, no_progress)
    outputs = {f"output.{name}": values for name, values in answers.outputs.items()}
    np.savez(directory / "answers.npz", allow_pickle=False, features=answers.features, **outputs)


if __name__ == "__main__":
    carry_out(Path(sys.argv[1]))
