"""A version of a predictor, ready to answer: its graph in a session."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from unisono.drivers.scores import Outputs, Row
from unisono.features.answers import Matrix, without_nulls
from unisono.models import GoldenRows, PredictorGraph, check_golden, load_graph, read_passport
from unisono.models.engines import EngineSession, open_session
from unisono.models.names import REFERENCE_ENGINE, extras_of
from unisono.models.row_encoder import RowEncoder
from unisono.models.verifying.classes import NumericClass, Tolerance
from unisono.spec.active import Version
from unisono.spec.errors import ModelError
from unisono.spec.types import DType
from unisono.spec.wording import quoted
from unisono.store.registry import Registry

_NONE: Mapping[str, bytes] = {}


class Scorer:
    """Runs one version's graph.

    version:  which one; its files are checked against their hashes, its graph against its golden rows.
    features: the predictor's feature names, in the order of the matrices it will be given.
    engine:   what runs the graph; see `models.engines`. It has to pass the golden rows like any other machine: every
              bit for a version of class exact, within the passport's bound else.

    `extras` are the files that the graph needs beside it, those of its tokenizers: name -> content.

    Raises StateError if the artifact is broken, InputError if there is no such engine, ModelError if this machine or
    engine answers otherwise, the engine cannot run the graph, or the graph wants a feature that the predictor does not
    have.
    """

    def __init__(
        self, registry: Registry, version: Version, features: tuple[str, ...], *, engine: str = REFERENCE_ENGINE
    ) -> None:
        files = registry.artifact(version).files
        self._use(version, files["graph.onnx"], features, extras_of(files), engine=engine)
        self._check(GoldenRows.from_bytes(files["golden.json"]), read_passport(files["passport.json"]).tolerance())

    def _check(self, golden: GoldenRows, tolerance: Tolerance) -> None:
        try:
            check_golden(self._session, golden, tolerance)
        except ModelError as error:
            if self.engine == REFERENCE_ENGINE:
                raise
            raise ModelError(
                f"engine {quoted(self.engine)}, version {self.version.id}: {error}; "
                f"use engine {quoted(REFERENCE_ENGINE)}"
            ) from error

    @classmethod
    def of_graph(
        cls, version: Version, onnx: bytes, features: tuple[str, ...], extras: Mapping[str, bytes] = _NONE
    ) -> Scorer:
        """One that answers with a graph that was judged elsewhere, in a version's name.

        extras: the files that the graph needs beside it, as `Scorer.extras` has them.
        """
        scorer = cls.__new__(cls)
        scorer._use(version, onnx, features, extras)
        return scorer

    def _use(
        self,
        version: Version,
        onnx: bytes,
        features: tuple[str, ...],
        extras: Mapping[str, bytes],
        *,
        engine: str = REFERENCE_ENGINE,
    ) -> None:
        self.version = version
        self.extras = extras
        self._graph: PredictorGraph = load_graph(onnx, extras)
        self._session = open_session(onnx, engine)
        self._places = _places(self._graph.features, features)

    @property
    def engine(self) -> str:
        """What runs the graph."""
        return self._session.engine if isinstance(self._session, EngineSession) else REFERENCE_ENGINE

    @property
    def engine_class(self) -> NumericClass:
        """Whether the engine always has the bits of the reference."""
        return self._session.numeric_class if isinstance(self._session, EngineSession) else "exact"

    @property
    def onnx(self) -> bytes:
        """The graph."""
        return self._graph.onnx

    @property
    def reads(self) -> Mapping[str, DType]:
        """The request columns that the graph reads, with dtypes."""
        return self._graph.request

    def score(self, requests: pl.DataFrame, features: Matrix) -> Outputs:
        """The outputs for some requests: name -> one value, or row of values, a request.

        requests: their columns.
        features: float64, requests x features, null by its payload.
        """
        return self.run(self._graph.encode(requests), features)

    def of_rows(self, columns: Mapping[str, DType]) -> RowScorer:
        """The same, for requests as they come in.

        columns: of a request, in order, with dtypes.
        """
        return RowScorer(self, RowEncoder(self._graph, columns))

    def run(self, request: Mapping[str, NDArray[Any]], features: Matrix) -> Outputs:
        """The outputs for requests as the graph takes them, and their features, null by its payload."""
        plain = without_nulls(features)
        outputs: Outputs = self._session.run(plain if self._places is None else plain[:, self._places], request)
        return outputs


class RowScorer:
    """A version that answers requests as they come in; see `scores.ScoresRows`."""

    def __init__(self, scorer: Scorer, encoder: RowEncoder) -> None:
        self._scorer = scorer
        self._encoder = encoder

    @property
    def version(self) -> Version:
        """Which one."""
        return self._scorer.version

    def score_rows(self, rows: Sequence[Row], features: Matrix) -> Outputs:
        """The outputs for some requests and their feature rows, null by its payload."""
        return self._scorer.run(self._encoder.encode(rows), features)

    def stop(self) -> None:
        """Nothing: its graph cannot be interrupted."""


def _places(wanted: tuple[str, ...], given: tuple[str, ...]) -> NDArray[np.int64] | None:
    """Where each wanted column is among those given; None if they are the same."""
    missing = [name for name in wanted if name not in given]
    if missing:
        raise ModelError(
            f"the graph wants feature {missing[0]}, which the predictor does not give; allowed: the features it was "
            "registered with; register the model again"
        )
    return None if wanted == given else np.array([given.index(name) for name in wanted], np.int64)
