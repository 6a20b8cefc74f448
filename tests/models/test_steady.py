"""Each operator that onnxruntime computes by vectors, through the rewriting: one row at a time and all at once."""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import Decimal, localcontext
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto

from unisono.models import exponential
from unisono.models.canonical import canonical
from unisono.models.emit import Emitter, value
from unisono.models.rows import mixed_rows
from unisono.models.session import Runner, bits
from unisono.models.steady import steady, with_steady_scores

UNARY = ["Exp", "Log", "Sin", "Cos", "Tanh", "Sigmoid", "Sqrt", "Abs", "Neg", "Floor", "Round", "Sign", "Reciprocal"]
FLOAT32_ONLY = ["Tan", "Asin", "Acos", "Atan", "Sinh", "Cosh", "Erf", "Softplus", "Elu", "Mish", "Gelu"]
BINARY = ["Add", "Sub", "Mul", "Div", "Max", "Min", "Pow", "Less", "Equal"]
KINDS = {np.float64: TensorProto.DOUBLE, np.float32: TensorProto.FLOAT}


def model_of(operator: str, *inputs: str, kind: type[np.generic] = np.float64, **attributes: Any) -> ModelProto:
    """One operator; an input is called after its shape: `n` for rows, `nk` for rows x 5."""
    emit = Emitter()
    output = np.bool_ if operator in ("Less", "Equal") else kind
    shapes: dict[str, tuple[str | int, ...]] = {name: ("N", 5) if name.startswith("nk") else ("N",) for name in inputs}
    emit.rename(emit(operator, *inputs, **attributes), "y")
    outputs = [value("y", output, *shapes[inputs[0]])]
    return emit.model([value(name, kind, *shape) for name, shape in shapes.items()], outputs)


def is_steady(model: ModelProto) -> bool:
    return mixed_rows(canonical(steady(model), {})) is None


@pytest.mark.parametrize("kind", [np.float64, np.float32])
@pytest.mark.parametrize("operator", UNARY)
def test_a_number_has_one_answer_wherever_it_stands(operator: str, kind: type[np.generic]) -> None:
    assert is_steady(model_of(operator, "n", kind=kind))
    assert is_steady(model_of(operator, "nk", kind=kind))


@pytest.mark.parametrize("operator", FLOAT32_ONLY)
def test_a_float32_number_has_one_answer_wherever_it_stands(operator: str) -> None:
    assert is_steady(model_of(operator, "n", kind=np.float32))


def softmax(x: NDArray[np.float64]) -> NDArray[np.float64]:
    powers = np.exp(x - x.max(axis=1, keepdims=True))
    found: NDArray[np.float64] = powers / powers.sum(axis=1, keepdims=True)
    return found


@pytest.mark.parametrize(
    ("operator", "options", "wanted"),
    [("Exp", {}, np.exp), ("Sigmoid", {}, lambda x: 1 / (1 + np.exp(-x))), ("Softmax", {"axis": 1}, softmax)],
)
def test_scores_alone_are_made_steady_where_the_rest_would_be_too_large(
    operator: str, options: dict[str, Any], wanted: Callable[[NDArray[np.float64]], NDArray[np.float64]]
) -> None:
    model = model_of(operator, "nk", **options)
    assert mixed_rows(canonical(model, {})) is not None
    assert mixed_rows(canonical(with_steady_scores(model), {})) is None
    numbers = np.random.default_rng(0).normal(size=(100, 5)) * 9
    found = Runner(canonical(with_steady_scores(model), {}))({"nk": numbers})[0]
    assert np.allclose(found, wanted(numbers), rtol=1e-14, atol=0)
    other = model_of("Tanh", "nk", kind=np.float32)
    assert with_steady_scores(other) == other


@pytest.mark.parametrize("kind", [np.float64, np.float32])
@pytest.mark.parametrize("operator", BINARY)
def test_two_numbers_have_one_answer_wherever_they_stand(operator: str, kind: type[np.generic]) -> None:
    assert is_steady(model_of(operator, "n", "n2", kind=kind))


@pytest.mark.parametrize("axis", [1, -1])
@pytest.mark.parametrize("kind", [np.float64, np.float32])
@pytest.mark.parametrize("operator", ["Softmax", "LogSoftmax"])
def test_a_row_of_numbers_has_one_answer_wherever_it_stands(operator: str, kind: type[np.generic], axis: int) -> None:
    assert is_steady(model_of(operator, "nk", kind=kind, axis=axis))


@pytest.mark.parametrize("operator", ["Exp", "Log", "Sin"])
def test_without_the_rewriting_it_would_not(operator: str) -> None:
    """If this fails onnxruntime has changed, and the rewriting may not be needed any more."""
    assert mixed_rows(canonical(model_of(operator, "n"), {})) is not None


@pytest.mark.parametrize("operator", ["Max", "Min"])
def test_nan_wins_over_every_number(operator: str) -> None:
    run = Runner(canonical(steady(model_of(operator, "n", "n2")), {}))
    numbers = np.array([1.0, np.nan, 2.0, -np.inf, np.nan])
    others = np.array([2.0, 1.0, np.nan, np.inf, np.nan])
    wanted = (np.maximum if operator == "Max" else np.minimum)(numbers, others)
    np.testing.assert_array_equal(run({"n": numbers, "n2": others})[0], wanted)


