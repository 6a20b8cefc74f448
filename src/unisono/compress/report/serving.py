"""A model as it answers requests: from a caller's values to the answer, tokens included, as the server does it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from unisono.models import PredictorGraph, Session
from unisono.models.columns import encode
from unisono.models.engines import engines, open_session
from unisono.models.front_graph import with_front
from unisono.models.names import REFERENCE_ENGINE, is_tokens_name
from unisono.models.row_encoder import Row, RowEncoder
from unisono.spec.errors import ModelError
from unisono.spec.types import Decimal, DType

Outputs = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Requests:
    """Rows as callers send them.

    rows:     each with its values in the order of the graph's request columns; see `RowEncoder.encode`.
    features: float64, rows x features.
    """

    rows: Sequence[Row]
    features: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.rows)

    def part(self, start: int, count: int) -> Requests:
        """So many of them, from one on; after the last comes the first."""
        places = [place % len(self.rows) for place in range(start, start + count)]
        return Requests([self.rows[place] for place in places], self.features[places])


class Serving:
    """A model in a runtime, ready to answer.

    graph:   the predictor's.
    runtime: an engine's name, or "onnxruntime".

    Raises ModelError for a graph that this runtime cannot run, InputError if there is no such runtime.
    """

    def __init__(self, graph: PredictorGraph, runtime: str) -> None:
        self._graph, self._onnx = graph, with_front(graph.onnx)
        self.runtime = runtime
        self.session: Session = open_session(self._onnx, runtime)
        self._encoder = RowEncoder(graph, self.session.interface, graph.request, graph.features)

    def open_again(self) -> None:
        """Have it somewhere else in memory."""
        self.session = open_session(self._onnx, self.runtime)
        self._encoder = RowEncoder(self._graph, self.session.interface, self._graph.request, self._graph.features)

    def arrays(self, requests: Requests) -> dict[str, NDArray[Any]]:
        """What the runtime is given for some requests."""
        return self._encoder.encode(requests.rows, requests.features)

    def feeds(self, request: Requests) -> dict[str, NDArray[Any]]:
        """The same of one request, as the graph takes it: token ids as 1 x length."""
        arrays = self.arrays(request)
        return {name: one[0][np.newaxis] if is_tokens_name(name) else one for name, one in arrays.items()}

    def answer(self, requests: Requests) -> Outputs:
        """The answers to some requests."""
        return self.session.answer_directly(self.arrays(requests), len(requests.rows))


def runtimes() -> list[str]:
    """Every runtime that is known here; whether it is installed, and can run a graph, shows when it is opened."""
    return [REFERENCE_ENGINE, *engines()]


def servings(graph: PredictorGraph, wanted: str | None) -> list[Serving]:
    """A model in every runtime that can run it.

    wanted: the one that has to.

    Raises ModelError if that one cannot, InputError if there is no such runtime.
    """
    found = []
    for runtime in dict.fromkeys([*runtimes(), *([] if wanted is None else [wanted])]):
        try:
            found.append(Serving(graph, runtime))
        except ModelError:
            if runtime == wanted:
                raise
    return found


def requests_of(graph: PredictorGraph, frame: pl.DataFrame) -> Requests:
    """The rows of a frame as callers would send them. Raises InputError for columns that do not fit."""
    columns = [_values(frame.get_column(name), dtype) for name, dtype in graph.request.items()]
    rows: list[Row] = list(zip(*columns, strict=True)) if columns else [()] * frame.height
    return Requests(rows, graph.features_of(frame))


def _values(column: pl.Series, dtype: DType) -> list[Any]:
    encoded, nulls = encode(column, dtype, place="data")
    if encoded.ndim > 1:
        return list(encoded)
    if isinstance(dtype, Decimal):
        encoded = np.rint(encoded * 10.0**dtype.places).astype(np.int64)
    return [None if missing else value for value, missing in zip(encoded.tolist(), nulls, strict=True)]


def typical(graph: PredictorGraph, frame: pl.DataFrame, count: int) -> pl.DataFrame:
    """So many rows that stand for all: of texts from short to long, as often as each length comes; else drawn."""
    texts = [name for name, dtype in graph.request.items() if dtype.name == "String"]
    drawn = np.random.default_rng(0).permutation(frame.height)
    if texts:
        lengths = frame.select(pl.sum_horizontal(pl.col(texts).str.len_chars().fill_null(0))).to_series().to_numpy()
        drawn = drawn[np.argsort(lengths[drawn], kind="stable")]
    count = min(count, frame.height)
    chosen = drawn[((np.arange(count) + 0.5) * frame.height / count).astype(np.int64)]
    rows: list[int] = chosen.tolist()
    return frame[rows]
