"""Training that knows of the rounding to come."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from tests.compress.conftest import Case
from tests.compress.quantise.graphs import as_graph, floats
from unisono.compress.quantise.aware import rounding as rounding_module
from unisono.compress.quantise.aware.rounding import rounded_rows, rounded_weight, rounding
from unisono.compress.quantise.aware.step import QuantiseAware
from unisono.compress.quantise.step import Quantise
from unisono.compress.quantise.weights import SAFE, whole
from unisono.spec.errors import ModelError

pytestmark = pytest.mark.slow  # networks and trees are trained


def test_weights_are_on_the_grid_of_the_graph() -> None:
    weights = torch.randn(8, 5, generator=torch.Generator().manual_seed(0))
    made = rounded_weight(weights, largest=SAFE, per="channel").numpy()
    np.testing.assert_allclose(made, whole(weights.numpy(), 0, largest=SAFE, per="channel").floats(), rtol=1e-6)


def test_gradients_go_through_the_rounding() -> None:
    numbers = torch.randn(4, 6, generator=torch.Generator().manual_seed(0), requires_grad=True)
    (rounded_rows(numbers, (-1,)) * 3).sum().backward()  # type: ignore[no-untyped-call]  # torch's own
    assert numbers.grad is not None
    assert (numbers.grad == 3).all()


def test_a_rounded_module_says_what_its_quantised_graph_says(numbers: Case) -> None:
    model = numbers.subject.module()
    graph = as_graph(numbers).applied(Quantise()).imported()
    frame = numbers.data.test
    with rounding(["layers.0", "layers.2", "layers.4"], QuantiseAware())(model.module), torch.inference_mode():
        scores = model.module(*[torch.from_numpy(one) for one in model.arrays(frame)])
    gap = np.abs(scores.softmax(dim=1).numpy()[:, 1] - floats(graph.answer(frame)))
    assert np.median(gap) < 1e-5
    assert "forward" not in vars(model.module.get_submodule("layers.0"))


@pytest.mark.parametrize("name", ["numbers", "images", "texts"])
def test_training_makes_a_module_bear_a_coarse_grid(
    name: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With 8 bits nothing is lost that so small a model could win back, so weights have five values here."""
    monkeypatch.setattr(rounding_module, "SAFE", 2)
    case: Case = request.getfixturevalue(name)
    step = QuantiseAware(epochs=3, learning_rate=3e-3, teacher_share=0.5)
    made = case.applied(step)
    layers = made.notes["quantise_aware"]["layers"]
    assert isinstance(layers, int)
    assert layers >= 3
    watching = rounding([one for one, layer in made.module().module.named_modules() if _is_rounded(layer)], step)
    unrounded = _loss(case, case.subject.module().module, nullcontext)
    lost = _loss(case, case.subject.module().module, watching) - unrounded
    assert _loss(case, made.module().module, watching) - unrounded < 0.6 * lost


def _is_rounded(layer: nn.Module) -> bool:
    return type(layer) in (nn.Linear, nn.Conv2d)


def _loss(case: Case, module: nn.Module, watching: object) -> float:
    from unisono.compress.modules.losses import label_loss
    from unisono.compress.modules.model import answers

    assert callable(watching)
    frame = case.data.validation
    with watching(module):
        scores = answers(case.subject.module().with_module(module), frame)
    return float(label_loss(torch.from_numpy(scores), torch.from_numpy(case.data.targets(frame))))


def test_a_module_without_layers_is_refused(numbers: Case) -> None:
    empty = numbers.subject.with_torch(numbers.subject.module().with_module(nn.Flatten()))
    with pytest.raises(ModelError, match="no layer that can be rounded"):
        replace(numbers, subject=empty).applied(QuantiseAware())
