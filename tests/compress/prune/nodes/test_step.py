"""Nodes that are cut out, as a recipe has it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import onnx
import polars as pl
import pytest
import torch
from torch import nn

from tests.compress.conftest import Case
from unisono.compress.modules.model import answers
from unisono.compress.prune.nodes.pruning import widths
from unisono.compress.prune.nodes.ranking import Nodes, staying
from unisono.compress.prune.nodes.step import PruneNodes
from unisono.compress.recipe import recipe_of
from unisono.compress.subject import Subject
from unisono.models import import_model
from unisono.spec.errors import DefinitionError, InputError, ModelError

pytestmark = pytest.mark.slow  # networks and trees are trained

LAYER = "model.bert.encoder.layer"


def notes(subject: Subject) -> dict[str, Any]:
    """Of the step."""
    return dict(subject.notes["prune_nodes"])


def accuracy(case: Case, subject: Subject) -> float:
    """On the test rows."""
    test = case.data.test
    return float((answers(subject.module(), test).argmax(axis=1) == case.data.targets(test)).mean())


def gone(before: Subject, after: Subject) -> float:
    """Share of the nodes inside; of a transformer of its neurons and heads."""
    whole, left = (widths(one.module().module) for one in (before, after))
    inside = [name for name in whole if "query" in name or "intermediate" in name] or list(whole)[:-1]
    return 1 - sum(left[name] for name in inside) / sum(whole[name] for name in inside)


def layer(subject: Subject, name: str) -> Any:
    """Of the module."""
    return subject.module().module.get_submodule(name)


@pytest.mark.parametrize("name", ["numbers", "images", "texts"])
@pytest.mark.parametrize("importance", ["taylor", "magnitude"])
def test_some_nodes_go_and_the_answers_stay_scores(name: str, importance: Any, request: pytest.FixtureRequest) -> None:
    case: Case = request.getfixturevalue(name)
    made = case.applied(PruneNodes(share=0.25, importance=importance, multiple=2))
    assert gone(case.subject, made) == pytest.approx(0.25, abs=0.06)
    assert made.module().parameters < case.subject.module().parameters
    scores = answers(made.module(), case.data.test)
    assert scores.shape == answers(case.subject.module(), case.data.test).shape


@pytest.mark.parametrize("name", ["numbers", "texts"])
def test_the_model_that_goes_in_is_left_as_it_is(name: str, request: pytest.FixtureRequest) -> None:
    case: Case = request.getfixturevalue(name)
    before = {key: one.clone() for key, one in case.subject.module().module.state_dict().items()}
    case.applied(PruneNodes(share=0.25, multiple=2, layers=1 if name == "texts" else 0))
    after = case.subject.module().module.state_dict()
    assert list(before) == list(after)
    assert all(torch.equal(before[key], after[key]) for key in before)


def test_heads_and_neurons_of_a_transformer_go_each_by_their_share(texts: Case) -> None:
    made = texts.applied(PruneNodes(share=0.5, multiple=2))
    heads = [layer(made, f"{LAYER}.{place}.attention.self").query.out_features // 8 for place in range(2)]
    neurons = [layer(made, f"{LAYER}.{place}.intermediate.dense").out_features for place in range(2)]
    assert sum(heads) == 4
    assert sum(neurons) == 64
    assert min(heads) >= 1
    attention = layer(made, f"{LAYER}.0.attention.self")
    assert attention.num_attention_heads == heads[0]


def test_a_node_without_weight_goes_first(texts: Case) -> None:
    quiet = torch.arange(64) % 4 == 1
    subject = replace(texts, subject=texts.subject).applied(PruneNodes(share=0.01, heads=False, multiple=64))
    module = subject.module().module
    for place in range(2):
        module.get_submodule(f"{LAYER}.{place}.output.dense").get_parameter("weight").data[:, quiet] = 0.0
    made = replace(texts, subject=subject).applied(PruneNodes(share=0.25, heads=False, multiple=1))
    said = [answers(one.module(), texts.data.test) for one in (subject, made)]
    assert layer(made, f"{LAYER}.0.intermediate.dense").out_features == 48
    np.testing.assert_allclose(said[0], said[1], atol=1e-5)


def test_heads_that_say_nothing_go_without_a_change(texts: Case) -> None:
    subject = replace(texts, subject=texts.subject).applied(PruneNodes(share=0.01, heads=False, multiple=64))
    module = subject.module().module
    for place, head in ((0, 2), (1, 0)):
        module.get_submodule(f"{LAYER}.{place}.attention.output.dense").get_parameter("weight").data[
            :, 8 * head : 8 * head + 8
        ] = 0.0
    made = replace(texts, subject=subject).applied(PruneNodes(share=0.25, neurons=False))
    assert layer(made, f"{LAYER}.0.attention.self").query.out_features == 24
    assert layer(made, f"{LAYER}.1.attention.self").query.out_features == 24
    said = [answers(one.module(), texts.data.test) for one in (subject, made)]
    np.testing.assert_allclose(said[0], said[1], atol=1e-5)


def test_a_layer_that_changes_nothing_is_the_one_that_is_dropped(texts: Case) -> None:
    made = texts.applied(PruneNodes(share=0.0, layers=1))
    assert len(layer(made, LAYER)) == 1
    assert notes(made)["dropped_layers"] in ([0], [1])
    kept = 1 - notes(made)["dropped_layers"][0]
    weight = layer(made, f"{LAYER}.0.intermediate.dense").weight
    assert torch.equal(weight, layer(texts.subject, f"{LAYER}.{kept}.intermediate.dense").weight)


def test_rounds_of_training_bring_back_what_nodes_cost(images: Case) -> None:
    at_once = images.applied(PruneNodes(share=0.6, multiple=2, most=0.9))
    slowly = images.applied(
        PruneNodes(share=0.6, multiple=2, most=0.9, rounds=2, epochs=1, learning_rate=3e-3, batch_rows=32)
    )
    assert gone(images.subject, slowly) == pytest.approx(0.6, abs=0.06)
    assert accuracy(images, slowly) >= accuracy(images, at_once)
    assert accuracy(images, slowly) >= accuracy(images, images.subject) - 0.03


@pytest.mark.parametrize("name", ["images", "texts"])
def test_the_exported_graph_has_fewer_nodes(name: str, request: pytest.FixtureRequest) -> None:
    case: Case = request.getfixturevalue(name)
    made = case.applied(PruneNodes(share=0.4, multiple=2))
    sizes = []
    for subject in (case.subject, made):
        model = subject.module()
        imported = import_model(model.importable, inputs=case.data.inputs, columns=model.columns)
        sizes.append(len(onnx.load_model_from_string(imported.graph).SerializeToString()))
    gone = case.subject.module().parameters - made.module().parameters
    assert sizes[0] - sizes[1] > 3.5 * gone


def test_what_is_excluded_keeps_its_nodes(texts: Case, images: Case) -> None:
    made = texts.applied(PruneNodes(share=0.4, multiple=2, exclude=(f"{LAYER}.0.*",)))
    assert layer(made, f"{LAYER}.0.intermediate.dense").out_features == 64
    assert layer(made, f"{LAYER}.1.intermediate.dense").out_features < 64
    narrow = images.applied(PruneNodes(share=0.2, multiple=2, exclude=("features.0",)))
    assert layer(narrow, "features.0").out_channels == 16


def test_what_cannot_be_done_is_refused_with_the_reason(texts: Case, numbers: Case) -> None:
    with pytest.raises(ModelError, match=r"layers 2 of a transformer with 2; allowed: up to 1"):
        texts.applied(PruneNodes(layers=2))
    with pytest.raises(ModelError, match=r"layers 1 of Layers, which is no transformer"):
        numbers.applied(PruneNodes(layers=1))
    with pytest.raises(ModelError, match=r"no layer gets narrower \(layers\.0 of 32.*lower multiple"):
        numbers.applied(PruneNodes(share=0.1, multiple=32))
    with pytest.raises(ModelError, match=r'"layer\.2" fits none'):
        numbers.applied(PruneNodes(exclude=("layer.2",)))
    with pytest.raises(ModelError, match=r"nothing of .* may go"):
        texts.applied(PruneNodes(exclude=("*.layer.*",)))


class Fixed(nn.Module):
    """Says its own width in forward."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(4, 32), nn.Linear(8, 2)

    def forward(self, numbers: torch.Tensor) -> torch.Tensor:
        """Rows x 4 -> rows x 2."""
        scores: torch.Tensor = self.last(self.first(numbers).reshape(-1, 4, 8).sum(dim=1))
        return scores


