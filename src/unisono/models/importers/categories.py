"""The columns of a tree model: numbers, and texts that the model knows by the positions of their categories."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from onnx import TensorProto, ValueInfoProto

from unisono.models.emit import Emitter, value
from unisono.models.importers import base
from unisono.models.importers.base import NUMBERS, Block, refuse_other_dtypes
from unisono.spec.errors import ModelError
from unisono.spec.types import DType, Int64
from unisono.spec.wording import listing

MATRIX = "matrix"
"""The input of the graph that holds the numbers."""


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns of a model.

    names:  in training order.
    dtypes: theirs.
    texts:  column -> its categories in the order of their codes, where it is a column of strings.
    """

    names: tuple[str, ...]
    dtypes: tuple[DType, ...]
    texts: Mapping[str, tuple[str, ...]]

    @property
    def blocks(self) -> tuple[Block, ...]:
        """The inputs of the model's graph."""
        numbers = tuple(name for name in self.names if name not in self.texts)
        texts = [Block(text_input(name), (name,), kind="text") for name in self.texts]
        return (*([Block(MATRIX, numbers)] if numbers else []), *texts)

    @property
    def inputs(self) -> list[ValueInfoProto]:
        """The same as the graph declares them."""
        return [
            value(block.name, object, "N")
            if block.kind == "text"
            else value(block.name, np.float64, "N", len(block.columns))
            for block in self.blocks
        ]


def columns_of(names: Sequence[str], inputs: Mapping[str, DType], categories: Mapping[str, Sequence[Any]]) -> Columns:
    """The columns of a model.

    names:      in training order; all are among the inputs.
    categories: column -> what it was a category of, in the order of the codes that the model knows.

    Raises ModelError for columns that are no numbers, and for categories that a request cannot name.
    """
    texts = {}
    for name, known in categories.items():
        if inputs[name].name == "String":
            texts[name] = tuple(str(category) for category in known)
        elif list(known) != list(range(len(known))):
            raise ModelError(
                f'model: "{name}" is a category of {listing(known)}; allowed: categories of strings, or whole numbers '
                "from 0; derive codes with unisono.category"
            )
    ordered = {name: texts[name] for name in names if name in texts}
    refuse_other_dtypes([name for name in names if name not in texts], inputs, NUMBERS)
    return Columns(tuple(names), tuple(inputs[name] for name in names), ordered)


def emit_matrix(emit: Emitter, columns: Columns) -> str:
    """The matrix in training order; texts as the positions of their categories, NaN for one that is none."""
    if not columns.texts:
        return MATRIX
    plain = [name for name in columns.names if name not in columns.texts]
    parts = [MATRIX] if plain else []
    for name, texts in columns.texts.items():
        codes = emit(
            "LabelEncoder",
            text_input(name),
            domain="ai.onnx.ml",
            keys_strings=list(texts),
            values_floats=[float(code) for code in range(len(texts))],
            default_float=float("nan"),
        )
        parts.append(emit("Unsqueeze", emit("Cast", codes, to=TensorProto.DOUBLE), emit.constant(np.array([1]))))
    order = [*plain, *columns.texts]
    whole = emit("Concat", *parts, axis=1)
    return emit("Gather", whole, emit.constant(np.array([order.index(name) for name in columns.names])), axis=1)


def matrix_of(frame: pl.DataFrame, columns: Columns) -> NDArray[np.float64]:
    """A frame as the model takes it: a text as the position of its category, NaN where there is none."""
    codes = {
        name: frame.get_column(name)
        .cast(pl.String)
        .replace_strict({text: code for code, text in enumerate(texts)}, default=None, return_dtype=pl.Int64)
        for name, texts in columns.texts.items()
    }
    dtypes = {**dict(zip(columns.names, columns.dtypes, strict=True)), **dict.fromkeys(columns.texts, Int64)}
    return base.matrix_of(frame.with_columns(**codes), columns.names, dtypes)


def text_input(name: str) -> str:
    """The input of the graph that holds a column of strings."""
    return f"text.{name}"
