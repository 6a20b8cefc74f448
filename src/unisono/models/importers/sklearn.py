"""scikit-learn: pipelines, preprocessing and estimators, in float64.

What is used most is said here in operators that give the same bits everywhere (`sklearn_steps`, `sklearn_estimators`);
for the rest skl2onnx is asked. Whatever comes out is judged by the fitted model itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

import numpy as np
import polars as pl

from unisono.models.canonical import canonical
from unisono.models.emit import Emitter, value
from unisono.models.importers.base import (
    NUMBERS,
    Block,
    ImportedModel,
    comes_from,
    match_columns,
    matrix_of,
    not_fitted,
    refuse_other_dtypes,
)
from unisono.models.importers.huggingface import column_of
from unisono.models.importers.sklearn_estimators import emit_estimator, is_of_trees
from unisono.models.importers.sklearn_steps import emit_transformer, places_read
from unisono.models.importers.sklearn_table import Column, Table
from unisono.models.importers.sklearn_text import Words, counted_columns, texts_of, words_by_column
from unisono.models.tokenizer_files import files_of
from unisono.spec.types import DType

_MATRIX = "matrix"
_OTHERS = ("catboost", "lightgbm", "xgboost")  # theirs look like scikit-learn's


class Sklearn:
    """The importer of scikit-learn's estimators, alone or in a Pipeline; of LightGBM's at the end of one too."""

    def accepts(self, model: object) -> bool:
        """Whether this is a Pipeline or an estimator of scikit-learn's own."""
        return type(model).__module__.partition(".")[0] == "sklearn" or (
            comes_from(model, "sklearn") and not any(comes_from(model, library) for library in _OTHERS)
        )

    def import_model(
        self, model: Any, *, inputs: Mapping[str, DType], columns: Sequence[str] | None = None
    ) -> ImportedModel:
        """The model as a graph. Raises ModelError for what has no graph, and for columns that are not there."""
        names = _columns(model, inputs, columns)
        read = _read(model, names)
        texts = [name for name in read if inputs[name].name == "String"]
        words = words_by_column(model, names)
        numbers = tuple(name for name in read if name not in texts)
        refuse_other_dtypes(numbers, inputs, NUMBERS)
        blocks = ([Block(_MATRIX, numbers)] if numbers else []) + [_text_block(name, words) for name in texts]
        emit = Emitter()
        *steps, estimator = _flat(model)
        table = _inputs_table(names, numbers, words)
        for step in steps:
            table = emit_transformer(emit, step, table)
        meaning = emit_estimator(emit, estimator, table)
        return ImportedModel(
            task=meaning.task,
            classes=tuple(meaning.classes.tolist()),
            blocks=tuple(blocks),
            graph=canonical(emit.model([_input(block) for block in blocks], meaning.outputs()), {}),
            library=f"scikit-learn {_version()}",
            finite=is_of_trees(estimator),
            answer=lambda frame: meaning.answers(model, _frame(model, frame, names, read, inputs)),
            extras=_files(words),
        )


def _columns(model: Any, inputs: Mapping[str, DType], columns: Sequence[str] | None) -> tuple[str, ...]:
    known = getattr(model, "feature_names_in_", None)
    if known is not None:
        return match_columns([str(name) for name in known], inputs, columns)
    if _reads_one_text(model):
        return (column_of(inputs, columns),)
    count = getattr(model, "n_features_in_", None)
    if count is None:
        raise not_fitted(model)
    return match_columns([f"x{place}" for place in range(count)], inputs, columns)


def _reads_one_text(model: Any) -> bool:
    """Whether it was fitted on a list of texts, and not on a frame."""
    return not hasattr(model, "n_features_in_") and bool(counted_columns(model, ["text"]))


def _flat(model: Any) -> list[Any]:
    """The steps of a Pipeline, and of the Pipelines in it, one after the other."""
    if type(model).__name__ != "Pipeline":
        return [model]
    return [part for _, step in model.steps for part in _flat(step) if part not in (None, "passthrough")]


def _read(model: Any, names: Sequence[str]) -> tuple[str, ...]:
    """The columns that it does not drop at once; those that it drops may be of any dtype."""
    first = next(iter(_flat(model)), model)
    places = places_read(first, len(names))
    return tuple(name for place, name in enumerate(names) if place in places)


def _text_block(name: str, words: Mapping[str, Words]) -> Block:
    kind: Literal["tokens", "text"] = "tokens" if name in words else "text"
    return Block(f"{kind}.{name}", (name,), kind=kind)


def _files(words: Mapping[str, Words]) -> dict[str, bytes]:
    return {name: content for column, one in words.items() for name, content in files_of(column, one.tokenizer).items()}


def _input(block: Block) -> Any:
    if block.kind == "tokens":
        return value(block.name, np.int64, "N", "T")
    if block.kind == "text":
        return value(block.name, object, "N")
    return value(block.name, np.float64, "N", len(block.columns))


def _inputs_table(names: Sequence[str], numbers: Sequence[str], words: Mapping[str, Words]) -> Table:
    made = {name: Column(_MATRIX, place, len(numbers)) for place, name in enumerate(numbers)}
    return Table(
        tuple(made.get(name) or Column(_text_block(name, words).name, words=words.get(name)) for name in names)
    )


def _frame(
    model: Any, frame: pl.DataFrame, names: Sequence[str], read: Sequence[str], inputs: Mapping[str, DType]
) -> Any:
    """A frame as the model takes it: float64, NaN for null; 0 in columns that it drops; or a list of texts."""
    if _reads_one_text(model):
        return texts_of(frame.get_column(names[0]))
    numbers = [name for name in read if inputs[name].name != "String"]
    matrix = matrix_of(frame, numbers, inputs)
    columns = {name: pl.Series(matrix[:, place]) for place, name in enumerate(numbers)}
    columns |= {name: frame.get_column(name).fill_null("") for name in counted_columns(model, names)}
    columns |= {name: _texts(model, frame.get_column(name)) for name in read if name not in columns}
    columns |= {name: pl.zeros(frame.height, pl.Float64, eager=True) for name in names if name not in columns}
    known = getattr(model, "feature_names_in_", None)
    if known is not None:
        return pl.DataFrame([columns[name].alias(str(own)) for own, name in zip(known, names, strict=True)])
    return np.stack([columns[name].to_numpy() for name in names], axis=1) if len(numbers) < len(names) else matrix


def _texts(model: Any, column: pl.Series) -> pl.Series:
    """Texts as the model takes them: an empty one and a missing one are the same to the graph, so to the model too."""
    texts = column.cast(pl.String)
    if any("" in list(categories) for step in _steps_with_categories(model) for categories in step.categories_):
        return texts.fill_null("")
    return texts.set(texts == "", None)


def _steps_with_categories(model: Any) -> Iterator[Any]:
    parts = [one for _, one, *_ in getattr(model, "transformers_", ())]
    parts += [one for _, one in (*getattr(model, "steps", ()), *getattr(model, "transformer_list", ()))]
    for part in parts:
        yield from _steps_with_categories(part)
    if hasattr(model, "categories_"):
        yield model


def _version() -> str:
    import sklearn

    return str(sklearn.__version__)
