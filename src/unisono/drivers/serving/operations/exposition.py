"""The counts of all workers as Prometheus reads them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from math import inf
from pathlib import Path
from time import time
from typing import Any

import numpy as np
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector, CollectorRegistry
from prometheus_client.utils import floatToGoString

from unisono.drivers.serving.operations.meter import PROTOCOLS
from unisono.drivers.serving.operations.tallies import (
    BOUNDS_S,
    OTHER_STATUS,
    SIZES,
    STATUSES,
    TIMED,
    Array,
    Tally,
    sum_up,
)
from unisono.drivers.serving.readiness import Positioned
from unisono.spec.errors import UnisonoError
from unisono.store.states import NEW

_OF_PREDICTOR: Sequence[tuple[type[Metric], str, str, str]] = (
    (CounterMetricFamily, "rows", "rows", "Rows that were answered"),
    (CounterMetricFamily, "failed_rows", "failed_rows", "Rows that the model failed on"),
    (CounterMetricFamily, "shadow_rows", "shadow_rows", "Rows that shadows answered; nobody was given the answers"),
    (GaugeMetricFamily, "waiting_rows", "waiting_rows", "Rows that wait for a model"),
    (GaugeMetricFamily, "wait_s", "expected_wait_seconds", "How long a request that came now would wait, at most"),
    (GaugeMetricFamily, "versions", "loaded_versions", "Versions in memory, over all workers"),
    (GaugeMetricFamily, "size_bytes", "loaded_bytes", "What the versions in memory take, over all workers"),
)
_OF_WORKER: Sequence[tuple[type[Metric], str, str, str]] = (
    (GaugeMetricFamily, "workers", "workers", "Workers that run"),
    (CounterMetricFamily, "restarts", "worker_restarts", "Workers that ended and were started again"),
    (CounterMetricFamily, "evictions", "evictions", "Versions that had to leave the memory"),
    (CounterMetricFamily, "copies_lost", "shadow_copies_lost", "Copies for shadows that there was no room for"),
    (GaugeMetricFamily, "connections", "connections", "Connections that are open"),
    (CounterMetricFamily, "accepted", "connections_accepted", "Connections that were accepted"),
    (CounterMetricFamily, "turned_away", "connections_turned_away", "Connections that were one too many"),
    (CounterMetricFamily, "cut", "connections_cut", "Connections that were not done in time when a worker stopped"),
    (CounterMetricFamily, "refused", "malformed_requests", "Requests that were none, or did not come whole in time"),
    (CounterMetricFamily, "cancelled", "cancelled_requests", "Requests whose callers went away before the answer"),
    (CounterMetricFamily, "access_dropped", "access_log_lines_dropped", "Lines of the access log that had no room"),
)
_LOGGED = ("written", "dropped", "lost")


class Exposition(Collector):
    """Sums the files of all workers each time it is asked.

    folder: with the workers' tallies.
    states: of each predictor.
    """

    def __init__(self, folder: Path, states: Mapping[str, Positioned]) -> None:
        self._folder = folder
        self._states = states
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)

    def render(self, accept: str) -> tuple[bytes, str]:
        """All metrics, and their content type: OpenMetrics if the header `accept` wants it, else Prometheus' text."""
        encode, content_type = choose_encoder(accept)
        return encode(self._registry), content_type

    def collect(self) -> Iterator[Metric]:
        """See prometheus_client."""
        total, rows_of_version = sum_up(self._folder)
        # A predictor that nobody has asked has no series but its gauges: 500 of them are 60,000 series less.
        asked = [(name, record) for name, record in _records(total) if record["requests"].any()]
        yield _requests(asked)
        yield from _histograms(asked)
        yield _batches([(name, record) for name, record in _records(total) if record["sizes"].any()])
        yield from _plain(
            _OF_PREDICTOR, [((name,), record) for name, record in _records(total) if name], ("predictor",)
        )
        yield from _plain(_OF_WORKER, [((), total.worker[0])], ())
        yield _versions(rows_of_version)
        yield _logged(total.worker[0])
        yield from self._positions()

    def _positions(self) -> Iterator[Metric]:
        position = GaugeMetricFamily(
            "unisono_state_position", "Place in the log that a state is at", None, ["predictor"]
        )
        lag = GaugeMetricFamily("unisono_state_lag_seconds", "Age of the last event in a state", None, ["predictor"])
        now = time()
        for name, states in self._states.items():
            with suppress(UnisonoError):  # of states that cannot be read nothing is known; readiness says why
                commit = states.last
                position.add_metric([name], commit.position)
                if commit != NEW:
                    lag.add_metric([name], now - commit.time / 1e6)
        yield from (position, lag)


def _records(total: Tally) -> Iterator[tuple[str, Any]]:
    return zip(total.names, total.predictors, strict=True)


def _requests(asked: Iterable[tuple[str, Any]]) -> Metric:
    labels = ("predictor", "protocol", "status")
    family = CounterMetricFamily("unisono_requests", "Requests by what they were answered", labels=labels)
    for name, record in asked:
        for protocol, status in zip(*np.nonzero(record["requests"]), strict=True):
            shown = "other" if STATUSES[status] == OTHER_STATUS else str(STATUSES[status])
            family.add_metric([name, PROTOCOLS[protocol], shown], float(record["requests"][protocol, status]))
    return family


def _histograms(asked: Sequence[tuple[str, Any]]) -> Iterator[Metric]:
    stages = HistogramMetricFamily(
        "unisono_stage_seconds", "What each stage of a request took", labels=("predictor", "stage")
    )
    whole = HistogramMetricFamily("unisono_request_seconds", "What a request took in the server", labels=("predictor",))
    for name, record in asked:
        for stage, counts, total_s in zip(TIMED, record["seconds"], record["seconds_sum"], strict=True):
            if stage == "total":
                whole.add_metric([name], _buckets(BOUNDS_S, counts), float(total_s))
            elif counts.any():
                stages.add_metric([name, stage], _buckets(BOUNDS_S, counts), float(total_s))
    yield from (stages, whole)


def _batches(asked: Iterable[tuple[str, Any]]) -> Metric:
    family = HistogramMetricFamily("unisono_batch_rows", "Rows that ran together", labels=("predictor",))
    for name, record in asked:
        family.add_metric([name], _buckets(SIZES, record["sizes"]), float(record["rows"]))
    return family


def _buckets(bounds: Sequence[float], counts: Array) -> list[tuple[str, float]]:
    return list(zip(map(floatToGoString, [*bounds, inf]), np.cumsum(counts).tolist(), strict=True))


def _plain(
    kinds: Iterable[tuple[type[Metric], str, str, str]],
    records: Sequence[tuple[tuple[str, ...], Any]],
    labels: Sequence[str],
) -> Iterator[Metric]:
    for kind, field, name, what in kinds:
        family: Any = kind(f"unisono_{name}", what, labels=labels)  # type: ignore[call-arg]  # as both kinds are made
        for values, record in records:
            family.add_metric(values, float(record[field]))
        yield family


def _versions(rows: Mapping[tuple[str, str], float]) -> Metric:
    labels = ("predictor", "version")
    family = CounterMetricFamily("unisono_version_rows", "Rows by the version that answered", labels=labels)
    for key, count in rows.items():
        family.add_metric(key, count)
    return family


def _logged(worker: Any) -> Metric:
    family = CounterMetricFamily(
        "unisono_prediction_log_rows", "What became of the rows for the prediction log", labels=("outcome",)
    )
    for outcome in _LOGGED:
        family.add_metric([outcome], float(worker[f"log_{outcome}"]))
    return family
