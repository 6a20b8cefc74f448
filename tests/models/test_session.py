from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

import unisono as un
from tests.models.samples import REQUEST, answers, calendar, frame, graph_of, one_column_model, row_answers
from unisono.models import PredictorGraph, Session
from unisono.models.emit import finished
from unisono.models.session import Interface, Runner, bits
from unisono.models.traced import TracedTransform
from unisono.models.transforms import trace

HOUR = graph_of(one_column_model("hour"), calendar)
NUMBERS = frame(300, seed=5)
WHOLE = answers(HOUR, NUMBERS)["prediction"]

_RUN_ONE_ROW = """
import sys
from pathlib import Path
from unisono.models import Session
import numpy as np

session = Session(Path(sys.argv[1]).read_bytes())
session.run(np.zeros((1, 6)), {"sched_dep": np.zeros(1, np.int64)})
"""


def run_without_telemetry_switches(code: str, home: Path, *arguments: str) -> None:
    hidden = {"CI", "GITHUB_ACTIONS", "TF_BUILD", "ORT_DISABLE_TELEMETRY"}  # each would turn it off
    kept = {name: text for name, text in os.environ.items() if name not in hidden}
    environment = {**kept, "HOME": str(home), "XDG_CACHE_HOME": str(home / "cache")}
    subprocess.run([sys.executable, "-c", code, *arguments], env=environment, check=True)


def test_a_session_leaves_no_telemetry_behind(tmp_path: Path) -> None:
    """onnxruntime keeps what it will send, and who it is, under the cache folder."""
    graph, home = tmp_path / "graph.onnx", tmp_path / "home"
    graph.write_bytes(HOUR.onnx)
    home.mkdir()
    run_without_telemetry_switches(_RUN_ONE_ROW, home, str(graph))
    assert sorted(home.rglob("*")) == []


_TRACE = """
import unisono as un
from unisono.models import derive, trace
import polars as pl

double = un.Transform("z", lambda request: {"z": request["x"] * 2.0}, ("request",))
traced = trace(double, {"request": {"x": un.Float64}})
derive([traced], pl.DataFrame({"x": [1.0]}))
"""


@pytest.mark.slow
def test_tracing_leaves_no_telemetry_either(tmp_path: Path) -> None:
    """spox and ndonnx import onnxruntime too."""
    run_without_telemetry_switches(_TRACE, tmp_path)
    assert sorted(tmp_path.rglob("*")) == []


@given(st.lists(st.integers(1, NUMBERS.height - 1), max_size=20))
def test_answers_do_not_depend_on_how_the_rows_are_cut(cuts: list[int]) -> None:
    parts = answers(HOUR, NUMBERS, sorted(set(cuts)))["prediction"]
    assert (bits(parts) == bits(WHOLE)).all()


