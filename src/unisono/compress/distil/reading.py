"""Which columns a teacher reads, and as what: a student that is no module reads the same ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from unisono.compress.context import Context
from unisono.compress.subject import Subject
from unisono.models import import_model
from unisono.models.importers.base import NUMBERS, ImportedModel, matrix_of
from unisono.models.tokenizer_files import tokenizers_of
from unisono.spec.errors import ModelError
from unisono.spec.types import DType
from unisono.spec.wording import listing


@dataclass(frozen=True, slots=True)
class Reading:
    """Columns by what a student makes of them.

    numbers:    as they are.
    categories: strings, one column a value.
    texts:      strings, counted word by word.
    """

    numbers: tuple[str, ...]
    categories: tuple[str, ...]
    texts: tuple[str, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """All of them."""
        return (*self.numbers, *self.categories, *self.texts)


def reading_of(subject: Subject, context: Context) -> Reading:
    """What a model reads. Raises ModelError if it is nothing that trees or a linear model can."""
    inputs = context.data.inputs
    columns, texts = _columns(subject, inputs)
    numbers = tuple(name for name in columns if inputs[name].name in NUMBERS)
    strings = [name for name in columns if inputs[name].name == "String"]
    others = [f'"{name}" is {inputs[name]}' for name in columns if name not in numbers and name not in strings]
    if others or not columns:
        raise ModelError(
            f"distil: the teacher reads {listing(others) or 'nothing'}; allowed: {listing([*NUMBERS, 'String'])}; "
            'choose student = "layers" or "module"'
        )
    return Reading(
        numbers, tuple(name for name in strings if name not in texts), tuple(name for name in strings if name in texts)
    )


def _columns(subject: Subject, inputs: Mapping[str, DType]) -> tuple[tuple[str, ...], set[str]]:
    """Every column, and those that it reads through a tokenizer."""
    if subject.torch is not None:
        columns = subject.torch.columns
        return columns, set() if subject.torch.tokenizer is None else set(columns)
    imported = subject.graph
    if imported is None:
        imported = import_model(subject.ensemble, inputs=inputs, columns=subject.columns)
    return imported.columns, _tokenized(imported)


def _tokenized(imported: ImportedModel) -> set[str]:
    return set(tokenizers_of(imported.extras))


def frame_of(frame: pl.DataFrame, reading: Reading, inputs: Mapping[str, DType]) -> pl.DataFrame:
    """Rows as scikit-learn takes them, and as its importer gives them to the fitted model.

    Numbers are float64 with NaN for null; strings have "" for null.
    """
    matrix = matrix_of(frame, reading.numbers, inputs)
    numbers = [pl.Series(name, matrix[:, place]) for place, name in enumerate(reading.numbers)]
    strings = [frame.get_column(name).cast(pl.String).fill_null("") for name in (*reading.categories, *reading.texts)]
    return pl.DataFrame([*numbers, *strings])
