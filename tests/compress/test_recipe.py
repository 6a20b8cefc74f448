"""Recipes: what is read, and what is refused with the reason."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from unisono.compress.modules.recover import Recover
from unisono.compress.recipe import read_recipe, recipe_of
from unisono.compress.steps import step_names, step_of
from unisono.compress.steps.training import TrainingStep
from unisono.spec.errors import DefinitionError

TEXT = """
runtime = "onnxruntime"

[[steps]]
step = "recover"
epochs = 2

[data]
label = "late"
slices = ["carrier"]

[budget]
size_bytes = 1_000_000
worst_slice = 2.0
"""


def test_a_recipe_is_read_with_its_defaults_and_named_after_its_file(tmp_path: Path) -> None:
    path = tmp_path / "small.toml"
    path.write_text(TEXT)
    recipe = read_recipe(path)
    assert recipe.name == "small"
    assert recipe.steps == (Recover(epochs=2),)
    assert (recipe.data.test, recipe.budget.worst_slice, recipe.budget.latency_ms) == (0.2, 2.0, None)


def test_a_recipe_is_the_same_after_it_was_written_down() -> None:
    recipe = recipe_of({"steps": [{"step": "recover", "rows": 100}], "budget": {"accuracy_loss": 1.0}})
    assert recipe_of(recipe.document()) == recipe


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({}, "steps"),
        ({"steps": [], "step": 1}, "unknown field `step`"),
        ({"steps": [{"step": "recoverr"}]}, 'steps[0]: step "recoverr"; allowed: step = one of'),
        ({"steps": [{"epochs": 3}]}, "steps[0]: no name"),
        ({"steps": [{"step": "recover", "epoch": 3}]}, "steps[0] recover: Object contains unknown field `epoch`"),
        ({"steps": [{"step": "recover", "epochs": "3"}]}, "steps[0] recover: Expected `int`"),
        ({"steps": [{"step": "recover", "epochs": 0}]}, "epochs 0"),
        ({"steps": [], "runtime": "tvm"}, 'runtime "tvm"; allowed: onnxruntime, openvino, trees'),
        ({"steps": [], "bound": -1e-6}, "bound -1e-06; allowed: 0 or more"),
        ({"steps": [], "data": {"test": 1.0}}, "shares above 0"),
        ({"steps": [], "budget": {"size": 3}}, "unknown field `size`"),
    ],
)
def test_a_wrong_recipe_is_refused_with_the_reason(document: dict[str, Any], said: str) -> None:
    with pytest.raises(DefinitionError) as refused:
        recipe_of(document)
    assert said in str(refused.value)
    assert "allowed" in str(refused.value)


TRAINS = [name for name in step_names() if issubclass(step_of(name), TrainingStep)]


@pytest.mark.parametrize("step", TRAINS)
@pytest.mark.parametrize(
    "wrong", [{"epochs": -1}, {"batch_rows": 0}, {"learning_rate": 0.0}, {"temperature": -1.0}, {"rows": 0}], ids=str
)
def test_numbers_that_train_nothing_are_refused_by_every_step_that_trains(step: str, wrong: dict[str, Any]) -> None:
    with pytest.raises(DefinitionError, match=re.escape("{} {:g}".format(*next(iter(wrong.items()))))):
        recipe_of({"steps": [{"step": step, **wrong}]})


def test_all_that_is_wrong_is_said_at_once() -> None:
    wrong = {"steps": [{"step": "a"}, {"step": "recover", "epochs": 0}], "runtime": "x"}
    with pytest.raises(DefinitionError) as refused:
        recipe_of(wrong)
    assert len(refused.value.problems) == 3


def test_a_missing_file_and_broken_toml_are_named(tmp_path: Path) -> None:
    with pytest.raises(DefinitionError, match="No such file"):
        read_recipe(tmp_path / "none.toml")
    (tmp_path / "broken.toml").write_text("steps = [")
    with pytest.raises(DefinitionError, match="allowed: TOML"):
        read_recipe(tmp_path / "broken.toml")
