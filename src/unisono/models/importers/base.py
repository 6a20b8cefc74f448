"""What an importer gives: a fitted model as a graph, and the model itself to judge the graph by."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import numpy as np
import polars as pl
from numpy.typing import NDArray
from onnx import ValueInfoProto

from unisono.models.columns import encode
from unisono.models.emit import Emitter, value
from unisono.models.names import PREDICTION, PROBABILITIES, PROBABILITY
from unisono.spec.errors import ModelError
from unisono.spec.types import DType
from unisono.spec.wording import did_you_mean, listing

Tensor = NDArray[Any]
Answers = Mapping[str, Tensor]
Task = Literal["regression", "binary", "multiclass", "outputs"]

NUMBERS = ("Int64", "Float64", "Bool", "Decimal")
"""Names of the dtypes that enter a matrix."""

_NAMELESS = re.compile(r"(Column_|x|f)?\d+")


@dataclass(frozen=True, slots=True)
class Block:
    """One input of a model's graph.

    name:    the input's.
    columns: what it is made of, in order.
    kind:    what the graph gets of them: "matrix": numbers as float64, rows x columns, null is NaN; "text": one column
             of strings, null is ""; "tokens": the token ids of one String column of the request, int64, 1 x length,
             null is ""; "tensor": one Tensor column of the request as it is.
    """

    name: str
    columns: tuple[str, ...]
    kind: Literal["matrix", "text", "tokens", "tensor"] = "matrix"


@dataclass(frozen=True, slots=True)
class ImportedModel:
    """A fitted model as a graph.

    task:    what its outputs are: `prediction`, one number a row, or a row of them; for "binary" also `probability`,
             of the second class; for "multiclass" also `probabilities`, one a class; for "outputs" whatever the graph
             names, each with one row a request (labels and scores, embeddings, the outputs of an existing graph).
    classes: the labels in order; empty where there are none.
    blocks:  the inputs of the graph.
    graph:   the bytes of an ONNX model.
    library: what fitted it, e.g. "lightgbm 4.7.0".
    finite:  whether none of its numbers is ever NaN, as those of trees.
    answer:  what the fitted model itself says of a frame that has all its columns; the graph is judged by it.
    extras:  files that travel with the graph, by their name in the artifact: those of a tokenizer.
    """

    task: Task
    classes: tuple[Any, ...]
    blocks: tuple[Block, ...]
    graph: bytes = field(repr=False)
    library: str
    finite: bool
    answer: Callable[[pl.DataFrame], Answers] = field(repr=False)
    extras: Mapping[str, bytes] = field(default_factory=dict, repr=False)

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column that it needs, each once."""
        return tuple(dict.fromkeys(column for block in self.blocks for column in block.columns))


class Importer(Protocol):
    """Knows the models of one library. It may import the library in `import_model`, not before."""

    def accepts(self, model: object) -> bool:
        """Whether this is a model of the library."""
        ...

    def import_model(
        self, model: object, *, inputs: Mapping[str, DType], columns: Sequence[str] | None
    ) -> ImportedModel:
        """The model as a graph. Raises ModelError."""
        ...


def comes_from(model: object, library: str) -> bool:
    """Whether a model's class, or one that it is derived from, is of a library; without importing that."""
    return any(kind.__module__.partition(".")[0] == library for kind in type(model).__mro__)


def not_fitted(model: object) -> ModelError:
    """What is said of a model that was never fitted."""
    return ModelError(f"model: {type(model).__name__} is not fitted; allowed: a fitted one; call fit")


