"""Models are measured as they are served, and latencies are compared within rounds."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import numpy as np
import polars as pl
import pytest

import unisono as un
from tests.compress.report.conftest import candidate
from unisono.compress.report import footprint
from unisono.compress.report.judging import chosen
from unisono.compress.report.latency import ROUNDS, Timing, speedup, timings
from unisono.compress.report.serving import Serving, requests_of, servings, typical
from unisono.models import PredictorGraph, Session, build_graph, import_model, trace
from unisono.models.session import same_bits
from unisono.spec.errors import InputError, ModelError
from unisono.spec.frozen import Schema


@pytest.fixture(scope="module")
def mixed() -> tuple[PredictorGraph, pl.DataFrame]:
    """A linear model of columns of every kind that has gaps, and rows."""
    from sklearn.linear_model import LinearRegression

    columns = {
        **{"price": un.Decimal(places=2), "count": un.Int64, "open": un.Bool},
        **{"weight": un.Float64, "at": un.Timestamp},
    }

    @un.transform
    def derived(request):  # type: ignore[no-untyped-def]
        return {
            "hour": request["at"].astype("int64") // 3_600_000_000 % 24,
            "known": un.fill_null(request["price"], 1.5) + un.fill_null(request["weight"], 0.25),
        }

    predictor = un.Predictor("mixed", request=columns, time="asked_at", features=(), derive=[derived])
    inputs = {"hour": un.Int64, "known": un.Float64, "open": un.Bool, "count": un.Int64}
    random = np.random.default_rng(0)
    fitted = LinearRegression().fit(random.normal(size=(50, 4)), random.normal(size=50))
    imported = import_model(fitted, inputs=inputs, columns=list(inputs))
    traced = trace(derived, {"request": columns})
    frame = pl.DataFrame(
        {
            "price": [Decimal("1.25"), None, Decimal("-0.07")],
            "count": [3, 4, -5],
            "open": [True, False, True],
            "weight": [None, 0.1, 2.5],
            "at": [datetime(2026, 3, day, 7, 30, 1, 5, tzinfo=UTC) for day in (1, 2, 3)],
        },
        schema_overrides={"price": pl.Decimal(10, 2)},
    )
    return build_graph(predictor, [traced], imported, ()), frame


def test_requests_as_callers_send_them_are_answered_as_a_frame_is(mixed: tuple[PredictorGraph, pl.DataFrame]) -> None:
    graph, frame = mixed
    requests = requests_of(graph, frame)
    served = Serving(graph, "onnxruntime").answer(requests)
    expected = Session(graph.onnx).run(graph.features_of(frame), graph.encode(frame))
    assert same_bits(list(served.values()), list(expected.values()))
    assert requests.rows[0][list(graph.request).index("price")] == 125
    assert requests.rows[1][list(graph.request).index("price")] is None


def test_a_runtime_that_cannot_run_a_graph_is_left_out_unless_it_is_wanted(
    mixed: tuple[PredictorGraph, pl.DataFrame],
) -> None:
    graph, _ = mixed
    found = [one.runtime for one in servings(graph, None)]
    assert found[0] == "onnxruntime"
    assert "trees" not in found
    with pytest.raises(ModelError, match='engine "trees": cannot run this graph'):
        servings(graph, "trees")
    with pytest.raises(InputError, match='engine "tree": there is none'):
        servings(graph, "tree")


def test_requests_begin_again_after_the_last(mixed: tuple[PredictorGraph, pl.DataFrame]) -> None:
    graph, frame = mixed
    requests = requests_of(graph, frame)
    assert requests.part(2, 3).rows == [requests.rows[2], requests.rows[0], requests.rows[1]]


def test_typical_texts_are_as_long_as_all_are() -> None:
    lengths = np.random.default_rng(0).geometric(0.05, 1000)
    reads = Schema({"text": un.String})
    graph = PredictorGraph(b"", "texts", "binary", ("no", "yes"), (), reads, Schema({}), "none")
    chosen = typical(graph, pl.DataFrame({"text": ["x" * int(length) for length in lengths]}), 20)
    found = chosen["text"].str.len_chars().to_numpy()
    assert found.tolist() == sorted(found.tolist())
    assert found.mean() == pytest.approx(lengths.mean(), rel=0.1)


def timing(rounds: np.ndarray, runtime: str = "onnxruntime") -> Timing:
    """Of a model whose calls all take what its round says."""
    serving = Serving.__new__(Serving)
    serving.runtime = runtime
    return Timing(serving, np.repeat(rounds, 10).reshape(-1, 2, 5), rounds, 8)


def test_the_quickest_runtime_is_chosen_if_it_is_quicker_than_noise_explains() -> None:
    rounds = np.exp(0.02 * np.random.default_rng(0).normal(size=ROUNDS))
    slow, same, quick = timing(rounds), timing(0.995 * rounds, "trees"), timing(0.8 * rounds, "openvino")
    graph = PredictorGraph(b"", "any", "binary", ("no", "yes"), (), Schema({}), Schema({}), "none")
    assert chosen(candidate(graph), [slow, same]) is slow
    assert chosen(candidate(graph), [slow, same, quick]) is quick
    assert chosen(candidate(graph, "trees"), [slow, same, quick]) is same


def test_a_machine_that_is_slow_in_some_rounds_is_slow_for_both() -> None:
    weather = np.random.default_rng(0).uniform(1, 3, ROUNDS)
    found = speedup(timing(6 * weather), timing(2 * weather))
    assert (found.value, found.low, found.high) == pytest.approx((3, 3, 3))


def test_the_interval_of_a_ratio_is_as_wide_as_rounds_differ() -> None:
    random = np.random.default_rng(0)
    held = 0
    for _ in range(200):
        before, after = np.exp(0.1 * random.normal(size=(2, ROUNDS)))
        found = speedup(timing(2 * before), timing(after))
        held += found.low <= 2 <= found.high
    assert held > 175  # of 200; a dozen rounds are few for a bootstrap


def test_latency_says_what_was_measured(
    mixed: tuple[PredictorGraph, pl.DataFrame], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("unisono.compress.report.latency._SINGLES_S", 0.01)
    graph, frame = mixed
    requests = requests_of(graph, frame)
    told: list[tuple[int, int]] = []
    found = timings([(Serving(graph, "onnxruntime"), requests)] * 2, lambda done, of: told.append((done, of)))
    assert told == [(number + 1, ROUNDS) for number in range(ROUNDS)]
    for one in found:
        said = one.latency()
        assert said.runtime == "onnxruntime"
        assert 0 < said.median.low <= said.median.value <= said.median.high
        assert said.p99 >= said.median.value
        assert said.noise >= 0
        assert said.rows_per_s > 0


@pytest.mark.slow
def test_a_process_that_fails_says_why(
    mixed: tuple[PredictorGraph, pl.DataFrame], monkeypatch: pytest.MonkeyPatch
) -> None:
    graph, frame = mixed
    serving, requests = Serving(graph, "onnxruntime"), requests_of(graph, frame)
    assert footprint.peak_bytes(graph, serving, requests) > 0
    monkeypatch.setattr(serving, "runtime", "nowhere")
    with pytest.raises(ModelError, match=r"memory: the process that measures it failed: .*nowhere"):
        footprint.peak_bytes(graph, serving, requests)
