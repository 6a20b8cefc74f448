"""Quantisation, as a recipe has it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import onnx
import polars as pl
import pytest

from tests.compress.conftest import Case
from tests.compress.quantise.graphs import as_graph, probabilities
from unisono.compress.quantise.step import Quantise
from unisono.compress.recipe import recipe_of
from unisono.models.session import Runner, Setting
from unisono.models.verifying.operators import unsure_operators
from unisono.spec.errors import DefinitionError, InputError, ModelError

pytestmark = pytest.mark.slow  # networks and trees are trained

KINDS = ["numbers", "images", "texts"]


def named(name: str, request: pytest.FixtureRequest) -> Case:
    """A case of the session, as a graph."""
    case: Case = request.getfixturevalue(name)
    return as_graph(case)


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("mode", ["dynamic", "static"])
def test_a_portable_graph_has_no_operator_that_machines_round_differently(
    name: str, mode: Any, request: pytest.FixtureRequest
) -> None:
    case = named(name, request)
    made = case.applied(Quantise(mode=mode))
    assert unsure_operators(onnx.load_model_from_string(made.imported().graph)) == ()
    gap = np.abs(
        probabilities(made.imported(), case.data.test) - probabilities(case.subject.imported(), case.data.test)
    )
    assert 0 < gap.max() < 0.2
    assert gap.mean() < 0.02


@pytest.mark.parametrize("name", KINDS)
def test_every_way_to_run_a_portable_graph_gives_the_same_bits(name: str, request: pytest.FixtureRequest) -> None:
    case = named(name, request)
    graph = case.applied(Quantise()).imported().graph
    rows = {one: feed[:40] for one, feed in feeds_of(case).items()}
    ours = Runner(graph)(rows)[1].tobytes()
    for setting in (Setting("none"), Setting("extended"), Setting("all"), Setting("all", threads=2)):
        assert Runner(graph, setting)(rows)[1].tobytes() == ours


def feeds_of(case: Case) -> dict[str, Any]:
    """The test rows as the graph takes them; of texts those with as many tokens as the first."""
    from unisono.compress.running.graphs import _feeds

    feeds = _feeds(case.subject.imported(), case.data.test, case.data.inputs)
    return {name: _stacked(one) if one.dtype == object else one for name, one in feeds.items()}


def _stacked(ragged: Any) -> Any:
    return np.stack([row for row in ragged if len(row) == len(ragged[0])])


@pytest.mark.parametrize("name", KINDS)
def test_a_row_is_answered_alike_in_every_batch(name: str, request: pytest.FixtureRequest) -> None:
    case = named(name, request)
    run = Runner(case.applied(Quantise()).imported().graph)
    rows = {one: feed[:16] for one, feed in feeds_of(case).items()}
    whole = run(rows)[1]
    single = [run({one: feed[place : place + 1] for one, feed in rows.items()})[1] for place in range(16)]
    assert np.concatenate(single).tobytes() == whole.tobytes()


@pytest.mark.parametrize("bits", [8, 4])
@pytest.mark.parametrize("name", KINDS)
def test_weights_alone_can_be_stored_in_fewer_bits(name: str, bits: int, request: pytest.FixtureRequest) -> None:
    case = named(name, request)
    made = case.applied(Quantise(mode="weights", portable=False, bits=bits)).imported()
    assert len(made.graph) < len(case.subject.imported().graph)
    gap = np.abs(probabilities(made, case.data.test) - probabilities(case.subject.imported(), case.data.test))
    assert 0 < gap.mean() < (0.01 if bits == 8 else 0.1)


def test_a_product_that_is_left_out_is_the_one_that_changes_most(numbers: Case) -> None:
    case = as_graph(numbers)
    made = case.applied(Quantise(leave_out=1))
    notes: Any = made.notes["quantise"]
    assert notes["left_out"] == [max(notes["harms"], key=notes["harms"].get)]
    before = probabilities(case.subject.imported(), case.data.test)
    gaps = [
        np.abs(probabilities(case.applied(Quantise(leave_out=count)).imported(), case.data.test) - before).mean()
        for count in (0, 1, 3)
    ]
    assert gaps[0] > gaps[1] > gaps[2]
    assert gaps[2] < 0.1 * gaps[0]


@pytest.mark.parametrize("calibration", ["minmax", "percentile", "mse"])
def test_ranges_can_be_chosen_in_several_ways(calibration: Any, images: Case) -> None:
    case = as_graph(images)
    made = case.applied(Quantise(mode="static", calibration=calibration)).imported()
    agreeing = made.answer(case.data.test)["prediction"] == case.subject.imported().answer(case.data.test)["prediction"]
    assert agreeing.mean() > 0.97


def test_the_quick_way_keeps_eight_bits_and_says_what_is_not_exact(texts: Case) -> None:
    made = as_graph(texts).applied(Quantise(portable=False))
    notes: Any = made.notes["quantise"]
    assert any(one.startswith("Softmax") for one in notes["unsure_operators"])
    weights = [
        onnx.numpy_helper.to_array(one)
        for one in onnx.load_model_from_string(made.imported().graph).graph.initializer
        if one.data_type == onnx.TensorProto.INT8
    ]
    assert max(int(np.abs(one.astype(int)).max()) for one in weights) == 127


def test_rows_with_nan_are_refused_where_ranges_are_seen(numbers: Case) -> None:
    case = as_graph(numbers)
    train = case.data.train.with_columns(a=pl.lit(float("nan")))
    broken = replace(case, context=replace(case.context, data=replace(case.data, train=train)))
    with pytest.raises(InputError, match=r"NaN, null or infinity in .* allowed: numbers"):
        broken.applied(Quantise(mode="static"))


def test_images_of_another_shape_are_refused_where_ranges_are_seen(images: Case) -> None:
    case = as_graph(images)
    other = pl.Series("image", np.zeros((8, 1, 6, 6), np.float32))
    train = case.data.train[:8].with_columns(other)
    broken = replace(case, context=replace(case.context, data=replace(case.data, train=train)))
    with pytest.raises(InputError, match="allowed"):
        broken.applied(Quantise(mode="static"))


def test_no_rows_are_refused_where_ranges_are_seen(numbers: Case) -> None:
    case = as_graph(numbers)
    empty = replace(case, context=replace(case.context, data=replace(case.data, train=case.data.train[:0])))
    with pytest.raises(InputError, match=r"no rows.*mode = dynamic"):
        empty.applied(Quantise(mode="static"))


@pytest.mark.parametrize("portable", [True, False])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_row_with_no_number_in_it_gets_none_and_changes_no_other(
    value: float, *, portable: bool, numbers: Case
) -> None:
    case = as_graph(numbers)
    made = case.applied(Quantise(portable=portable)).imported()
    rows = case.data.test[:8]
    broken = rows.with_columns(b=pl.when(pl.int_range(pl.len()) == 3).then(value).otherwise("b"))
    said, usual = probabilities(made, broken), probabilities(made, rows)
    assert np.isnan(said[3])
    assert np.delete(said, 3).tobytes() == np.delete(usual, 3).tobytes()


def test_a_graph_is_not_quantised_twice(numbers: Case) -> None:
    case = as_graph(numbers)
    once = replace(case, subject=case.applied(Quantise()))
    with pytest.raises(ModelError, match="quantised already"):
        once.applied(Quantise())


def test_trees_are_left_alone(trees: Case) -> None:
    with pytest.raises(ModelError, match=r"trees.*same bits everywhere already.*prune_trees"):
        as_graph(trees).applied(Quantise())


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"bits": 3}, "bits 3"),
        ({"bits": 4}, "mode = weights"),
        ({"mode": "weights"}, "portable = false"),
        ({"percentile": 20.0}, "above 50"),
        ({"rows": 0}, "rows 0"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(DefinitionError, match=said):
        recipe_of({"steps": [{"step": "quantise", **settings}]})


def test_tables_of_embeddings_are_stored_in_eight_bits_unless_they_are_left_alone(texts: Case) -> None:
    case = as_graph(texts)
    notes: Any = case.applied(Quantise()).notes["quantise"]
    plain: Any = case.applied(Quantise(embeddings=False)).notes["quantise"]
    assert (notes["tables"], plain["tables"]) == (1, 0)  # that of places; words are too few to be worth scales
