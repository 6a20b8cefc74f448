"""Compact blocks, as a recipe has them."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from tests.compress.conftest import Case
from tests.compress.nets import SIDE, Convolutions
from unisono.compress.compact.mimicking import Mimic, mimicked
from unisono.compress.compact.step import Compact
from unisono.compress.context import Context
from unisono.compress.modules.model import answers
from unisono.compress.recipe import recipe_of
from unisono.compress.running.graphs import answering
from unisono.compress.subject import Subject
from unisono.models import import_model
from unisono.spec.errors import DefinitionError, ModelError

pytestmark = pytest.mark.slow  # networks and trees are trained


def accuracy(case: Case, subject: Subject) -> float:
    """On the test rows."""
    test = case.data.test
    return float((answers(subject.module(), test).argmax(axis=1) == case.data.targets(test)).mean())


def with_module(case: Case, module: nn.Module) -> Case:
    """The same rows with another module."""
    return replace(case, subject=case.subject.with_torch(case.subject.module().with_module(module.eval())))


@pytest.mark.parametrize("block", ["fire", "separable", "inverted"])
def test_a_network_with_blocks_learns_what_the_original_says(block: Any, images: Case) -> None:
    made = images.applied(Compact(block=block, epochs=2, batch_rows=16))
    note: Any = made.notes["compact"]
    assert list(note["blocks"]) == ["features.4"]
    assert note["left_alone"] == {"features.0": "it sees 1 channels, which is few already"}
    assert note["parameters"] == made.module().parameters < images.subject.module().parameters
    assert accuracy(images, made) > 0.9


def test_the_model_that_goes_in_is_left_as_it_is_and_trainable(images: Case) -> None:
    module = images.subject.module().module
    before = {name: one.clone() for name, one in module.state_dict().items()}
    images.applied(Compact(epochs=1, rows=64))
    assert all(torch.equal(before[name], one) for name, one in module.state_dict().items())
    assert all(one.requires_grad for one in module.parameters())


def test_the_same_seed_gives_the_same_blocks(images: Case) -> None:
    first, again = (images.applied(Compact(epochs=1, rows=64)).module().module.state_dict() for _ in range(2))
    assert all(torch.equal(first[name], again[name]) for name in first)


def test_a_block_comes_near_to_its_convolution_while_the_network_stays(images: Case, tmp_path: Path) -> None:
    model = images.subject.module()
    layer = model.module.get_submodule("features.4")
    given = torch.rand(32, 16, 6, 6)
    torch.manual_seed(0)
    block = nn.Conv2d(16, 16, 1)
    step = Compact(block_epochs=4, learning_rate=3e-2)
    context = replace(images.context, stage=tmp_path)
    learnt = mimicked(
        model.with_module(deepcopy(model.module)), [Mimic("features.4", "features.4", block)], step, context
    )
    with torch.inference_mode():
        before, after = (float((one(given) - layer(given)).square().mean()) for one in (block, learnt[0]))
    assert after < 0.7 * before


class CutError(Exception):
    """A run is cut."""


@pytest.mark.parametrize("after", ["learning block by block", "learning together"])
def test_a_run_that_is_cut_goes_on_to_the_same_blocks(after: str, images: Case, tmp_path: Path) -> None:
    def cut(what: str, done: int, total: int | None) -> None:
        if what == after and total is not None and done > total * 0.8:
            raise CutError

    step = Compact(block_epochs=2, epochs=2, rows=64)
    whole = images.applied(step).module().module.state_dict()
    context: Context = replace(images.context, stage=tmp_path)
    with pytest.raises(CutError):
        step.apply(images.subject, replace(context, progress=cut))
    continued = step.apply(images.subject, context).module().module.state_dict()
    assert all(torch.equal(whole[name], continued[name]) for name in whole)


@pytest.mark.parametrize("is_nested", [True, False])
def test_a_pooled_head_takes_the_place_of_all_linear_layers(is_nested: bool, images: Case) -> None:
    torch.manual_seed(0)
    whole = Convolutions()
    module = whole if is_nested else nn.Sequential(*whole.features, *whole.head)
    made = with_module(images, module).applied(Compact(head="pool", epochs=1, rows=64))
    layers = [one for one in made.module().module.modules() if isinstance(one, nn.Linear)]
    assert [(one.in_features, one.out_features) for one in layers] == [(16, 3)]
    assert made.module().module(torch.rand(5, 1, SIDE, SIDE)).shape == (5, 3)


def test_a_pooled_head_gives_what_a_mean_and_a_linear_layer_give(images: Case) -> None:
    made = images.applied(Compact(head="pool", epochs=1, rows=64)).module().module
    given = torch.rand(5, 1, SIDE, SIDE)
    with torch.inference_mode():
        linear: Any = next(one for one in made.modules() if isinstance(one, nn.Linear))
        wanted = linear(made.get_submodule("features")(given).mean(dim=(2, 3)))
        assert torch.allclose(made(given), wanted, atol=1e-5)


class Apart(Convolutions):
    """Its linear layers are in no row."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden, self.head = nn.Linear(144, 8), nn.Sequential(nn.ReLU(), nn.Linear(8, 3))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Rows x 1 x 12 x 12 -> rows x 3."""
        scores: torch.Tensor = self.head(self.hidden(self.features(image).flatten(1)))
        return scores


class Grouped(nn.Module):
    """Has no convolution that a block could replace, and pools by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.grouped, self.end = nn.Conv2d(4, 4, 3, groups=2), nn.Sequential(nn.Linear(4, 3))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Rows x 1 x 12 x 12 -> rows x 3."""
        scores: torch.Tensor = self.end(self.grouped(image.expand(-1, 4, -1, -1)).mean(dim=(2, 3)))
        return scores


def test_what_cannot_be_replaced_is_refused_with_the_reason(images: Case, numbers: Case) -> None:
    with pytest.raises(ModelError, match=r"no convolution can be replaced \(grouped: its channels are in 2 groups\)"):
        with_module(images, Grouped()).applied(Compact())
    with pytest.raises(ModelError, match=r"head\.1, hidden are not in one row"):
        with_module(images, Apart()).applied(Compact(head="pool"))
    with pytest.raises(ModelError, match=r'"end\.0" sees 4 numbers of 4 channels'):
        with_module(images, Grouped()).applied(Compact(head="pool"))
    with pytest.raises(ModelError, match="no convolution before a linear layer"):
        numbers.applied(Compact(head="pool"))
    with pytest.raises(ModelError, match=r'"features\.9" fits none'):
        images.applied(Compact(include=("features.9",)))


def test_a_recipe_with_impossible_settings_is_refused() -> None:
    wrong = {"squeeze": 1.5, "wide": 0.0, "expansion": 0.5, "epochs": 0, "temperature": 0.0}
    with pytest.raises(DefinitionError) as raised:
        recipe_of({"steps": [{"step": "compact", **wrong}]})
    assert len(raised.value.problems) == 5


@pytest.mark.parametrize("block", ["fire", "separable", "inverted"])
def test_blocks_and_a_pooled_head_are_exported_as_a_graph(block: Any, images: Case) -> None:
    model = images.applied(Compact(block=block, head="pool", epochs=1, rows=64)).module()
    imported = import_model(model.importable, inputs=images.data.inputs, columns=model.columns)
    said = answering(imported, images.data.inputs)(images.data.test[:20])["prediction"]
    assert [model.classes[place] for place in answers(model, images.data.test[:20]).argmax(axis=1)] == list(said)
