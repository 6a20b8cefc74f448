"""Weights that become zero, as a recipe has it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import polars as pl
import pytest
import torch
from torch import nn

from tests.compress.conftest import Case
from unisono.compress.modules.model import answers
from unisono.compress.modules.recover import Recover
from unisono.compress.prune.weights.step import PruneWeights
from unisono.compress.recipe import recipe_of
from unisono.compress.subject import Subject
from unisono.spec.errors import DefinitionError, InputError, ModelError

pytestmark = pytest.mark.slow  # networks and trees are trained

FEW: Any = {"fewest": 100}


def notes(subject: Subject) -> dict[str, Any]:
    """Of the step."""
    return dict(subject.notes["prune_weights"])


def weights(subject: Subject) -> dict[str, torch.Tensor]:
    """Of the layers that the step names."""
    module = subject.module().module
    return {name: module.get_submodule(name).get_parameter("weight") for name in notes(subject)["layers"]}


def accuracy(case: Case, subject: Subject) -> float:
    """On the test rows."""
    test = case.data.test
    return float((answers(subject.module(), test).argmax(axis=1) == case.data.targets(test)).mean())


@pytest.mark.parametrize("name", ["numbers", "images", "texts"])
@pytest.mark.parametrize("method", ["magnitude", "wanda"])
@pytest.mark.parametrize("scope", ["global", "layer", "row"])
def test_the_share_that_is_asked_for_is_zero(
    name: str, method: Any, scope: Any, request: pytest.FixtureRequest
) -> None:
    case: Case = request.getfixturevalue(name)
    made = case.applied(PruneWeights(share=0.6, method=method, scope=scope, **FEW))
    zeros = sum(int((one == 0).sum()) for one in weights(made).values())
    assert abs(zeros / sum(one.numel() for one in weights(made).values()) - 0.6) < 0.02
    assert all((one != 0).any() for one in weights(made).values())


def test_the_model_that_goes_in_is_left_as_it_is(numbers: Case) -> None:
    before = {name: one.clone() for name, one in numbers.subject.module().module.state_dict().items()}
    numbers.applied(PruneWeights(epochs=1, method="movement", **FEW))
    after = numbers.subject.module().module.state_dict()
    assert list(before) == list(after)
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_the_smallest_weights_of_each_layer_go(numbers: Case) -> None:
    made = numbers.applied(PruneWeights(share=0.5, method="magnitude", scope="layer", **FEW))
    for name, weight in weights(made).items():
        whole = numbers.subject.module().module.get_submodule(name).get_parameter("weight").abs()
        assert whole[weight == 0].max() <= whole[weight != 0].min()


def test_a_weight_of_an_input_that_is_always_zero_goes_first(numbers: Case) -> None:
    quiet = numbers.data.train.with_columns(d=pl.lit(0.0))
    case = replace(numbers, context=replace(numbers.context, data=replace(numbers.data, train=quiet)))
    made = case.applied(PruneWeights(share=0.25, method="wanda", scope="row", fewest=1))
    first = weights(made)["layers.0"]
    assert (first[:, 3] == 0).all()
    assert (first[:, :3] != 0).all()


@pytest.mark.parametrize("name", ["numbers", "images", "texts"])
def test_two_of_four_neighbours_stay(name: str, request: pytest.FixtureRequest) -> None:
    case: Case = request.getfixturevalue(name)
    made = case.applied(PruneWeights(share=0.5, pattern="2:4", **FEW))
    for weight in weights(made).values():
        stay = (weight.reshape(-1, 4) != 0).sum(dim=1)
        assert (stay <= 2).all()
        assert (stay == 2).float().mean() > 0.9  # the row of the padding was zero before


@pytest.mark.parametrize("method", ["magnitude", "movement"])
def test_rounds_of_training_bring_back_what_zeros_cost(numbers: Case, method: Any) -> None:
    at_once = numbers.applied(PruneWeights(share=0.9, method="magnitude", **FEW))
    slowly = numbers.applied(
        PruneWeights(share=0.9, method=method, rounds=2, epochs=2, learning_rate=5e-3, batch_rows=16, **FEW)
    )
    assert notes(slowly)["share"] == pytest.approx(0.9, abs=0.01)
    assert accuracy(numbers, slowly) > accuracy(numbers, at_once)
    assert accuracy(numbers, slowly) >= accuracy(numbers, numbers.subject) - (0.03 if method == "magnitude" else 0.07)


def test_movement_leaves_nothing_of_its_own_in_the_module(texts: Case) -> None:
    made = texts.applied(PruneWeights(share=0.5, method="movement", epochs=1, learning_rate=1e-3, rows=200, **FEW))
    assert made.module().module.state_dict().keys() == texts.subject.module().module.state_dict().keys()
    assert notes(made)["share"] == pytest.approx(0.5, abs=0.01)


def test_training_that_comes_later_keeps_the_zeros(numbers: Case) -> None:
    pruned = numbers.applied(PruneWeights(share=0.8, **FEW))
    zeros = {name: one == 0 for name, one in weights(pruned).items()}
    later = replace(numbers, subject=pruned).applied(Recover(epochs=1, learning_rate=1e-2))
    for name, weight in weights(later).items():
        assert (weight[zeros[name]] == 0).all()
        assert not torch.equal(weight, weights(pruned)[name])


def test_tables_and_small_layers_stay_if_that_is_said(texts: Case) -> None:
    made = texts.applied(PruneWeights(embeddings=False))
    assert not any("embeddings" in name for name in notes(made)["layers"])
    assert notes(made)["left_alone"]["model.classifier"] == "has 64 weights, fewer than 1,024"


def test_a_module_without_a_layer_that_can_lose_weights_is_refused(numbers: Case) -> None:
    with pytest.raises(ModelError, match=r"layers\.2: has 1,024 weights, fewer than 2,000.*lower fewest"):
        numbers.applied(PruneWeights(fewest=2000))
    with pytest.raises(ModelError, match=r'"layer\.2" fits none; .*did you mean "layers\.2"'):
        numbers.applied(PruneWeights(include=("layer.2",)))


class Spare(nn.Module):
    """Has a layer that it does not use."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.spare = nn.Linear(4, 2), nn.Linear(64, 64)

    def forward(self, numbers: torch.Tensor) -> torch.Tensor:
        """Rows x 4 -> rows x 2."""
        scores: torch.Tensor = self.first(numbers)
        return scores


def test_a_layer_that_no_row_reaches_cannot_be_weighed(numbers: Case) -> None:
    spare = numbers.subject.with_torch(numbers.subject.module().with_module(Spare().eval()))
    with pytest.raises(ModelError, match='layer "spare": no row comes to it'):
        replace(numbers, subject=spare).applied(PruneWeights(method="wanda"))


def test_rows_with_nan_are_refused_with_their_columns(numbers: Case) -> None:
    hole = numbers.data.train.with_columns(b=pl.when(pl.col("a") > 0).then(pl.col("b")))
    case = replace(numbers, context=replace(numbers.context, data=replace(numbers.data, train=hole)))
    with pytest.raises(InputError, match=r"NaN or infinity for rows of a, b, c, d"):
        case.applied(PruneWeights(method="wanda", **FEW))


def test_a_recipe_with_impossible_settings_is_refused() -> None:
    with pytest.raises(DefinitionError) as raised:
        recipe_of({"steps": [{"step": "prune_weights", "share": 1.2, "pattern": "2:4", "rounds": 3}]})
    assert len(raised.value.problems) == 3
