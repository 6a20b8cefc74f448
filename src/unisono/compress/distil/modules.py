"""Teaches a student that is a module of torch: some of the teacher's layers, or a module of the user's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from typing import Any, Protocol

import msgspec
import torch
from torch import nn

from unisono.compress.context import Context
from unisono.compress.data import sample_of
from unisono.compress.distil.choosing import Mixture, least, mixtures, validation_loss
from unisono.compress.distil.hints import Hints, no_layers
from unisono.compress.distil.layers import blocks_of, chosen_layers, spread, stands_for, with_layers
from unisono.compress.distil.lessons import Rows, other_classes, rows_of
from unisono.compress.distil.vocabulary import with_seen_tokens
from unisono.compress.modules.model import TorchModel, answers, torch_model
from unisono.compress.modules.seeds import deterministic
from unisono.compress.modules.training import NO_HOOKS, Hooks, Lesson, Precision, Training, train
from unisono.compress.subject import Subject
from unisono.spec.errors import ModelError
from unisono.spec.wording import one_line, quoted

_TRIAL_ROWS = 2048  # that a mixture is tried on, once


class Settings(Protocol):
    """What is taught, and how."""

    @property
    def student(self) -> str: ...
    @property
    def layers(self) -> int | Sequence[int]: ...
    @property
    def module(self) -> str | None: ...
    @property
    def vocabulary(self) -> int: ...
    @property
    def hidden(self) -> float: ...
    @property
    def attention(self) -> float: ...
    @property
    def temperature(self) -> float | str: ...
    @property
    def teacher_share(self) -> float | str: ...
    @property
    def epochs(self) -> int: ...
    @property
    def batch_rows(self) -> int: ...
    @property
    def learning_rate(self) -> float: ...
    @property
    def precision(self) -> Precision: ...


@dataclass(frozen=True, slots=True)
class Untaught:
    """A student before its lessons.

    model:  the module with what feeds it.
    hints:  what it learns from the inside of its teacher; None: nothing.
    notes:  how it was made.
    """

    model: TorchModel
    hints: Hints | None
    notes: Mapping[str, object]


def taught_layers(subject: Subject, context: Context, settings: Settings) -> Subject:
    """A student with some of the subject's layers, in the place of it. Raises ModelError if it has none."""
    teacher = subject.module()
    blocks = blocks_of(teacher.module)
    if blocks is None or len(blocks) < 2:
        raise no_layers(teacher.module, 'student = "layers"')
    places = chosen_layers(settings.layers, len(blocks))
    model = teacher.with_module(with_layers(teacher.module, places))
    ids = None
    if settings.vocabulary:
        model, ids = _with_fewer_tokens(model, context, settings.vocabulary)
    hints = _hints(teacher, stands_for(places, len(blocks)), settings, ids)
    notes = {"student": "layers", "layers": list(places), **({} if ids is None else {"tokens": len(ids)})}
    return _taught(subject, Untaught(model, hints, notes), context, settings)


def _with_fewer_tokens(model: TorchModel, context: Context, fewest: int) -> tuple[TorchModel, torch.Tensor]:
    if model.tokenizer is None:
        raise ModelError(
            f"distil: vocabulary = {fewest} of a model without a tokenizer; allowed: of one that reads text; set "
            "vocabulary = 0"
        )
    (column,), data = model.columns, context.data
    texts = [text for frame in (data.train, data.unlabelled) for text in frame.get_column(column).fill_null("")]
    smaller = with_seen_tokens(model.module, model.tokenizer, texts, fewest=fewest)
    made = torch_model((smaller.module, smaller.tokenizer), data.inputs, model.columns)
    return replace(made, classes=model.classes).with_module(made.module), smaller.kept


def _hints(
    teacher: TorchModel, layers: Sequence[int], settings: Settings, ids: torch.Tensor | None = None
) -> Hints | None:
    if not _looks_inside(settings):
        return None
    return Hints(teacher.module, layers, settings.hidden, settings.attention, ids, settings.precision)


def taught_module(subject: Subject, context: Context, settings: Settings, module: Any = None) -> Subject:
    """A student that the user made, in the place of the subject, whatever that is.

    module: of torch, or a pair with its tokenizer; None: what the function that `settings.module` names makes.

    Raises ModelError for a student that reads other columns, or answers another question.
    """
    made = _made(settings.module or "", context.seed) if module is None else module
    model = _fitting(made, subject, context)
    notes = {"student": "module", "module": settings.module or type(model.module).__name__}
    return _taught(subject, Untaught(model, _hints_for(model, subject, settings), notes), context, settings)


