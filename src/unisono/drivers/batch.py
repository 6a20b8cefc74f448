"""The batch driver: training frames, and predictions of whole tables."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

import msgspec
import polars as pl

from unisono.connect.files import write_parquet
from unisono.drivers.ingest import Progress, no_progress
from unisono.drivers.labels import label_column
from unisono.drivers.memory import join_features
from unisono.drivers.predictors import ReadyPredictor
from unisono.drivers.scores import Outputs, Scores
from unisono.features.answers import Matrix, matrix
from unisono.features.frames import RequestTable
from unisono.spec.errors import InputError

CHUNK_ROWS = 1 << 16


def training_frame(ready: ReadyPredictor, requests: pl.DataFrame, events: Mapping[str, object]) -> pl.DataFrame:
    """The point-in-time frame of a predictor: request columns, features, derived columns, the label last.

    requests: in their one form, with the column that the label is found by, if there is a label.
    events:   source name -> frame, for every source of the predictor.

    One row a request, in their order; features and derived columns as they were known at the request's time, the label
    as it was known `within` after it. Raises InputError.
    """
    asked = asked_table(ready, requests)
    frame = join_features(ready.views, asked, events)
    if ready.transforms:
        from unisono.models import derive

        frame = frame.hstack(derive(ready.transforms, frame, "training frame").get_columns())
    label = ready.spec.label
    if label is None:
        return frame
    found = label_column(label, ready.label_transforms, asked, events[label.source.name])
    return frame.with_columns(found)


def asked_table(ready: ReadyPredictor, requests: pl.DataFrame) -> RequestTable:
    """Requests of a predictor as a table."""
    return RequestTable(requests, ready.spec.time, place=f"requests of predictor {ready.name}")


def features_of_requests(ready: ReadyPredictor, requests: pl.DataFrame, events: Mapping[str, object]) -> Matrix:
    """The feature rows of requests: float64, requests x features, null by its payload."""
    frame = join_features(ready.views, asked_table(ready, requests), events)
    return matrix(frame, ready.feature_names)


def score_table(
    scorer: Scores,
    requests: pl.DataFrame,
    features: Matrix,
    *,
    chunk: int = CHUNK_ROWS,
    parts: Path | None = None,
    progress: Progress = no_progress,
) -> pl.DataFrame:
    """Requests with the outputs for them, a column an output.

    chunk: rows scored at a time.
    parts: folder where what is done is kept, so that a killed run goes on from there; None: nothing is kept.

    Raises InputError if a request column is called like an output.
    """
    kept = None if parts is None else _Parts(parts, _fingerprint(scorer, requests, features, chunk))
    pieces = []
    for number, start in enumerate(range(0, max(requests.height, 1), chunk)):
        piece = None if kept is None else kept.read(number)
        if piece is None:
            rows = requests.slice(start, chunk)
            piece = with_outputs(rows, scorer.score(rows, features[start : start + chunk]))
            if kept is not None:
                kept.write(number, piece)
        pieces.append(piece)
        progress("predicting", min(start + chunk, requests.height), requests.height)
    return pl.concat(pieces, rechunk=True)


def with_outputs(requests: pl.DataFrame, outputs: Outputs) -> pl.DataFrame:
    """Requests and their outputs side by side. Raises InputError if a request column is called like an output."""
    for name in outputs:
        if name in requests.columns:
            raise InputError(
                f'requests, column "{name}": an output of the graph has this name; allowed: another name; '
                "drop or rename the column"
            )
    return requests.with_columns(pl.Series(name, values) for name, values in outputs.items())


class _Parts:
    """The finished parts of a prediction; begun anew if they are of another one."""

    def __init__(self, directory: Path, fingerprint: str) -> None:
        self._directory = directory
        mark = directory / "of"
        if not (mark.is_file() and mark.read_text() == fingerprint):
            shutil.rmtree(directory, ignore_errors=True)
            directory.mkdir(parents=True)
            mark.write_text(fingerprint)

    def _path(self, number: int) -> Path:
        return self._directory / f"{number:08}.parquet"

    def read(self, number: int) -> pl.DataFrame | None:
        path = self._path(number)
        return pl.read_parquet(path) if path.is_file() else None

    def write(self, number: int, piece: pl.DataFrame) -> None:
        write_parquet(piece, self._path(number))


def _fingerprint(scorer: Scores, requests: pl.DataFrame, features: Matrix, chunk: int) -> str:
    """Equal for equal predictions cut into equal parts."""
    facts = msgspec.json.encode([scorer.version.id, chunk, requests.columns, [str(kind) for kind in requests.dtypes]])
    digest = sha256(facts)
    digest.update(features.tobytes())
    for column in requests.get_columns():
        digest.update(column.hash(seed=7).to_numpy().tobytes())
    return digest.hexdigest()


def forget_parts(directory: Path) -> None:
    """Remove the parts of a prediction that is whole."""
    shutil.rmtree(directory, ignore_errors=True)
