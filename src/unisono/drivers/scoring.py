"""A version of a predictor, ready to answer: its graph in a session."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from unisono.drivers.row_scoring import RowScorer
from unisono.drivers.scores import Outputs
from unisono.features.answers import Matrix, without_nulls
from unisono.models import GoldenRows, PredictorGraph, check_golden, load_graph, read_passport
from unisono.models.engines import EngineSession, open_session, tolerance_of
from unisono.models.front import places
from unisono.models.front_graph import with_front
from unisono.models.names import REFERENCE_ENGINE, extras_of
from unisono.models.row_encoder import RowEncoder, feature_numbers
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
              bit for a version of class exact, within the passport's bound else, or within the engine's own.

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
            check_golden(self._session, golden, tolerance_of(self.engine, self.onnx, tolerance))
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
        self._session = open_session(with_front(onnx), engine)
        self._features = features
        self._places = places(feature_numbers(self._graph.features, features))

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
        plain = without_nulls(features)[:, self._places]
        outputs: Outputs = self._session.run(plain, self._graph.encode(requests))
        return outputs

    def of_rows(self, columns: Mapping[str, DType]) -> RowScorer:
        """The same, for requests as they come in.

        columns: of a request, in order, with dtypes.
        """
        encoder = RowEncoder(self._graph, self._session.interface, columns, self._features)
        return RowScorer(self.version, self._session, encoder)