def match_columns(names: Sequence[str], inputs: Mapping[str, DType], columns: Sequence[str] | None) -> tuple[str, ...]:
    """The columns of a model, in training order.

    names:   as the model knows them; they may be made up by its library ("Column_0").
    inputs:  what there is.
    columns: what the user says they are.

    Raises ModelError that lists every name that is not among the inputs.
    """
    if columns is None and names and all(_NAMELESS.fullmatch(name) and name not in inputs for name in names):
        raise ModelError(
            f"model: fitted on a matrix of {len(names)} columns without names; allowed: named columns; fit it on a "
            "frame, or say columns=[...] in training order"
        )
    chosen = tuple(names if columns is None else columns)
    if len(chosen) != len(names):
        raise ModelError(
            f"model: {len(names)} columns; allowed: as many as columns= names ({len(chosen)}); name them all"
        )
    missing = [name for name in chosen if name not in inputs]
    if missing:
        lines = [f'model: reads "{name}", which is not there; {did_you_mean(name, inputs)}' for name in missing]
        raise ModelError("\n".join([*lines, f"allowed: {listing(inputs)}"]))
    return chosen


def refuse_other_dtypes(columns: Sequence[str], inputs: Mapping[str, DType], allowed: Sequence[str]) -> None:
    """Raises ModelError for columns that are no numbers (or whatever is allowed)."""
    wrong = [f'"{name}" is {inputs[name]}' for name in columns if inputs[name].name not in allowed]
    if wrong:
        raise ModelError(
            f"model: {listing(wrong)}; allowed: {listing(allowed)}; fit it without such columns, or derive a number "
            "from it, e.g. with unisono.category"
        )


def matrix_of(frame: pl.DataFrame, columns: Sequence[str], inputs: Mapping[str, DType]) -> NDArray[np.float64]:
    """Columns of numbers as the float64 matrix that a model's graph takes: null is NaN."""
    matrix = np.empty((frame.height, len(columns)))
    for index, name in enumerate(columns):
        values, nulls = encode(frame.get_column(name), inputs[name], place="sample")
        matrix[:, index] = np.where(nulls, np.nan, values.astype(np.float64))
    return matrix


def class_array(classes: Sequence[Any]) -> Tensor:
    """Labels as a tensor: whole numbers, floats, booleans or strings.

    Raises ModelError for labels of other kinds.
    """
    labels = np.asarray(classes)
    if labels.dtype.kind in "iu":
        return labels.astype(np.int64)
    if labels.dtype.kind == "f":
        return labels.astype(np.float64)
    if labels.dtype.kind == "b":
        return labels
    if all(isinstance(label, str) for label in classes):
        return np.array([str(label) for label in classes], dtype=object)
    raise ModelError(f"model: labels {listing(classes)}; allowed: numbers, booleans or strings; fit it on such labels")


def emit_labels(emit: Emitter, place: str, classes: Tensor) -> None:
    """Names the label at a place (int64, one a row) as the prediction."""
    emit.rename(emit("Gather", emit.constant(classes), place), PREDICTION)


def emit_either_label(emit: Emitter, is_second: str, classes: Tensor) -> None:
    """Names the second label as the prediction where something is true, and the first elsewhere."""
    if classes.dtype == np.bool_:  # onnxruntime has no Where of booleans
        emit.rename(is_second, PREDICTION)
        return
    first, second = (emit.constant(classes[place]) for place in (0, 1))
    emit.rename(emit("Where", is_second, second, first), PREDICTION)


def labelled(task: Task, probabilities: Tensor, classes: Tensor) -> Answers:
    """The answers of a classifier from its probabilities, rows x classes: the first of the most probable classes."""
    shown = {PROBABILITY: probabilities[:, 1]} if task == "binary" else {PROBABILITIES: probabilities}
    return {PREDICTION: classes[probabilities.argmax(axis=1)], **shown}


def outputs_of(task: str, classes: Tensor, *, numbers: int = 1) -> list[ValueInfoProto]:
    """The outputs of a model's graph; for the task "outputs" the importer says them itself.

    numbers: how many a regression gives for a row; one is a column, more are a matrix.
    """
    if task == "regression":
        return [value(PREDICTION, np.float64, "N", *([numbers] if numbers > 1 else []))]
    labels = value(PREDICTION, classes.dtype.type if classes.dtype != object else object, "N")
    if task == "binary":
        return [labels, value(PROBABILITY, np.float64, "N")]
    return [labels, value(PROBABILITIES, np.float64, "N", len(classes))]
