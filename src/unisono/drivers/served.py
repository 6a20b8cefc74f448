"""The log of what the server answered: request, feature bits, position and version of each prediction.

Rows are gathered and written some at a time, so that a request does not wait for a disk; a killed server loses those of
its last moment. Rows are in the order of answering: the log's time is the server's clock, the request's own time is one
of its columns.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import polars as pl

from unisono.connect.log import Batch, LogWriter
from unisono.connect.records import REQUEST
from unisono.drivers.online import Answer, now_us
from unisono.drivers.predictors import ReadyPredictor
from unisono.drivers.scores import Value
from unisono.drivers.stream import prediction_topic
from unisono.features.canonical import decimals
from unisono.kernel.codec import NULL_INT
from unisono.spec.errors import StoreError
from unisono.spec.types import Decimal, DType, Tensor
from unisono.store.predictions import prediction_rows

_LOGGER = logging.getLogger(__name__)

MOST_ROWS = 1000
"""Rows that wait at most."""


class ServedLog:
    """Writes down what one predictor answered; one writer.

    ready:     the predictor.
    directory: of the log.
    clock:     gives microseconds.

    Raises StoreError if another process writes there or the disk is full.
    """

    def __init__(self, ready: ReadyPredictor, directory: Path, *, clock: Callable[[], int] = now_us) -> None:
        self._ready = ready
        self._clock = clock
        self._writer = LogWriter(directory, durable=False)
        self._rows: list[tuple[Mapping[str, Value], Answer]] = []

    def add(self, request: Mapping[str, Value], answer: Answer) -> None:
        """Take in one answer. It is written by the next `write`, or when many wait."""
        self._rows.append((request, answer))
        if len(self._rows) >= MOST_ROWS:
            self.write()

    def write(self) -> None:
        """Write what waits; one batch for each version that answered.

        A disk that is full costs these rows, and is reported, but nobody's prediction.
        """
        rows, self._rows = self._rows, []
        for version in dict.fromkeys(answer.version for _, answer in rows):
            of_version = [row for row in rows if row[1].version == version]
            try:
                self._append(of_version, version)
            except StoreError as error:
                _LOGGER.error(
                    "%d predictions of %s were not written down: %s", len(of_version), self._ready.name, error
                )

    def _append(self, rows: list[tuple[Mapping[str, Value], Answer]], version: str) -> None:
        answers = [answer for _, answer in rows]
        names = answers[0].prediction
        frame = prediction_rows(
            request_frame(self._ready, [request for request, _ in rows]),
            positions=np.array([answer.position for answer in answers], np.int64),
            version=version,
            features=np.concatenate([answer.features for answer in answers]),
            predictions={name: np.array([answer.prediction[name] for answer in answers]) for name in names},
        )
        time = max(self._clock(), self._writer.end.last.time)
        self._writer.append([Batch(prediction_topic(self._ready.name), frame, np.full(len(rows), time), REQUEST)])

    def close(self) -> None:
        """Write what waits and let another process write."""
        self.write()
        self._writer.close()


def request_frame(ready: ReadyPredictor, requests: list[Mapping[str, Value]]) -> pl.DataFrame:
    """Requests as `RequestDecoder` gives them, as columns in their one form."""
    return pl.DataFrame(
        [_column(name, dtype, [request[name] for request in requests]) for name, dtype in ready.spec.columns.items()]
    )


def _column(name: str, dtype: DType, values: list[Value]) -> pl.Series:
    if isinstance(dtype, Decimal):
        digits = [NULL_INT if value is None else int(value) for value in values]
        return decimals(name, np.array(digits, np.int64), dtype.places)
    if isinstance(dtype, Tensor):
        return pl.Series(name, np.stack(values))  # type: ignore[arg-type]
    if dtype.name == "Timestamp":
        return pl.Series(name, values, pl.Int64).cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    return pl.Series(name, values, _PLAIN[dtype.name])


_PLAIN = {"String": pl.String, "Int64": pl.Int64, "Float64": pl.Float64, "Bool": pl.Boolean}