def _hints_for(student: TorchModel, subject: Subject, settings: Settings) -> Hints | None:
    if not _looks_inside(settings):
        return None
    if subject.torch is None:
        raise ModelError(
            f"distil: hidden and attention of a teacher of the kind {subject.kind}; allowed: of a transformer of "
            "torch; leave them out"
        )
    return _hints(subject.torch, _layers(student, subject.torch), settings)


def _looks_inside(settings: Settings) -> bool:
    return bool(settings.hidden or settings.attention)


def _layers(student: TorchModel, teacher: TorchModel) -> Sequence[int]:
    depths = []
    for model in (student, teacher):
        blocks = blocks_of(model.module)
        if blocks is None:
            raise no_layers(model.module, "hidden and attention")
        depths.append(len(blocks))
    return spread(*depths)


def _made(place: str, seed: int) -> Any:
    """What the user's function makes."""
    name, _, function = place.partition(":")
    try:
        make = getattr(import_module(name), function)
    except (ImportError, AttributeError, ValueError) as error:
        raise ModelError(
            f"distil: module {quoted(place)}: {one_line(error)}; allowed: MODULE:FUNCTION that can be imported; "
            "correct it, or run from the folder that the module is in"
        ) from error
    with deterministic(seed):
        return make()


def _fitting(made: Any, subject: Subject, context: Context) -> TorchModel:
    """A student as a model of the same question. Raises ModelError."""
    teacher = subject.torch
    if isinstance(made, nn.Module) and teacher is not None and teacher.tokenizer is not None:
        made = (made, teacher.tokenizer)
    named = any(getattr(made, name, None) is not None for name in ("feature_names_in_", "tokenizer"))
    columns = None if named else subject.columns if teacher is None else teacher.columns
    model = torch_model(made, context.data.inputs, columns)
    classes = context.data.classes
    if model.classes and model.classes != classes:
        raise other_classes("student", f"classes {quoted(list(model.classes))}", classes)
    model = replace(model, classes=classes).with_module(model.module)
    try:
        answers(model, context.data.validation[:2])
    except (ValueError, RuntimeError) as error:  # numpy's of another number of scores, torch's of other rows
        raise other_classes("student", one_line(error), classes) from error
    return model


def _taught(subject: Subject, student: Untaught, context: Context, settings: Settings) -> Subject:
    rows = rows_of(context, student.model.columns)
    choices = mixtures(settings.temperature, settings.teacher_share, has_classes=bool(context.data.classes))
    best, losses = least(choices, lambda mixture: _trial(student, rows, context, settings, mixture))
    lesson = Lesson(frame=rows.frame, targets=rows.targets, taught=rows.taught)
    model = _trained(student, lesson, context, _training(settings, best), "teaching")
    return subject.with_torch(model).noting(
        "distil",
        **student.notes,
        temperature=best.temperature,
        teacher_share=best.teacher_share,
        rows=rows.frame.height,
        unlabelled=context.data.unlabelled.height,
        tried=[{**one.document(), "loss": loss} for one, loss in zip(choices, losses, strict=False)],
    )


def _trial(student: Untaught, rows: Rows, context: Context, settings: Settings, mixture: Mixture) -> float:
    """The loss on the validation rows after some rows were seen once, in a mixture."""
    some = sample_of(rows.frame.with_row_index("unisono.row"), _TRIAL_ROWS, context.seed)
    chosen = some.get_column("unisono.row").to_numpy()
    lesson = Lesson(frame=rows.frame[chosen], targets=rows.targets[chosen], taught=rows.taught[chosen])
    training = msgspec.structs.replace(_training(settings, mixture), epochs=1)
    what = f"trying temperature {mixture.temperature:g}, teacher_share {mixture.teacher_share:g}"
    model = _trained(student, lesson, context, training, what)
    return validation_loss(answers(model, context.data.validation), context.data)


def _trained(student: Untaught, lesson: Lesson, context: Context, training: Training, what: str) -> TorchModel:
    hints = student.hints
    hooks = NO_HOOKS if hints is None else Hooks(watching=hints.watching, extra_loss=hints)
    return train(student.model, lesson, context, training, hooks=hooks, what=what)


def _training(settings: Settings, mixture: Mixture) -> Training:
    return Training(
        epochs=settings.epochs,
        batch_rows=settings.batch_rows,
        learning_rate=settings.learning_rate,
        teacher_share=mixture.teacher_share,
        temperature=mixture.temperature,
        precision=settings.precision,
    )
