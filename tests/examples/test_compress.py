"""The compression example: its recipes can be read, their order is legal, and the small one keeps its budget."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from examples.compress import rooms
from tests.cli.shell import unisono
from unisono.compress.recipe import read_recipe
from unisono.compress.steps.order import order_faults

ROOT = Path(rooms.__file__).parent
RECIPES = sorted((ROOT / "recipes").glob("*.toml"))


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_can_be_read_and_its_order_is_legal(path: Path) -> None:
    recipe = read_recipe(path)
    assert recipe.steps
    assert recipe.budget.accuracy_loss
    assert list(order_faults(recipe.steps, "torch")) == []


def test_the_recipe_of_everything_begins_where_the_one_of_distillation_ends() -> None:
    whole, first = (read_recipe(ROOT / "recipes" / f"{name}.toml") for name in ("all-in-one", "distil"))
    assert whole.steps[0] == first.steps[0]
    assert whole.data == first.data


@pytest.mark.slow
def test_one_command_makes_a_smaller_version_of_a_network(tmp_path: Path) -> None:
    folder = tmp_path / "compress"
    shutil.copytree(ROOT, folder, ignore=shutil.ignore_patterns("data", ".unisono"))
    rooms.rooms().write_parquet(folder / "rooms.parquet")
    command = ("compress", "comfort", "rooms:fit", "--recipe", "recipes/comfort.toml", "--data", "rooms.parquet")
    done = unisono(*command, "--json", folder=folder)
    assert done.exit_code == 0, done.err
    original, result = (done.answer["report"][side] for side in ("original", "result"))
    assert result["parameters"] < original["parameters"] / 2
    assert result["graph_bytes"] < original["graph_bytes"]
    assert done.answer["alias"] == "challenger"
    assert {one["column"] for one in done.answer["report"]["slices"]} == {"floor", "comfortable"}
