"""Carries out a recipe: stage after stage, each kept, so that a run that was cut goes on where it was."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl

from unisono.compress.context import Context
from unisono.compress.data import Data
from unisono.compress.recipe import Recipe
from unisono.compress.running.definition import Definition
from unisono.compress.running.export import exported, imported_of
from unisono.compress.running.graphs import answering
from unisono.compress.running.identities import stage_identity, subject_identity
from unisono.compress.running.keeping import Stages
from unisono.compress.running.splitting import split
from unisono.compress.steps.base import Step
from unisono.compress.steps.order import order_faults
from unisono.compress.subject import Subject
from unisono.models import ImportedModel
from unisono.models.importers.base import comes_from
from unisono.spec.errors import DefinitionError, ModelError
from unisono.spec.progress import Progress

_EXPORT = "export 2"
"""Another number when importers make other graphs of the same model: graphs that were kept are not used then."""


@dataclass(frozen=True, slots=True)
class Made:
    """What a recipe made.

    original, result: as graphs.
    subject: the result with the notes of all steps.
    data:    the parts; `data.test` was seen by no step.
    reused:  stages that were made before.
    """

    original: ImportedModel
    result: ImportedModel
    subject: Subject
    data: Data
    reused: int


def subject_of(model: object, definition: Definition, columns: Sequence[str] | None) -> Subject:
    """A model, as a recipe begins with it.

    model: what an importer takes, or an ImportedModel: the graph of a version.

    Raises ModelError.
    """
    if isinstance(model, ImportedModel):
        return Subject(graph=replace(model, answer=answering(model, definition.inputs)))
    if _is_of_torch(model):
        from unisono.compress.modules.model import torch_model

        return Subject(torch=torch_model(model, definition.inputs, columns))
    named = None if columns is None else tuple(columns)
    subject = Subject(ensemble=model, columns=named)
    if any(comes_from(model, library) for library in ("sklearn", "lightgbm")):
        return subject
    return Subject(graph=imported_of(subject, definition))


def _is_of_torch(model: object) -> bool:
    from unisono.models.importers.huggingface import HuggingFace
    from unisono.models.importers.torch import Torch

    return Torch().accepts(model) or HuggingFace().accepts(model)


def carry_out(
    recipe: Recipe,
    subject: Subject,
    frame: pl.DataFrame,
    definition: Definition,
    *,
    folder: Path,
    unlabelled: pl.DataFrame | None = None,
    progress: Progress,
) -> Made:
    """A smaller model, by a recipe.

    subject:    see `subject_of`.
    frame:      rows with what the model reads, the label, and the columns of slices.
    folder:     where stages are kept; a run with the same parts uses them again.
    unlabelled: rows without a label, to distil on.

    Raises DefinitionError for steps in an illegal order, InputError for data that do not fit, ModelError for a model
    that a step cannot work on; the stages before it are kept.
    """
    faults = list(order_faults(recipe.steps, subject.kind))
    if faults:
        raise DefinitionError(faults)
    progress("reading the model", 0, None)
    original = _imported(subject, definition)
    data = _data(recipe, original, frame, definition, unlabelled)
    return _Run(recipe, subject, original, data, definition, folder, progress).go()


def _imported(subject: Subject, definition: Definition) -> ImportedModel:
    return imported_of(subject, definition) if subject.graph is None else subject.graph


def _data(
    recipe: Recipe,
    original: ImportedModel,
    frame: pl.DataFrame,
    definition: Definition,
    unlabelled: pl.DataFrame | None,
) -> Data:
    label = definition.spec.label
    return split(
        frame,
        recipe.data,
        reads=original.columns,
        carries=[*definition.spec.columns, *definition.feature_names],
        inputs=definition.inputs,
        classes=original.classes,
        label=None if label is None else label.column,
        unlabelled=unlabelled,
    )


class _Run:
    def __init__(
        self,
        recipe: Recipe,
        subject: Subject,
        original: ImportedModel,
        data: Data,
        definition: Definition,
        folder: Path,
        progress: Progress,
    ) -> None:
        self._recipe, self._subject, self._original = recipe, subject, original
        self._data, self._definition, self._progress = data, definition, progress
        self._stages = Stages(folder / "stages", definition.inputs)
        self._identity = subject_identity(subject if subject.torch is not None else subject.with_graph(original))
        self._cache = folder / "teachers" / _joined(self._identity, data.identity)
        self._cache.mkdir(parents=True, exist_ok=True)
        self._reused = 0

    def go(self) -> Made:
        subject, identity = self._subject, self._identity
        for number, step in enumerate(self._recipe.steps):
            if subject.kind not in step.TAKES:
                subject, identity = self._export(subject, identity)
            self._progress(f"{step.NAME} (step {number + 1} of {len(self._recipe.steps)})", 0, None)
            subject, identity = self._stage(subject, identity, step)
        subject, _ = self._export(subject, identity)
        return Made(self._original, subject.imported(), subject, self._data, self._reused)

    def _stage(self, subject: Subject, before: str, step: Step) -> tuple[Subject, str]:
        seed = self._recipe.data.seed
        identity = stage_identity(before, step, data=self._data.identity, seed=seed)
        kept = self._stages.find(identity)
        if kept is not None:
            self._reused += 1
            return kept, identity
        context = Context(
            original=self._subject,
            data=self._data,
            seed=seed,
            cache=self._cache,
            stage=self._stages.workplace(identity),
            progress=self._progress,
        )
        made = _applied(step, subject, context)
        self._stages.keep(identity, made)
        self._stages.clear(identity)
        return made, identity

    def _export(self, subject: Subject, before: str) -> tuple[Subject, str]:
        if subject.kind == "graph":
            return subject, before
        bound = self._recipe.bound
        identity = _joined(before, _EXPORT if bound is None else f"{_EXPORT} within {bound!r}")
        kept = self._stages.find(identity)
        if kept is not None:
            return kept, identity
        made = exported(subject, self._definition, self._data, bound=bound, progress=self._progress)
        self._stages.keep(identity, made)
        return made, identity


def _applied(step: Step, subject: Subject, context: Context) -> Subject:
    try:
        return step.apply(subject, context)
    except MemoryError as error:
        raise _out_of_memory(step) from error
    except RuntimeError as error:  # torch's own
        if "not enough memory" in str(error) or "can't allocate memory" in str(error):
            raise _out_of_memory(step) from error
        raise


def _out_of_memory(step: Step) -> ModelError:
    return ModelError(
        f"step {step.NAME}: out of memory; allowed: what this machine has; lower batch_rows, or close other programs; "
        "the stages before it are kept, and the next run goes on after them"
    )


def _joined(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]
