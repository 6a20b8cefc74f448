"""What Python makes of the sum of trees has the graph's bits, for every number; else it leaves it to the graph."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lightgbm import LGBMClassifier, LGBMRegressor
from numpy.typing import NDArray
from onnx import TensorProto

import unisono as un
from tests.models.samples import frame, graph_of
from unisono.models import import_model
from unisono.models.emit import Emitter, value
from unisono.models.engines.parts import Parts, read_parts
from unisono.models.engines.splitting import cut
from unisono.models.engines.stepping import steps_of
from unisono.models.engines.steps import Stepper
from unisono.models.exponential import exp, sigmoid
from unisono.models.front_graph import with_front
from unisono.models.session import Runner, same_bits

COLUMNS = ["dist", "seats"]
EDGES = [0.0, -0.0, 0.5, -0.5, 1.5, 2.5, 5e-324, -5e-324, 700.0, -700.0, 1e-17, 1e300, float("inf"), float("nan")]


def after_of(make: Callable[[Emitter, str], str], kind: int = TensorProto.DOUBLE) -> onnx.ModelProto:
    """A graph that makes an output of a column of sums."""
    emit = Emitter()
    emit.rename(make(emit, emit("Squeeze", "sums", emit.constant(np.array([1])))), "out")
    graph = emit.model([value("sums", np.float64, "N", 1)], [value("out", np.float64, "N")])
    # Names of outputs as graphs have them: the last node's.
    last = graph.graph.node.pop()
    graph.graph.node[-1].output[0] = last.output[0]
    graph.graph.output[0].type.tensor_type.elem_type = kind
    return graph


def cut_model(model: LGBMClassifier | LGBMRegressor) -> Parts:
    """A fitted model's graph in parts."""
    rows = frame(300, seed=1).select(pl.col(COLUMNS).cast(pl.Float64).fill_null(0.0))
    labels = rows["dist"].to_numpy() + rows["seats"].to_numpy()
    model.fit(rows.to_pandas(), labels if isinstance(model, LGBMRegressor) else labels > 1000)
    imported = import_model(model, inputs={"dist": un.Float64, "seats": un.Int64})
    return cut(with_front(graph_of(imported).onnx))


BINARY = cut_model(LGBMClassifier(n_estimators=5, verbose=-1, n_jobs=1))


@pytest.mark.parametrize("labels", [[7, -3], [0.5, 2.5], ["no", "yes"]])
def test_labels_are_as_the_graph_has_them(labels: list[object]) -> None:
    def choose(emit: Emitter, x: str) -> str:
        no, yes = (emit.constant(np.array(one, object if isinstance(one, str) else None)) for one in labels)
        return emit("Where", emit("Greater", x, emit.constant(0.0)), yes, no)

    kind = {int: TensorProto.INT64, float: TensorProto.DOUBLE, str: TensorProto.STRING}[type(labels[0])]
    after = after_of(choose, kind)
    steps = steps_of(after)
    assert steps is not None
    (found,) = Stepper(steps).outputs([-1.0, 1.0]) or []
    (wanted,) = Runner(after.SerializeToString())({"sums": np.array([[-1.0], [1.0]])})
    assert (found.dtype, found.tolist()) == (wanted.dtype, wanted.tolist()) == (wanted.dtype, labels)


@given(st.lists(st.one_of(st.floats(-40, 40), st.sampled_from(EDGES), st.floats()), min_size=1, max_size=5))
def test_a_classifier_has_the_bits_of_its_graph(sums: list[float]) -> None:
    assert BINARY.steps is not None and BINARY.after is not None
    found = Stepper(BINARY.steps).outputs(sums)
    if found is None:
        assert max(map(abs, sums), default=0.0) > 700 or any(one != one for one in sums)
        return
    wanted = Runner(BINARY.after)({BINARY.steps.source: np.array(sums).reshape(-1, 1)})
    assert same_bits(found, wanted)


def test_halves_are_rounded_to_even_and_zeros_keep_their_sign() -> None:
    after = after_of(lambda emit, x: emit("Round", x))
    steps = steps_of(after)
    assert steps is not None
    sums = [0.5, 1.5, 2.5, -0.5, -1.5, -2.5, 0.0, -0.0, -0.2, 4503599627370497.5]
    (found,) = Stepper(steps).outputs(sums) or []
    (wanted,) = Runner(after.SerializeToString())({"sums": np.array(sums).reshape(-1, 1)})
    assert same_bits([found], [wanted])


@pytest.mark.parametrize("number", [float("inf"), float("-inf"), float("nan"), 1e300])
def test_what_python_treats_otherwise_is_left_to_the_graph(number: float) -> None:
    steps = steps_of(after_of(lambda emit, x: sigmoid(emit, x, bounded=True)))
    assert steps is not None
    assert Stepper(steps).outputs([0.0, number]) is None


def test_a_division_by_zero_is_left_to_the_graph() -> None:
    steps = steps_of(after_of(lambda emit, x: emit("Div", emit.constant(1.0), x)))
    assert steps is not None
    assert Stepper(steps).outputs([0.0]) is None
    assert (Stepper(steps).outputs([4.0]) or [])[0].tolist() == [0.25]


UNKNOWN: dict[str, Callable[[Emitter, str], str]] = {
    "another operator": lambda emit, x: emit("Sqrt", x),
    "three inputs": lambda emit, x: exp(emit, x),
    "a constant of several numbers": lambda emit, x: emit("Add", x, emit.constant(np.array([1.0, 2.0]))),
    "float32": lambda emit, x: emit("Cast", emit("Cast", x, to=TensorProto.FLOAT), to=TensorProto.DOUBLE),
    "another kind of rest": lambda emit, x: emit("Mod", x, emit.constant(2.0), fmod=1),
}


@pytest.mark.parametrize("make", UNKNOWN.values(), ids=UNKNOWN)
def test_a_graph_with_other_steps_has_none(make: Callable[[Emitter, str], str]) -> None:
    assert steps_of(after_of(make)) is None


def test_parts_are_read_as_they_were_written() -> None:
    found = read_parts(BINARY.to_bytes())
    assert (found.before, found.after, found.outputs, found.steps) == (
        *(BINARY.before, BINARY.after),
        *(BINARY.outputs, BINARY.steps),
    )
    (one,), (other,) = found.ensembles, BINARY.ensembles
    assert (one.matrix, one.sums, one.width, one.whole.tolist()) == (other.matrix, other.sums, other.width, [])
    pairs: list[tuple[NDArray[np.float64], NDArray[np.float64]]] = [
        (one.trees.threshold, other.trees.threshold),
        (one.trees.weight, other.trees.weight),
    ]
    assert all((left == right).all() for left, right in pairs)


def test_sums_that_are_the_answer_need_no_steps() -> None:
    assert cut_model(LGBMRegressor(n_estimators=5, verbose=-1, n_jobs=1)).before is None
