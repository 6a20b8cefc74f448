"""Trains a module on labels, on a teacher's scores, or on both; keeps the epoch that is best on the validation rows.

A run that is cut goes on from its last whole epoch.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec
import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray
from torch import nn

from unisono.compress.context import Context
from unisono.compress.modules.batches import Batch, Batches
from unisono.compress.modules.losses import label_loss, teacher_loss
from unisono.compress.modules.model import TorchModel, answers, scores_of
from unisono.compress.modules.seeds import deterministic
from unisono.compress.steps.training import TaughtStep, TrainingStep
from unisono.spec.errors import ModelError

_CHECKPOINT = "training.pt"
_LONGEST_STEP = 1.0  # length that a gradient is cut to


Precision = Literal["float32", "bfloat16"]


class Training(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a module is trained.

    epochs:        times that every row is seen.
    batch_rows:    rows a step.
    learning_rate: highest, after the warm-up; it falls to zero along a line.
    warmup:        share of the steps in which it rises.
    weight_decay:  of AdamW (Loshchilov, Hutter 2019), on matrices alone.
    teacher_share: of the teacher's part in the loss, 0 to 1; rows without a label have only that.
    temperature:   that softens a teacher's probabilities.
    precision:     "bfloat16" multiplies matrices in 16 bits and adds up in 32, which is quicker where the processor
                   knows how (1.5 times, measured with AVX-512 BF16); weights stay float32.
    """

    epochs: int = 3
    batch_rows: int = 32
    learning_rate: float = 5e-5
    warmup: float = 0.1
    weight_decay: float = 0.01
    teacher_share: float = 0.5
    temperature: float = 2.0
    precision: Precision = "float32"

    @classmethod
    def of(cls, step: TrainingStep, *, epochs: int | None = None) -> Training:
        """As a step says it. epochs: in place of the step's."""
        return cls(
            epochs=step.epochs if epochs is None else epochs,
            batch_rows=step.batch_rows,
            learning_rate=step.learning_rate,
            teacher_share=step.teacher_share if isinstance(step, TaughtStep) else 1.0,
            temperature=step.temperature,
            precision=step.precision,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesson:
    """What is learnt from.

    frame:   the rows.
    targets: what is right for each, as `Data.targets` says, -1 or NaN where nobody knows; None: nobody knows of any.
    taught:  a teacher's scores, rows x classes; None: there is no teacher.
    """

    frame: pl.DataFrame
    targets: NDArray[Any] | None
    taught: NDArray[np.float32] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Hooks:
    """What a step adds to the training.

    watching:   entered with the module that is trained, left when it is done: to see what goes on inside it, say.
    extra_loss: of a batch, added to the loss: (module, batch, scores) -> tensor of one number.
    after_step: called with the module after every step of the optimiser: sets pruned weights back to zero, say.
    """

    watching: Callable[[nn.Module], AbstractContextManager[object]] = nullcontext
    extra_loss: Callable[[nn.Module, Batch, torch.Tensor], torch.Tensor] | None = None
    after_step: Callable[[nn.Module], None] | None = None


NO_HOOKS = Hooks()


@dataclass(slots=True)
class _State:
    """Of a run, after some epochs."""

    epoch: int = 0
    best_loss: float = float("inf")
    best: dict[str, torch.Tensor] = field(default_factory=dict)


def train(
    model: TorchModel,
    lesson: Lesson,
    context: Context,
    settings: Training,
    *,
    hooks: Hooks = NO_HOOKS,
    what: str = "training",
) -> TorchModel:
    """A copy of a model, trained.

    what: the training is called in the progress; two trainings of one stage need two names.

    Raises ModelError if its loss is no number any more.
    """
    from copy import deepcopy

    module = deepcopy(model.module)
    trained = model.with_module(module)
    with deterministic(context.seed), hooks.watching(module):
        _Run(trained, lesson, context, settings, hooks, what).go()
    return trained


class _Run:
    def __init__(
        self, model: TorchModel, lesson: Lesson, context: Context, settings: Training, hooks: Hooks, what: str
    ) -> None:
        self._model, self._lesson, self._context = model, lesson, context
        self._settings, self._hooks, self._what = settings, hooks, what
        self._batches = Batches(model, lesson.frame)
        self._random = np.random.default_rng(context.seed)
        self._optimiser = torch.optim.AdamW(
            _groups(model.module, settings.weight_decay), lr=settings.learning_rate, foreach=False
        )
        steps = len(self._batches.shuffled(settings.batch_rows, np.random.default_rng(0)))
        self._steps = max(steps * settings.epochs, 1)
        self._schedule = torch.optim.lr_scheduler.LambdaLR(self._optimiser, self._share_of_rate)
        self._state = _State()
        self._done = 0

    def _share_of_rate(self, step: int) -> float:
        warm = max(1, round(self._steps * self._settings.warmup))
        return min((step + 1) / warm, max(0.0, (self._steps - step) / max(1, self._steps - warm)))

    def go(self) -> None:
        self._resume()
        while self._state.epoch < self._settings.epochs:
            self._epoch()
            self._state.epoch += 1
            self._judge()
            self._save()
        if self._state.best:
            self._model.module.load_state_dict(self._state.best)
        self._model.module.eval()

    def _epoch(self) -> None:
        self._model.module.train()
        for rows in self._batches.shuffled(self._settings.batch_rows, self._random):
            loss = self._loss(self._batches.batch(rows))
            self._optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(self._model.module.parameters(), _LONGEST_STEP, foreach=False)
            self._optimiser.step()
            self._schedule.step()
            if self._hooks.after_step is not None:
                self._hooks.after_step(self._model.module)
            self._done += 1
            self._context.progress(self._what, self._done, self._steps)

    def _loss(self, batch: Batch) -> torch.Tensor:
        module, lesson = self._model.module, self._lesson
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=self._settings.precision == "bfloat16"):
            raw = module(*batch.arguments)
        scores = scores_of(raw, self._model.classes).float()
        parts = self._parts(scores, batch, lesson)
        if self._hooks.extra_loss is not None:
            parts.append(self._hooks.extra_loss(module, batch, scores))
        loss = torch.stack(parts).sum()
        if not torch.isfinite(loss):
            raise ModelError(
                f"{self._what}: the loss is {loss.item()} at step {self._done + 1:,}; allowed: a number; lower "
                "learning_rate, or look for NaN and huge numbers among the data"
            )
        return loss

    def _parts(self, scores: torch.Tensor, batch: Batch, lesson: Lesson) -> list[torch.Tensor]:
        targets = _targets(lesson, batch.rows)
        known = torch.zeros(len(scores), dtype=torch.bool) if targets is None else _are_known(targets)
        share = 0.0 if lesson.taught is None else self._settings.teacher_share
        parts = []
        if targets is not None and share < 1 and bool(known.any()):
            weight = (1 - share) * float(known.float().mean())
            parts.append(weight * label_loss(scores[known], targets[known]))
        if lesson.taught is not None:
            taught = torch.from_numpy(lesson.taught[batch.rows])
            for rows, weight in ((known, share), (~known, 1.0)):
                if weight > 0 and bool(rows.any()):
                    own = weight * float(rows.float().mean())
                    parts.append(own * teacher_loss(scores[rows], taught[rows], self._settings.temperature))
        return parts

    def _judge(self) -> None:
        """Keeps these weights if they are the best so far on the validation rows."""
        frame = self._context.data.validation
        scores = torch.from_numpy(answers(self._model, frame))
        loss = float(label_loss(scores, torch.from_numpy(self._context.data.targets(frame))))
        if loss <= self._state.best_loss or not self._state.best:
            self._state.best_loss = loss
            self._state.best = {name: one.detach().clone() for name, one in self._model.module.state_dict().items()}

    def _save(self) -> None:
        path = self._context.stage / f"{_name(self._what)}{_CHECKPOINT}"
        content = {
            "epoch": self._state.epoch,
            "best_loss": self._state.best_loss,
            "best": self._state.best,
            "module": self._model.module.state_dict(),
            "optimiser": self._optimiser.state_dict(),
            "schedule": self._schedule.state_dict(),
            "random": self._random.bit_generator.state,
            "torch": torch.get_rng_state(),
            "done": self._done,
        }
        torch.save(content, path.with_suffix(".part"))
        path.with_suffix(".part").replace(path)

    def _resume(self) -> None:
        path = self._context.stage / f"{_name(self._what)}{_CHECKPOINT}"
        if not path.exists():
            return
        content = torch.load(path, weights_only=True)
        self._state = _State(content["epoch"], content["best_loss"], content["best"])
        self._model.module.load_state_dict(content["module"])
        self._optimiser.load_state_dict(content["optimiser"])
        self._schedule.load_state_dict(content["schedule"])
        self._random.bit_generator.state = content["random"]
        torch.set_rng_state(content["torch"])
        self._done = content["done"]


def _targets(lesson: Lesson, rows: NDArray[np.int64]) -> torch.Tensor | None:
    return None if lesson.targets is None else torch.from_numpy(lesson.targets[rows])


def _are_known(targets: torch.Tensor) -> torch.Tensor:
    return ~targets.isnan() if targets.is_floating_point() else targets >= 0


def _groups(module: nn.Module, decay: float) -> list[dict[str, Any]]:
    parameters = [one for one in module.parameters() if one.requires_grad]
    return [
        {"params": [one for one in parameters if one.ndim > 1], "weight_decay": decay},
        {"params": [one for one in parameters if one.ndim <= 1], "weight_decay": 0.0},
    ]


def _name(what: str) -> str:
    return "".join(letter if letter.isalnum() else "-" for letter in what) + "-"
