"""The engine "openvino" comes as near to the reference as it says, and says what it cannot run."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import polars as pl
import pytest
from onnx import numpy_helper
from sklearn.linear_model import LinearRegression

import unisono as un
from tests.models import texts
from tests.models.samples import answers, calendar, frame, graph_of, view
from unisono.models import PredictorGraph, Session, build_graph, import_model
from unisono.models.emit import Emitter, value
from unisono.models.engines import EngineSession, open_session, tolerance_of
from unisono.models.engines.cutting import cut_network
from unisono.models.engines.openvino import BOUND, BOUND_ROUNDED, OpenVino, _core
from unisono.models.session import Runner, same_bits
from unisono.models.verifying.classes import EXACT, Tolerance
from unisono.models.verifying.differences import compare
from unisono.spec.errors import InputError, ModelError

pytestmark = pytest.mark.slow  # networks are compiled

INPUTS = {**dict.fromkeys(view().feature_names, un.Float64), "dist": un.Float64, "hour": un.Int64}
CUTS = ((), (1,), (1, 2, 7), (200,))


def _near(graph: PredictorGraph, rows: pl.DataFrame, bound: float = BOUND, cuts: tuple[int, ...] = ()) -> None:
    """Both say the same of a frame, within a bound; the engine is asked in pieces."""
    session = open_session(graph.onnx, "openvino")
    assert isinstance(session, EngineSession)
    assert session.numeric_class == "bounded"
    features, request = graph.features_of(rows), graph.encode(rows)
    edges = [0, *cuts, rows.height]
    parts = [
        session.run(features[start:end], {name: one[start:end] for name, one in request.items()})
        for start, end in pairwise(edges)
    ]
    found = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    wanted = answers(graph, rows)
    assert {name: one.dtype for name, one in found.items()} == {name: one.dtype for name, one in wanted.items()}
    assert compare(found, wanted).within(bound)


def _module(columns: int, *, seed: int = 0, width: int = 64) -> Any:
    import torch

    torch.manual_seed(seed)
    layers = [torch.nn.Linear(columns, width), torch.nn.GELU(), torch.nn.Linear(width, width), torch.nn.Tanh()]
    made: Any = torch.nn.Sequential(*layers, torch.nn.Linear(width, 3)).eval()
    made.classes_ = ("late", "on time", "early")
    return made


def _network() -> PredictorGraph:
    """A network on features, on a number of the request, and on what a transform makes of an instant."""
    columns = [*view().feature_names, "dist", "hour"]
    return graph_of(import_model(_module(len(columns)), inputs=INPUTS, columns=columns), calendar)


@pytest.fixture(scope="module")
def network() -> PredictorGraph:
    return _network()


@pytest.fixture(scope="module")
def rows() -> pl.DataFrame:
    return frame().with_columns(pl.col("dist") / 900, pl.col(view().feature_names) / 10)


@pytest.fixture(scope="module")
def reader() -> PredictorGraph:
    """A transformer."""
    pair = (
        texts.model(num_labels=2, id2label={0: "bad", 1: "good"}, label2id={"bad": 0, "good": 1}),
        texts.tokenizer(),
    )
    return build_graph(texts.predictor(), [], import_model(pair, inputs=texts.REQUEST), [])


# What it says


@pytest.mark.parametrize("cuts", CUTS)
def test_a_network_among_transforms_says_what_onnxruntime_says(
    network: PredictorGraph, rows: pl.DataFrame, cuts: tuple[int, ...]
) -> None:
    _near(network, rows, cuts=cuts)


def test_a_text_is_read_as_onnxruntime_reads_it(reader: PredictorGraph) -> None:
    _near(reader, texts.ROWS)


def test_what_says_where_a_value_is_missing_is_read_although_it_may_be_left_out() -> None:
    emit = Emitter()
    emit.initializers.append(numpy_helper.from_array(np.array([[False]]), "x.null"))
    given = emit("Where", "x.null", emit.constant(np.float32(0)), "x")
    emit.rename(emit("MatMul", given, emit.constant(np.eye(8, dtype=np.float32))), "y")
    inputs = [value("x", np.float32, "N", 8), value("x.null", np.bool_, "N", 1)]
    graph = emit.model(inputs, [value("y", np.float32, "N", 8)]).SerializeToString()
    run = OpenVino().open(graph, Runner(graph))
    x = np.ones((2, 8), np.float32)
    assert run({"x": x, "x.null": np.array([[True], [False]])})[0].sum(axis=1).tolist() == [0, 8]
    assert run({"x": x})[0].sum(axis=1).tolist() == [8, 8]


@pytest.mark.parametrize("number", [np.nan, np.inf, 3e38], ids=["NaN", "infinity", "huge"])
def test_a_number_that_is_missing_or_overflows_says_so_as_onnxruntime_does(number: float) -> None:
    emit = Emitter()
    twice = emit("Mul", "x", emit.constant(np.float32(2)))
    less = emit("Sub", twice, emit("ReduceMax", twice))
    emit.rename(emit("Relu", emit("MatMul", less, emit.constant(np.eye(4, dtype=np.float32)))), "y")
    graph = emit.model([value("x", np.float32, "N", 4)], [value("y", np.float32, "N", 4)]).SerializeToString()
    run = OpenVino().open(graph, Runner(graph))
    x = np.ones((3, 4), np.float32)
    x[1, 2] = number
    assert same_bits(run({"x": x}), Runner(graph)({"x": x}))
    assert np.isnan(run({"x": x})[0]).any()


def _scaled_by_rows(products: int) -> bytes:
    """Products of numbers that are rounded by a scale for each row."""
    emit = Emitter()
    made, weights = "x", emit.constant(np.eye(4, dtype=np.float32))
    for _ in range(products):
        scale = emit("ReduceMax", made, emit.constant(np.array([1])), keepdims=0)
        zero = emit("Cast", emit("Mul", scale, emit.constant(np.float32(0))), to=onnx.TensorProto.UINT8)
        whole = emit("QuantizeLinear", made, emit("Div", scale, emit.constant(np.float32(255))), zero, axis=0)
        made = emit("MatMul", emit("Cast", whole, to=onnx.TensorProto.FLOAT), weights)
    emit.rename(made, "y")
    return emit.model([value("x", np.float32, "N", 4)], [value("y", np.float32, "N", 4)]).SerializeToString()


def test_scales_of_rows_are_left_to_onnxruntime_and_a_graph_full_of_them_is_refused() -> None:
    graph = _scaled_by_rows(1)
    x = {"x": np.random.default_rng(0).uniform(0.1, 5, (3, 4)).astype(np.float32)}
    assert np.allclose(OpenVino().open(graph, Runner(graph))(x)[0], Runner(graph)(x)[0])
    with pytest.raises(ValueError, match="most of its products come before something that OpenVINO does not do"):
        OpenVino().prepare(_scaled_by_rows(4))


def _whole_numbers() -> bytes:
    """Half of what is left of a whole number after thousands, in float32."""
    emit = Emitter()
    rest = emit("Mod", "seats", emit.constant(np.array([[1000]])))
    narrow = emit("Cast", rest, to=onnx.TensorProto.FLOAT)
    product = emit("MatMul", narrow, emit.constant(np.full((1, 1), 0.5, np.float32)))
    emit.rename(emit("Cast", product, to=onnx.TensorProto.DOUBLE), "half")
    return emit.model([value("seats", np.int64, "N", 1)], [value("half", np.float64, "N", 1)]).SerializeToString()


def test_whole_numbers_of_64_bits_are_not_cut_to_32() -> None:
    graph = _whole_numbers()
    feeds = {"seats": np.array([[5_000_000_123], [-7], [2**53 + 999]])}
    assert OpenVino().open(graph, Runner(graph))(feeds)[0].tolist() == Runner(graph)(feeds)[0].tolist()


def test_products_are_not_made_in_16_bits() -> None:
    emit = Emitter()
    random = np.random.default_rng(0)
    weights = random.normal(size=(512, 4)).astype(np.float32)
    emit.rename(emit("MatMul", "x", emit.constant(weights)), "y")
    graph = emit.model([value("x", np.float32, "N", 512)], [value("y", np.float32, "N", 4)]).SerializeToString()
    x = random.normal(size=(64, 512)).astype(np.float32)
    found = OpenVino().open(graph, Runner(graph))({"x": x})[0]
    assert np.abs(found - x.astype(np.float64) @ weights).max() < 1e-4


def test_weights_of_8_bits_do_not_make_activations_round() -> None:
    emit = Emitter()
    random = np.random.default_rng(0)
    whole = random.integers(-127, 128, (512, 256)).astype(np.int8)
    scale = random.uniform(0.001, 0.01, 256).astype(np.float32)
    weights = emit("DequantizeLinear", emit.constant(whole), emit.constant(scale), axis=1)
    emit.rename(emit("MatMul", "x", weights), "y")
    graph = emit.model([value("x", np.float32, "N", 512)], [value("y", np.float32, "N", 256)]).SerializeToString()
    x = random.normal(size=(16, 512)).astype(np.float32)
    wanted = x.astype(np.float64) @ (whole * scale.astype(np.float64))
    assert np.abs(OpenVino().open(graph, Runner(graph))({"x": x})[0] - wanted).max() < 1e-3


def test_many_threads_may_ask_at_once(network: PredictorGraph, rows: pl.DataFrame) -> None:
    session = open_session(network.onnx, "openvino")
    features, request = network.features_of(rows), network.encode(rows)
    wanted = answers(network, rows)

    def ask(start: int) -> bool:
        end = start + 1 + start % 7
        found = session.run(features[start:end], {name: one[start:end] for name, one in request.items()})
        return compare(found, {name: one[start:end] for name, one in wanted.items()}).within(BOUND)

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(ask, range(rows.height - 8)))


def test_what_was_prepared_runs_without_the_graph(network: PredictorGraph, rows: pl.DataFrame) -> None:
    engine = OpenVino()
    prepared = engine.prepare(network.onnx)
    assert not prepared.needs_graph
    feeds = Session(network.onnx).feeds(network.features_of(rows), network.encode(rows))
    again, at_once = engine.restore(prepared.content, None), engine.open(network.onnx, Runner(network.onnx))
    assert same_bits(again(feeds), at_once(feeds))


# What it refuses


def test_a_graph_without_a_network_is_refused(rows: pl.DataFrame) -> None:
    known = rows.select(pl.col(view().feature_names).fill_null(0.0))
    model = LinearRegression().fit(known.to_pandas(), np.arange(rows.height))
    with pytest.raises(ModelError, match='engine "openvino": cannot run this graph: it has no network'):
        open_session(graph_of(import_model(model, inputs=INPUTS)).onnx, "openvino")


def test_ids_beyond_the_table_are_refused_as_onnxruntime_does(reader: PredictorGraph) -> None:
    session = open_session(reader.onnx, "openvino")
    (name,) = session.inputs
    for run in (session.direct, Session(reader.onnx).direct):
        with pytest.raises(InputError, match="graph: "):
            run({name: np.array([[2, 128, 3]])})


def test_arrays_of_another_shape_are_refused(network: PredictorGraph) -> None:
    run = OpenVino().open(_product(), Runner(_product()))
    with pytest.raises(InputError, match="allowed: arrays as its inputs say"):
        run({"x": np.zeros((3, 5), np.float32)})


@pytest.mark.parametrize("content", [b"", b"rubbish", b"\x97\xc0\xa0\xc0\x90\x80"])
def test_what_it_did_not_write_is_refused(content: bytes) -> None:
    with pytest.raises(ModelError, match="allowed: what this engine wrote; prepare the version again"):
        OpenVino().restore(content, None)


def test_without_openvino_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    monkeypatch.setattr("unisono.models.engines.openvino._core", _core.__wrapped__)
    with pytest.raises(ModelError, match=r"OpenVINO is not installed; .*pip install 'unisono\[openvino\]'"):
        OpenVino().open(_product(), Runner(_product()))


# Being stopped


def _product(width: int = 8, products: int = 1) -> bytes:
    emit = Emitter()
    made, weights = "x", emit.constant(np.eye(width, dtype=np.float32) * np.float32(0.99))
    for _ in range(products):
        made = emit("Tanh", emit("MatMul", made, weights))
    emit.rename(made, "y")
    return emit.model([value("x", np.float32, "N", width)], [value("y", np.float32, "N", width)]).SerializeToString()


def test_a_run_that_is_stopped_ends_with_an_error_and_the_next_one_does_not() -> None:
    graph = _product(256, 40)
    run: Any = OpenVino().open(graph, Runner(graph))
    x = np.ones((256, 256), np.float32)
    ended: list[BaseException] = []

    def go_on() -> None:
        try:
            while True:
                run({"x": x})
        except BaseException as error:
            ended.append(error)

    thread = threading.Thread(target=go_on)
    thread.start()
    while thread.is_alive():
        run.stop()
        thread.join(0.005)
    assert isinstance(ended[0], ModelError)
    assert "stopped" in str(ended[0])
    assert len(run({"x": x})[0]) == len(x)


# Bounds


def test_it_states_a_bound_of_its_own_which_is_wider_for_graphs_that_round(network: PredictorGraph) -> None:
    assert tolerance_of("openvino", network.onnx, EXACT).bound == BOUND
    assert tolerance_of("openvino", network.onnx, Tolerance(1.0)).bound == 1.0
    assert tolerance_of("openvino", _rounding(), EXACT).bound == BOUND_ROUNDED
    assert tolerance_of("trees", network.onnx, EXACT) == tolerance_of("onnxruntime", network.onnx, EXACT) == EXACT


def _rounding() -> bytes:
    emit = Emitter()
    step, zero = emit.constant(np.float32(0.01)), emit.constant(np.uint8(128))
    whole = emit("QuantizeLinear", "x", step, zero)
    product = emit("MatMul", emit("DequantizeLinear", whole, step, zero), emit.constant(np.eye(8, dtype=np.float32)))
    emit.rename(product, "y")
    return emit.model([value("x", np.float32, "N", 8)], [value("y", np.float32, "N", 8)]).SerializeToString()


def test_a_graph_that_rounds_is_near_within_the_wider_bound() -> None:
    graph = _rounding()
    x = {"x": np.random.default_rng(0).uniform(-1, 1, (50, 8)).astype(np.float32)}
    found, wanted = OpenVino().open(graph, Runner(graph))(x)[0], Runner(graph)(x)[0]
    assert np.abs(found - wanted).max() <= BOUND_ROUNDED


# Cutting


def test_texts_float64_and_labels_stay_outside_of_the_network(network: PredictorGraph) -> None:
    parts = cut_network(network.onnx)
    assert parts.before is not None
    assert parts.after is not None
    assert not _kinds(parts.network) & {onnx.TensorProto.DOUBLE, onnx.TensorProto.STRING}
    assert {node.op_type for node in onnx.load_model_from_string(parts.network).graph.node} >= {"Gemm", "Tanh"}


def _kinds(graph: bytes) -> set[int]:
    whole = onnx.shape_inference.infer_shapes(onnx.load_model_from_string(graph)).graph
    return {one.type.tensor_type.elem_type for one in (*whole.input, *whole.output, *whole.value_info)}


def _branching() -> bytes:
    emit = Emitter()
    inner = onnx.helper.make_graph(
        [onnx.helper.make_node("Identity", ["x"], ["z"])], "inner", [], [value("z", np.float32, "N", 8)]
    )
    chosen = emit("If", emit.constant(np.array(True)), then_branch=inner, else_branch=inner)
    emit.rename(emit("MatMul", chosen, emit.constant(np.eye(8, dtype=np.float32))), "y")
    return emit.model([value("x", np.float32, "N", 8)], [value("y", np.float32, "N", 8)]).SerializeToString()


def test_a_graph_with_branches_is_refused() -> None:
    with pytest.raises(ValueError, match="it has branches or loops"):
        OpenVino().prepare(_branching())


# Telemetry


@pytest.mark.slow
def test_nothing_is_told_to_anybody_and_nothing_is_left_in_the_home_folder(tmp_path: Path) -> None:
    (tmp_path / "lib").mkdir()
    (tmp_path / "home").mkdir()
    (tmp_path / "lib" / "openvino_telemetry.py").write_text("raise SystemExit('telemetry was imported')")
    (tmp_path / "graph.onnx").write_bytes(_product())
    script = """
import sys
from pathlib import Path
from unisono.models.engines.openvino import OpenVino
import numpy as np
run = OpenVino().open(Path(sys.argv[1]).read_bytes(), None)
run({"x": np.zeros((2, 8), np.float32)})
print("openvino_telemetry" in sys.modules, "openvino" in sys.modules)
"""
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "graph.onnx")],
        env={**os.environ, "HOME": str(tmp_path / "home"), "PYTHONPATH": str(tmp_path / "lib")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout.split()) == (0, ["False", "True"]), done.stderr
    assert list((tmp_path / "home").iterdir()) == []
