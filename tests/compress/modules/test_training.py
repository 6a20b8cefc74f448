"""A module learns from labels and from a teacher, and goes on where it was cut."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.compress.conftest import Case
from tests.compress.nets import Layers
from unisono.compress.modules.model import TorchModel, answers, torch_model
from unisono.compress.modules.training import NO_HOOKS, Hooks, Lesson, Training, train
from unisono.spec.errors import ModelError

QUICK = Training(epochs=2, batch_rows=32, learning_rate=1e-2)


def fresh(case: Case) -> TorchModel:
    """A module that has learnt nothing."""
    torch.manual_seed(1)
    return torch_model(Layers(width=8), case.data.inputs, None)


def learnt(case: Case, stage: Path, lesson: Lesson, hooks: Hooks = NO_HOOKS, settings: Training = QUICK) -> Any:
    """What a fresh module says of the validation rows after the lesson."""
    stage.mkdir(exist_ok=True)
    model = train(fresh(case), lesson, replace(case.context, stage=stage), settings, hooks=hooks)
    return answers(model, case.data.validation)


def lesson_of(case: Case, **changed: Any) -> Lesson:
    """Labels and a teacher that says the opposite."""
    targets = case.data.targets(case.data.train)
    opposite = np.stack([2.0 * targets, 2.0 * (1 - targets)], axis=1).astype(np.float32)
    return replace(Lesson(frame=case.data.train, targets=targets, taught=opposite), **changed)


def test_rows_without_a_label_are_learnt_from_the_teacher_alone(numbers: Case, tmp_path: Path) -> None:
    whole = lesson_of(numbers)
    assert whole.targets is not None
    unknown = replace(whole, targets=np.full_like(whole.targets, -1))
    first = learnt(numbers, tmp_path / "unknown", unknown, settings=with_share(0.3))
    second = learnt(numbers, tmp_path / "none", replace(whole, targets=None), settings=with_share(0.3))
    assert np.array_equal(first, second)


def with_share(share: float) -> Training:
    """The usual training with the teacher heard so loud."""
    return Training(epochs=2, batch_rows=32, learning_rate=1e-2, teacher_share=share)


def test_the_share_says_who_is_believed(numbers: Case, tmp_path: Path) -> None:
    right = numbers.data.targets(numbers.data.validation)
    by_labels = learnt(numbers, tmp_path / "labels", lesson_of(numbers), settings=with_share(0.0))
    by_teacher = learnt(numbers, tmp_path / "teacher", lesson_of(numbers), settings=with_share(1.0))
    assert (by_labels.argmax(axis=1) == right).mean() > 0.8
    assert (by_teacher.argmax(axis=1) == right).mean() < 0.5


def test_a_training_that_was_cut_ends_as_one_that_was_not(numbers: Case, tmp_path: Path) -> None:
    whole = learnt(numbers, tmp_path / "whole", lesson_of(numbers))
    steps = 0

    def cut(module: torch.nn.Module) -> None:
        nonlocal steps
        steps += 1
        if steps == 40:  # in the second epoch
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        learnt(numbers, tmp_path / "cut", lesson_of(numbers), Hooks(after_step=cut))
    assert np.array_equal(learnt(numbers, tmp_path / "cut", lesson_of(numbers)), whole)


def test_what_is_watched_is_the_module_that_learns(numbers: Case, tmp_path: Path) -> None:
    seen: list[torch.nn.Module] = []

    @contextmanager
    def watching(module: torch.nn.Module) -> Iterator[None]:
        seen.append(module)
        yield
        seen.append(module)

    given = fresh(numbers)
    stage = tmp_path / "watched"
    stage.mkdir()
    context = replace(numbers.context, stage=stage)
    made = train(given, lesson_of(numbers), context, QUICK, hooks=Hooks(watching=watching))
    assert [one is made.module for one in seen] == [True, True]
    assert made.module is not given.module


def test_a_loss_that_is_no_number_is_said(numbers: Case, tmp_path: Path) -> None:
    taught = np.full((numbers.data.train.height, 2), np.nan, np.float32)
    with pytest.raises(
        ModelError, match=r"training: the loss is nan at step 1; allowed: a number; lower learning_rate"
    ):
        learnt(numbers, tmp_path / "nan", lesson_of(numbers, taught=taught))
