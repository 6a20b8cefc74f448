"""Searches: what they find, what they spare, and how they go on."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import pytest

import unisono as un
from tests.compress.conftest import Case, number_rows
from unisono.compress.recipe import Recipe, recipe_of
from unisono.compress.search.document import SearchJson
from unisono.compress.search.evaluating import Evaluation
from unisono.compress.search.figures import Fidelity, Figures, over_budget
from unisono.compress.search.searching import Search
from unisono.compress.search.space import Space, space_of
from unisono.compress.search.writing import toml, write
from unisono.drivers.predictors import make_predictor_ready
from unisono.spec.errors import ModelError

pytestmark = pytest.mark.slow  # trials carry out recipes

TREES = {"step": "prune_trees", "keep": {"low": 0.05, "high": 0.95}, "ridge": {"low": 0.1, "high": 100.0, "log": True}}
SPACE = space_of({"steps": [TREES]})
RECOVERED = space_of({"steps": [TREES, {"step": "recover", "epochs": {"low": 1, "high": 8}}]})


@dataclass
class Formula:
    """Figures by a formula: what is kept costs size and time and brings accuracy, most of it where ridge is 10."""

    looks: list[tuple[Fidelity, float]] = field(default_factory=list)
    fails_at: int | None = None

    def __call__(self, recipe: Recipe, fidelity: Fidelity) -> Figures:
        """The figures."""
        if self.fails_at is not None and len(self.looks) >= self.fails_at:
            raise KeyboardInterrupt
        trees: Any = recipe.steps[0]
        self.looks.append((fidelity, trees.keep))
        if trees.keep < 0.1:
            raise ModelError("trees: too few; allowed: more; keep more")
        lost = 0.1 * (1 - trees.keep) ** 2 + (0.0 if 1 < trees.ridge < 30 else 0.05) + 0.2 * (fidelity == "quick")
        size = round(1e6 * trees.keep)
        return Figures(
            accuracy=0.95 - lost,
            original=0.95,
            size_bytes=size,
            latency_ms=0.1 + trees.keep,
            speedup=1.1 / (0.1 + trees.keep),
            parameters=size // 8,
        )


def searched(
    folder: Path, trials: int = 20, *, space: Space = SPACE, formula: Formula | None = None, **more: Any
) -> SearchJson:
    """A search by a formula."""
    search = Search(space=space, evaluate=formula or Formula(), **more)
    return search.run(trials, folder, lambda *told: None, reference=(0.5, 1e6, 1.2))


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> SearchJson:
    """A search of 20 trials."""
    return searched(tmp_path_factory.mktemp("found"))


@pytest.mark.slow
def test_a_search_beats_chance_at_as_many_trials(tmp_path: Path) -> None:
    gains = [
        searched(tmp_path / f"tpe{seed}", 25, seed=seed, saves=False).volumes[-1]
        - searched(tmp_path / f"random{seed}", 25, seed=seed, sampler="random", saves=False).volumes[-1]
        for seed in range(3)
    ]
    assert sum(gains) > 0
    assert sum(gain > 0 for gain in gains) >= 2


def test_the_front_is_what_no_other_beats_the_most_accurate_first(found: SearchJson) -> None:
    figures = [one.figures for one in found.best() if one.figures is not None]
    assert len(figures) == len(found.front) > 3
    assert [one.accuracy for one in figures] == sorted((one.accuracy for one in figures), reverse=True)
    assert [one.size_bytes for one in figures] == sorted((one.size_bytes for one in figures), reverse=True)


def test_a_search_that_was_cut_goes_on_as_if_it_had_not_been(tmp_path: Path) -> None:
    whole = searched(tmp_path / "whole", 12)
    with pytest.raises(KeyboardInterrupt):
        searched(tmp_path / "cut", 12, formula=Formula(fails_at=6))
    formula = Formula()
    assert searched(tmp_path / "cut", 12, formula=formula) == whole
    assert len(formula.looks) < 12


@pytest.mark.parametrize("sampler", ["nsga2", "random"])
def test_every_sampler_takes_steps_that_come_and_go(tmp_path: Path, sampler: Any) -> None:
    options = [{"step": "distil", "student": "tree", "leaves": {"low": 2, "high": 9}}, {"step": "distil"}]
    space = space_of({"steps": [TREES, {"choices": options, "optional": True}]})
    found = searched(tmp_path, 12, space=space, sampler=sampler)
    counts = {len(one.recipe["steps"]) for one in found.trials if one.recipe is not None}
    assert counts == {1, 2}
    assert any("steps[1].choices[0].leaves" in one.chosen for one in found.trials)
    assert found.front


def test_more_trials_use_those_that_were_made(tmp_path: Path) -> None:
    first = searched(tmp_path, 8)
    formula = Formula()
    assert searched(tmp_path, 12, formula=formula).trials[:8] == first.trials
    assert len(formula.looks) == 4


def test_the_volume_never_shrinks(found: SearchJson) -> None:
    volumes = found.volumes
    assert volumes == sorted(volumes)
    assert len(volumes) == 20


def test_recipes_that_give_no_model_are_trials_with_their_reason(found: SearchJson) -> None:
    failed = [one for one in found.trials if one.outcome == "failed"]
    assert failed
    assert {one.reason for one in failed} == {"trees: too few; allowed: more; keep more"}
    assert not {one.number for one in failed} & set(found.front)


def test_nothing_over_the_budget_is_on_the_front(tmp_path: Path) -> None:
    space = space_of({"steps": [TREES], "budget": {"accuracy_loss": 3.0, "size_bytes": 600_000}})
    found = searched(tmp_path, space=space)
    assert found.front
    for one in found.best():
        assert one.figures is not None
        assert one.figures.size_bytes <= 600_000
        assert one.figures.accuracy >= 0.92


def test_what_no_recovery_can_bring_into_the_budget_is_stopped_after_a_quick_look(tmp_path: Path) -> None:
    space = space_of({**RECOVERED.document, "budget": {"size_bytes": 300_000}})
    formula = Formula()
    found = searched(tmp_path, space=space, formula=formula)
    stopped = [one for one in found.trials if one.outcome == "stopped"]
    assert {one.reason for one in stopped} == {"over the budget whatever recovers: size_bytes"}
    assert not any(keep > 0.3 for fidelity, keep in formula.looks if fidelity == "full")


@pytest.mark.slow
def test_once_predictors_have_proved_themselves_recipes_that_would_be_beaten_are_spared(tmp_path: Path) -> None:
    spared = searched(tmp_path / "spared", 40, space=RECOVERED, sampler="random")
    outcomes = {one.outcome for one in spared.trials}
    assert outcomes & {"stopped", "skipped"}
    assert {one.when for one in spared.predictors} == {"settings", "quick"}
    everything = searched(tmp_path / "everything", 40, space=RECOVERED, sampler="random", saves=False)
    assert {one.outcome for one in everything.trials} == {"measured", "failed"}
    assert spared.volumes[-1] >= everything.volumes[-1] - 0.01


def test_every_limit_of_a_budget_is_looked_at() -> None:
    figures = Figures(
        accuracy=0.9,
        original=0.95,
        size_bytes=10,
        latency_ms=2.0,
        speedup=1.5,
        parameters=5,
        worst_slice=6.0,
        agreement=0.8,
    )
    limits = {
        "size_bytes": 9,
        "latency_ms": 1.0,
        "speedup": 2.0,
        "parameters": 4,
        "accuracy_loss": 4.0,
        "worst_slice": 5.0,
        "agreement": 0.9,
    }
    over = over_budget(figures, recipe_of({"steps": [], "budget": limits}).budget)
    assert set(over) == set(limits)
    assert all(value > 0 for value in over.values())


def test_recipes_are_written_as_they_are_read(found: SearchJson, tmp_path: Path) -> None:
    paths = write(found, tmp_path)
    assert msgspec.json.decode((tmp_path / "search.json").read_bytes(), type=SearchJson) == found
    recipes = [recipe_of(tomllib.loads(path.read_text())) for path in paths if path.suffix == ".toml"]
    assert [one.document() for one in recipes] == [one.recipe for one in found.best()]
    assert (tmp_path / "front.svg").read_text().count("<circle") == sum(one.figures is not None for one in found.trials)


def test_texts_with_quotes_and_letters_of_all_kinds_survive() -> None:
    recipe = {"name": 'a "b"\n\\ é', "steps": [{"step": "x", "on": True, "list": [1, 2.5, "c"]}]}
    assert tomllib.loads(toml(recipe)) == recipe


def test_a_real_model_is_searched_by_its_validation_rows(trees: Case, tmp_path: Path) -> None:
    request = dict.fromkeys("abcd", un.Float64)
    definition = make_predictor_ready(un.Predictor("numbers", request=request, time="asked_at", features=()))
    evaluation = Evaluation(
        subject=trees.subject,
        frame=number_rows(),
        definition=definition,
        folder=tmp_path / "stages",
        progress=lambda *told: None,
    )
    space = space_of({"steps": [TREES], "data": {"label": "label", "slices": ["side"]}})
    found = Search(space=space, evaluate=evaluation).run(4, tmp_path / "search", lambda *told: None)
    figures = [one.figures for one in found.trials]
    assert [one.outcome for one in found.trials] == ["measured"] * 4
    assert all(
        one is not None and 0.5 < one.accuracy <= 1 and one.statistics["operators.TreeEnsemble"] == 1 for one in figures
    )
    again = evaluation(recipe_of(found.best()[0].recipe or {}), "full")
    best = found.best()[0].figures
    assert best is not None
    assert (again.accuracy, again.size_bytes, again.parameters) == (best.accuracy, best.size_bytes, best.parameters)