@pytest.mark.parametrize("rows", [0, 1, 1023, 1024, 1025, 5000])
def test_any_number_of_rows_is_answered(rows: int) -> None:
    many = pl.concat([NUMBERS] * (rows // NUMBERS.height + 1))[:rows]
    says = answers(HOUR, many)["prediction"]
    assert len(says) == rows
    assert (bits(says) == bits(np.resize(WHOLE, rows))).all()


@pytest.mark.parametrize(
    ("width", "rows", "calls"),
    [
        (1, 5000, [4096, 904]),
        (28 * 28, 200, [83, 83, 34]),
        (3 * 224 * 224, 3, [1, 1, 1]),
    ],
    ids=["numbers", "small images", "images"],
)
def test_images_are_answered_some_at_a_time(width: int, rows: int, calls: list[int]) -> None:
    """What operators make of an image is many times as large, so that a thousand would not fit into memory."""
    seen: list[int] = []

    def run(feeds: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
        seen.append(len(feeds["image"]))
        return [feeds["image"].sum(axis=1)]

    session = Session.over(run, Interface(("image",), ("sum",), one_by_one=False, front=None))
    images = np.ones((rows, width), np.float32)
    assert (session.answer({"image": images})["sum"] == width).all()
    assert seen == calls


def test_threads_may_share_a_session() -> None:
    session = Session(HOUR.onnx)
    features, request = HOUR.features_of(NUMBERS), HOUR.encode(NUMBERS)
    pieces = [slice(start, start + 7) for start in range(0, NUMBERS.height, 7)] * 20

    def run(piece: slice) -> bool:
        part = {name: one[piece] for name, one in request.items()}
        return bool((bits(session.run(features[piece], part)["prediction"]) == bits(WHOLE[piece])).all())

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(run, pieces))


def test_one_request_is_answered_as_among_others() -> None:
    session = Session(HOUR.onnx)
    for row in range(NUMBERS.height):
        says = row_answers(HOUR, NUMBERS[row], REQUEST, session=session)["prediction"]
        assert (bits(says) == bits(WHOLE[row : row + 1])).all()


def test_what_is_not_said_to_be_null_is_not() -> None:
    session = Session(HOUR.onnx)
    says = session.run(np.zeros((2, 6)), {"sched_dep": np.array([0, 7_200_000_000])})
    assert says["prediction"].tolist() == [0.0, 2.0]
    one = session.run(np.zeros((1, 6)), {"sched_dep": np.array([7_200_000_000])})
    assert one["prediction"].tolist() == [2.0]


def test_a_missing_column_is_named() -> None:
    with pytest.raises(un.InputError, match=r'request, column "sched_dep": missing; allowed: .*\(sched_dep\)'):
        Session(HOUR.onnx).run(np.zeros((1, 6)), {})


def test_arrays_of_different_lengths_are_refused() -> None:
    with pytest.raises(un.InputError, match=r"request.sched_dep: 1 rows; allowed: 2"):
        Session(HOUR.onnx).run(np.zeros((2, 6)), {"sched_dep": np.zeros(1, np.int64)})


def test_an_array_of_another_type_is_refused() -> None:
    with pytest.raises(un.InputError, match="allowed: arrays as its inputs say"):
        Session(HOUR.onnx).run(np.zeros((1, 6)), {"sched_dep": np.zeros(1)})


@pytest.mark.parametrize("graph", [b"", b"no graph"])
def test_bytes_that_are_no_graph_are_refused(graph: bytes) -> None:
    with pytest.raises(un.ModelError, match="onnxruntime cannot run it"):
        Session(graph)


def test_a_graph_of_something_else_is_refused() -> None:
    traced: TracedTransform = trace(calendar, {"request": {"sched_dep": un.Timestamp}})
    assert Runner(traced.graph).outputs == ("hour", "hour.null")
    with pytest.raises(un.ModelError, match="not a predictor's graph"):
        Session(traced.graph)


def test_a_graph_whose_rows_depend_on_the_batch_is_run_row_by_row() -> None:
    from tests.models.samples import unsteady_model

    graph: PredictorGraph = graph_of(unsteady_model())
    session = Session(graph.onnx)
    assert session.one_by_one
    whole = answers(graph, NUMBERS)["prediction"]
    assert (bits(answers(graph, NUMBERS, [1, 2, 100])["prediction"]) == bits(whole)).all()


def endless() -> bytes:
    """A graph that counts up to its input."""
    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["goes"]), helper.make_node("Add", ["sum", "one"], ["next"])],
        "body",
        [
            helper.make_tensor_value_info("turn", TensorProto.INT64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
            helper.make_tensor_value_info("sum", TensorProto.INT64, [1]),
        ],
        [
            helper.make_tensor_value_info("goes", TensorProto.BOOL, []),
            helper.make_tensor_value_info("next", TensorProto.INT64, [1]),
        ],
    )
    constants = [
        numpy_helper.from_array(np.array([0]), "zero"),
        numpy_helper.from_array(np.array([1]), "one"),
        numpy_helper.from_array(np.array(True), "yes"),
    ]
    loop = helper.make_node("Loop", ["turns", "yes", "zero"], ["counted"], body=body)
    turns, counted = (helper.make_tensor_value_info(name, TensorProto.INT64, [1]) for name in ("turns", "counted"))
    made: bytes = finished(helper.make_graph([loop], "endless", [turns], [counted], constants)).SerializeToString()
    return made


def test_what_runs_too_long_can_be_stopped_and_runs_again_later() -> None:
    runner = Runner(endless())
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(runner, {"turns": np.array([2**60])})
        while not running.done():
            runner.stop()
            wait([running], timeout=0.01)
        with pytest.raises(un.ModelError, match="graph: it was stopped, since it took too long; allowed: less time"):
            running.result()
    assert runner({"turns": np.array([7])})[0].tolist() == [7]
