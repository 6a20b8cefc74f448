"""Ranges in a recipe, and what is wrong with them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from unisono.compress.prune.trees.step import PruneTrees
from unisono.compress.search.space import Choices, Range, Space, read_space, space_of
from unisono.spec.errors import DefinitionError

TEXT = """
runtime = {choices = ["onnxruntime", "trees"]}

[[steps]]
step = "prune_trees"
keep = {low = 0.02, high = 0.5, log = true}
rows = {low = 100, high = 900}
teacher_share = {choices = [0.0, 0.5]}

[budget]
speedup = 2.0
"""


def lowest(name: str, what: Range | Choices) -> Any:
    """Chooses the first, the smallest."""
    return 0 if isinstance(what, Choices) else what.low


def highest(name: str, what: Range | Choices) -> Any:
    """Chooses the last, the largest."""
    return len(what.options) - 1 if isinstance(what, Choices) else what.high


def test_a_file_of_ranges_gives_recipes(tmp_path: Path) -> None:
    path = tmp_path / "wide.toml"
    path.write_text(TEXT)
    recipe = read_space(path).recipe(lowest)
    assert recipe.steps == (PruneTrees(keep=0.02, rows=100, teacher_share=0.0),)
    assert (recipe.name, recipe.runtime, recipe.budget.speedup) == ("wide", "onnxruntime", 2.0)


def test_what_may_be_is_asked_for_by_name() -> None:
    asked: dict[str, Range | Choices] = {}

    def ask(name: str, what: Range | Choices) -> Any:
        asked[name] = what
        return lowest(name, what)

    space_of({"steps": [{"step": "prune_trees", "keep": {"low": 0.1, "high": 0.5}}]}).fill(ask)
    assert asked == {"steps[0].keep": Range(0.1, 0.5)}


def test_a_step_may_be_left_out_and_its_settings_are_then_not_asked_for() -> None:
    step = {"step": "prune_trees", "keep": {"low": 0.1, "high": 0.5}, "optional": True}
    space = space_of({"steps": [step, {"step": "prune_trees"}]})
    assert space.recipe(lowest).steps == (PruneTrees(),)
    assert space.recipe(highest).steps[0] == PruneTrees(keep=0.5)


def test_a_step_may_be_one_of_several() -> None:
    options = [{"step": "prune_trees", "keep": {"low": 0.1, "high": 0.5}}, {"step": "distil", "student": "tree"}]
    space = space_of({"steps": [{"choices": options}]})
    assert [space.recipe(ask).steps[0].NAME for ask in (lowest, highest)] == ["prune_trees", "distil"]


@pytest.mark.parametrize(
    ("setting", "fault"),
    [
        (
            {"low": 0.5, "high": 0.1},
            r"steps\[0\].keep: low = 0.5, high = 0.1; allowed: numbers, low below high; correct",
        ),
        ({"low": 0, "high": 0.1, "log": True}, r"steps\[0\].keep: low = 0, .*log = true; allowed: .* both above 0"),
        ({"low": "a", "high": 0.1}, r"steps\[0\].keep: low = 'a'"),
        ({"choices": []}, r"steps\[0\].keep: no choices; allowed: one or more; write them"),
        ({"low": 0.5, "high": 2.0}, r"keep 2; allowed: above 0 and below 1"),
        ({"choices": [0.5, 3.0, 0.7]}, r"keep 3; allowed: above 0 and below 1"),
        (0.5, r"nothing varies; allowed: settings with low and high, or choices"),
    ],
)
def test_wrong_ranges_are_refused_before_anything_is_tried(setting: Any, fault: str) -> None:
    with pytest.raises(DefinitionError, match=fault):
        space_of({"steps": [{"step": "prune_trees", "keep": setting}]})


def test_files_that_are_not_there_or_no_toml_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DefinitionError, match=r"none.toml.: No such file"):
        read_space(tmp_path / "none.toml")
    (tmp_path / "broken.toml").write_text("steps = ")
    with pytest.raises(DefinitionError, match=r"allowed: TOML; correct it"):
        read_space(tmp_path / "broken.toml")
    with pytest.raises(DefinitionError, match=r"no steps; allowed: steps"):
        space_of({"name": "empty"})


def test_a_space_is_left_as_it_was_by_filling() -> None:
    document = {"steps": [{"step": "prune_trees", "keep": {"low": 0.1, "high": 0.5}}]}
    Space(document).fill(lowest)
    assert document["steps"][0]["keep"] == {"low": 0.1, "high": 0.5}