def run_of(make: Callable[[Emitter, str], str], *shape: int | str) -> Runner:
    emit = Emitter()
    emit.rename(make(emit, "x"), "y")
    return Runner(canonical(emit.model([value("x", np.float64, *shape)], [value("y", np.float64, *shape)]), {}))


EXP = run_of(exponential.exp, "N")
EXP_OF_NEGATED = run_of(lambda emit, x: exponential.exp(emit, x, negated=True), "N")
SIGMOID = run_of(exponential.sigmoid, "N")
SOFTMAX = run_of(exponential.softmax, "N", 4)


def exact_exp(x: float) -> Decimal:
    with localcontext() as context:
        context.prec = 50
        return Decimal(x).exp()


def ulps(says: float, exact: Decimal) -> float:
    with localcontext() as context:
        context.prec = 50
        return float(abs(Decimal(says) - exact) / Decimal(math.ulp(float(exact))))


@given(st.lists(st.floats(-708.0, 709.7), min_size=1))
def test_exp_is_within_0_51_units_in_the_last_place(numbers: list[float]) -> None:
    for x, says in zip(numbers, EXP({"x": np.array(numbers)})[0].tolist(), strict=True):
        assert ulps(says, exact_exp(x)) < 0.51


@given(st.lists(st.floats(-745.0, -708.0), min_size=1))
def test_exp_of_what_is_subnormal_is_within_a_unit(numbers: list[float]) -> None:
    for x, says in zip(numbers, EXP({"x": np.array(numbers)})[0].tolist(), strict=True):
        assert ulps(says, exact_exp(x)) <= 1.0


def test_the_powers_are_rounded_once_and_what_the_rounding_left_is_known() -> None:
    rounded, left, _ = (one.tolist() for one in exponential.tables())
    with localcontext() as context:
        context.prec = 50
        step = Decimal(2).ln() / 4096
        for j in range(-4096, 4096):
            exact = (step * j).exp()
            assert rounded[j] == float(exact)
            assert abs(exact - Decimal(rounded[j]) - Decimal(left[j])) < Decimal(2) ** -75


def test_every_whole_power_of_two_is_in_its_place() -> None:
    scales = exponential.tables()[2].tolist()
    assert [scales[q] for q in range(-1074, 1024)] == [math.ldexp(1.0, q) for q in range(-1074, 1024)]
    assert scales[1024] == math.inf and {scales[q] for q in (-1075, -1076, -1077)} == {0.0}


def test_a_graph_makes_its_tables_of_few_numbers_and_has_the_same_ones() -> None:
    emit = Emitter()
    names = exponential.tables_in(emit)
    for name, output in zip(names, "abc", strict=True):
        emit.rename(name, output)
    graph = canonical(emit.model([], [value(one, np.float64, "N") for one in "abc"]), {})
    assert len(graph) < 5000  # the tables have 148,000 bytes
    for says, wanted in zip(Runner(graph)({}), exponential.tables(), strict=True):
        np.testing.assert_array_equal(says, wanted)


@given(st.floats(allow_nan=False))
def test_exp_of_the_negated_number_has_the_same_bits(x: float) -> None:
    assert EXP({"x": np.array([-x])})[0].tolist() == EXP_OF_NEGATED({"x": np.array([x])})[0].tolist()


def test_exp_at_the_ends() -> None:
    numbers = np.array(
        [np.nan, np.inf, -np.inf, 0.0, -0.0, 5e-324, -745.2, -746.0, -1e300, 709.78, 709.79, 710.0, 1e300]
    )
    wanted = np.array([np.nan, np.inf, 0.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0, math.exp(709.78), np.inf, np.inf, np.inf])
    np.testing.assert_allclose(EXP({"x": numbers})[0], wanted, rtol=2e-16)
    np.testing.assert_allclose(EXP_OF_NEGATED({"x": -numbers})[0], wanted, rtol=2e-16)


@given(st.floats(-700.0, 700.0))
def test_sigmoid_is_within_two_units_in_the_last_place(x: float) -> None:
    with localcontext() as context:
        context.prec = 50
        exact = 1 / (1 + exact_exp(-x))
    assert ulps(float(SIGMOID({"x": np.array([x])})[0][0]), exact) <= 2.0


def test_softmax_of_large_numbers_stays_a_distribution() -> None:
    rows = np.array([[1000.0, 0.0, -1000.0, 999.0], [-1e300, 0.0, 0.0, 0.0], [5.0, 5.0, 5.0, 5.0]])
    answer = SOFTMAX({"x": rows})[0]
    np.testing.assert_allclose(answer.sum(axis=1), 1.0, rtol=1e-15)
    np.testing.assert_allclose(answer[2], 0.25)
    assert answer[1].tolist() == [0.0, *[pytest.approx(1 / 3)] * 3]


def in_order(rows: NDArray[np.float64]) -> list[float]:
    totals = []
    for row in rows.tolist():
        total = 0.0
        for number in row:
            total += number
        totals.append(total)
    return totals


@given(st.integers(0, 2**32 - 1))
def test_sums_go_from_the_first_to_the_last(seed: int) -> None:
    rows = np.random.default_rng(seed).normal(size=(7, 61)) * 10.0 ** np.arange(61)
    emit = Emitter()
    emit.rename(exponential.sum_in_order(emit, "x", axis=1), "y")
    model = emit.model([value("x", np.float64, "N", 61)], [value("y", np.float64, "N", 1)])
    says = Runner(canonical(model, {}))({"x": rows})[0]
    assert (bits(says[:, 0]) == bits(np.array(in_order(rows)))).all()