def test_a_module_that_cannot_be_followed_is_refused(numbers: Case) -> None:
    fixed = numbers.subject.with_torch(numbers.subject.module().with_module(Fixed().eval()))
    with pytest.raises(ModelError, match=r"cannot be made narrower|no layer gets narrower \(first of 32"):
        replace(numbers, subject=fixed).applied(PruneNodes(share=0.3, multiple=1))


def test_rows_with_nan_are_refused_with_their_columns(numbers: Case) -> None:
    hole = numbers.data.train.with_columns(b=pl.when(pl.col("a") > 0).then(pl.col("b")))
    case = replace(numbers, context=replace(numbers.context, data=replace(numbers.data, train=hole)))
    with pytest.raises(InputError, match=r"the loss of rows of a, b, c, d is nan"):
        case.applied(PruneNodes(multiple=2))


def test_the_best_nodes_of_all_layers_stay() -> None:
    layers = {
        "a": Nodes(torch.tensor([9.0, 1.0, 8.0, 2.0]), 4, 1),
        "b": Nodes(torch.tensor([0.1, 0.3, 0.2, 7.0]), 4, 1),
    }
    kept = staying(layers, 0.5, 0.75)
    assert {name: one.tolist() for name, one in kept.items()} == {"a": [0, 2, 3], "b": [3]}
    assert staying(layers, 0.5, 0.5)["b"].tolist() == [1, 3]


def test_a_recipe_with_impossible_settings_is_refused() -> None:
    with pytest.raises(DefinitionError) as raised:
        recipe_of({"steps": [{"step": "prune_nodes", "share": 0.9, "rounds": 3, "multiple": 0}]})
    assert len(raised.value.problems) == 3
