"""What a recipe may say of distillation, and what is said of the rest."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.compress.conftest import Case
from tests.compress.nets import CLASSES, Layers
from unisono.compress.distil.modules import taught_module
from unisono.compress.distil.step import Distil
from unisono.compress.recipe import recipe_of
from unisono.compress.running.identities import stage_identity
from unisono.compress.teacher import subject_scores
from unisono.spec.errors import DefinitionError, ModelError

pytestmark = pytest.mark.slow  # networks and trees are trained

SETTLED: dict[str, Any] = {"temperature": 2.0, "teacher_share": 0.5}


def small() -> Layers:
    """A student as a user's function makes it."""
    return Layers(width=8)


def with_three_scores() -> torch.nn.Module:
    """A student that answers another question."""
    return torch.nn.Linear(4, 3)


def test_a_recipe_reads_the_step() -> None:
    (step,) = recipe_of({"steps": [{"step": "distil", "student": "layers", "layers": [0, 5], "hidden": 1.0}]}).steps
    assert isinstance(step, Distil) and step.layers == [0, 5]
    assert (step.gives("torch"), Distil(student="tree").gives("torch")) == ("torch", "ensemble")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"student": "module"}, r'student "module", module None; allowed: module = "MODULE:FUNCTION"'),
        ({"student": "tree", "hidden": 1.0}, r'student "tree" with hidden 1, attention 0; allowed: 0'),
        ({"student": "tree", "vocabulary": 2}, r'student "tree" with vocabulary 2; allowed: 0'),
        ({"temperature": 0.0}, r'temperature 0; allowed: above 0, or "chosen"'),
        ({"teacher_share": 2.0}, r'teacher_share 2; allowed: 0 to 1, or "chosen"'),
        ({"leaves": 1}, r"leaves 1; allowed: 2 or more"),
        ({"hidden": -1.0}, r"hidden -1, attention 0, vocabulary 0; allowed: 0 or more"),
        ({"learning_rate": 0.0}, r"learning_rate 0; allowed: above 0"),
        ({"student": "bush"}, r"Invalid enum value"),
    ],
)
def test_settings_that_do_not_fit_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(DefinitionError, match=message):
        recipe_of({"steps": [{"step": "distil", **settings}]})


@pytest.mark.parametrize("teacher", ["numbers", "trees"])
def test_any_teacher_teaches_a_module_of_the_users(teacher: str, request: pytest.FixtureRequest) -> None:
    case: Case = request.getfixturevalue(teacher)
    step = Distil(
        student="module", module="tests.compress.distil.test_step:small", epochs=8, learning_rate=1e-2, **SETTLED
    )
    made = case.applied(step)
    scores = subject_scores(made, case.data.test, case.context)
    assert made.module().parameters < 200
    assert (scores.argmax(axis=1) == case.data.targets(case.data.test)).mean() > 0.85


def test_a_module_can_be_given_as_it_is(numbers: Case) -> None:
    made = taught_module(
        numbers.subject, numbers.context, Distil(epochs=1, **SETTLED), torch.nn.Sequential(torch.nn.Linear(4, 2))
    )
    assert made.module().classes == CLASSES


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("nowhere:small", r'module "?nowhere:small"?: No module named .nowhere.; allowed: MODULE:FUNCTION'),
        ("tests.compress.nets:nothing", r"has no attribute 'nothing'; allowed: MODULE:FUNCTION"),
        ("tests.compress.distil.test_step:with_three_scores", r"student: .*; allowed: one for each of .*yes"),
    ],
)
def test_a_student_that_cannot_be_made_or_taught_is_refused(numbers: Case, place: str, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        numbers.applied(Distil(student="module", module=place, **SETTLED))


def test_a_student_of_other_classes_is_refused(numbers: Case) -> None:
    module = Layers()
    module.classes_ = ("yes", "no")
    with pytest.raises(ModelError, match=r"student: classes .*; allowed: one for each of .*no.*yes.*; give one"):
        taught_module(numbers.subject, numbers.context, Distil(**SETTLED), module)


def test_a_stage_is_made_again_when_the_users_module_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    step = Distil(student="module", module="own_students:small")
    file = tmp_path / "own_students.py"
    identities = []
    for content in ("small = 1", "small = 2"):
        file.write_text(content)
        identities.append(stage_identity("before", step, data="data", seed=0))
    assert identities[0] != identities[1]


def test_hidden_states_are_asked_of_transformers_alone(trees: Case) -> None:
    step = Distil(hidden=1.0, **SETTLED)
    with pytest.raises(ModelError, match="a teacher of the kind ensemble; allowed: of a transformer of torch"):
        taught_module(trees.subject, trees.context, step, Layers())


def test_a_teacher_is_asked_once(trees: Case) -> None:
    cache = trees.context.stage / "once"
    cache.mkdir(exist_ok=True)
    asked: list[str] = []
    context = replace(trees.context, cache=cache, progress=lambda what, *_: asked.append(what))
    case = Case(trees.subject, trees.data, context)
    first = case.applied(Distil(student="tree", **SETTLED))
    second = case.applied(Distil(student="tree", **SETTLED))
    assert [what for what in asked if "teacher" in what] == ["asking the teacher (train)"]  # once, since it is short
    assert first.notes == second.notes
