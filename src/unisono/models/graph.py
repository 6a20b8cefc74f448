"""Joins a predictor's transforms and its fitted model into one graph."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
import onnx
import spox
import spox.opset.ai.onnx.v21

from unisono.models.canonical import canonical
from unisono.models.columns import representation
from unisono.models.importers.base import NUMBERS, Block, ImportedModel
from unisono.models.names import FEATURES, REQUEST, input_name, is_null_name, null_name, tokens_name
from unisono.models.predictor_graph import METADATA_KEY, ROWS_KEY, Description, PredictorGraph, graph_of
from unisono.models.rows import mixed_rows
from unisono.models.session import OPTIMISATION
from unisono.models.traced import TracedTransform
from unisono.spec.errors import ModelError
from unisono.spec.predictor import Predictor
from unisono.spec.types import DType, String
from unisono.spec.types import Tensor as TensorType
from unisono.spec.wording import did_you_mean, listing

Var = Any  # spox's own types are not exported, nor are all of its operators
op: Any = spox.opset.ai.onnx.v21


def build_graph(
    predictor: Predictor, traced: Sequence[TracedTransform], imported: ImportedModel, feature_names: Sequence[str]
) -> PredictorGraph:
    """A predictor's one graph.

    traced:        its own transforms, traced.
    imported:      its fitted model; its columns are chosen by name out of request, features and derived columns.
    feature_names: the columns of the feature matrix, in order.

    The bytes are the same for the same parts. Raises ModelError if the model reads what is not there, or two columns
    have one name.
    """
    join = _Join(predictor, feature_names)
    for transform in traced:
        join.add_transform(transform)
    outputs = join.outputs(imported)
    model = _with_optional_nulls(spox.build(join.arguments, outputs, drop_unused_inputs=True))
    told = join.description(model, imported)
    metadata = {METADATA_KEY: msgspec.json.encode(told, order="sorted").decode()}
    graph = canonical(model, metadata)
    if told.tokenized or mixed_rows(graph) is not None:
        # Rows of as many tokens as each text has, or some operator of an imported model that depends on the batch.
        graph = canonical(model, {**metadata, ROWS_KEY: "one"})
    return graph_of(graph, told, imported.extras)


def _with_optional_nulls(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same graph, which takes a single row to have no nulls where nothing is said: an input costs 0.7 us a call."""
    nulls = [one.name for one in model.graph.input if is_null_name(one.name)]
    present = np.zeros(1, np.bool_)
    model.graph.initializer.extend(onnx.numpy_helper.from_array(present, name) for name in nulls)
    return model


class _Join:
    """The columns that there are while a graph is being joined."""

    def __init__(self, predictor: Predictor, feature_names: Sequence[str]) -> None:
        self._predictor = predictor
        self._features = tuple(feature_names)
        self._matrix = spox.argument(spox.Tensor(np.float64, ("N", len(self._features))))
        self.arguments: dict[str, Var] = {FEATURES: self._matrix}
        self._dtypes: dict[str, DType] = {}
        self._columns: dict[str, tuple[Var, Var | None]] = {}
        self._derived: dict[str, DType] = {}
        for column, dtype in predictor.columns.items():
            self._add_argument(column, dtype)
        self._refuse_twins(self._features, "a feature")

    def _add_argument(self, column: str, dtype: DType) -> None:
        name = input_name(REQUEST, column)
        kind = representation(dtype).tensor
        if isinstance(dtype, TensorType):  # never null
            self.arguments[name] = spox.argument(spox.Tensor(kind, ("N", *dtype.shape)))
            self._columns[column], self._dtypes[column] = (self.arguments[name], None), dtype
            return
        values = spox.argument(spox.Tensor(np.str_ if kind is object else kind, ("N",)))
        nulls = spox.argument(spox.Tensor(np.bool_, ("N",)))
        self.arguments[name], self.arguments[null_name(name)] = values, nulls
        self._columns[column] = (values, nulls)
        self._dtypes[column] = dtype

    def _refuse_twins(self, names: Sequence[str], what: str) -> None:
        for name in names:
            if name in self._columns or (what != "a feature" and name in self._features):
                raise ModelError(
                    f'predictor {self._predictor.name}: "{name}" is {what} and a column of another kind; '
                    "allowed: each name once; rename one"
                )

    def add_transform(self, transform: TracedTransform) -> None:
        """Takes in the columns that a transform makes."""
        self._refuse_twins(tuple(transform.outputs), f"made by transform {transform.name}")
        model = onnx.load_model_from_string(transform.graph)
        available = {**self.arguments, **self._feature_columns(transform)}
        needed = [one.name for one in model.graph.input]
        missing = [name for name in needed if name not in available]
        if missing:
            raise ModelError(
                f"transform {transform.name}: reads {listing(missing)}, which is not there; "
                f"allowed: {listing(sorted(available))}; trace it again"
            )
        made = spox.inline(model)(**{name: available[name] for name in needed})
        for name, dtype in transform.outputs.items():
            self._columns[name] = (made[name], made.get(null_name(name)))
            self._dtypes[name] = self._derived[name] = dtype

    def _feature_columns(self, transform: TracedTransform) -> dict[str, Var]:
        found: dict[str, Var] = {}
        for column in transform.reads.get(FEATURES, {}):
            if column in self._features:
                name = input_name(FEATURES, column)
                found[name] = op.gather(self._matrix, _constant(self._features.index(column)), axis=1)
                found[null_name(name)] = op.isnan(found[name])
        return found

    def outputs(self, imported: ImportedModel) -> dict[str, Var]:
        """What the model answers."""
        self._refuse_missing(imported)
        blocks = {block.name: self._block(block) for block in imported.blocks}
        answers = dict(spox.inline(onnx.load_model_from_string(imported.graph))(**blocks))
        return answers if imported.finite else {name: _with_one_nan(one) for name, one in answers.items()}

    def _refuse_missing(self, imported: ImportedModel) -> None:
        known = [*self._columns, *self._features]
        lines = [
            f'model: reads "{name}", which is not there; {did_you_mean(name, known)}'
            for name in imported.columns
            if name not in known
        ]
        if lines:
            raise ModelError("\n".join([*lines, f"allowed: {listing(known)}"]))

    def _block(self, block: Block) -> Var:
        match block.kind:
            case "text":
                return self._text(block.columns[0])
            case "tokens":
                return self._tokens(block.columns[0])
            case "tensor":
                return self._tensor(block.columns[0])
        return self._numbers(block.columns)

    def _text(self, column: str) -> Var:
        if column in self._features or self._dtypes[column].name != "String":
            raise ModelError(f'model: reads "{column}" as text; allowed: a String column; fit it on one')
        values, nulls = self._columns[column]
        return values if nulls is None else op.where(nulls, op.const(np.array("", np.str_)), values)

    def _tokens(self, column: str) -> Var:
        """The token ids of a text of the request, of one row at a time."""
        if self._predictor.columns.get(column) != String:
            raise ModelError(
                f'model: reads "{column}" through a tokenizer; allowed: a String column of the request; send the text'
            )
        name = tokens_name(input_name(REQUEST, column))
        if name not in self.arguments:
            self.arguments[name] = spox.argument(spox.Tensor(np.int64, ("N", "T")))
        return self.arguments[name]

    def _tensor(self, column: str) -> Var:
        if column in self._features or not isinstance(self._dtypes[column], TensorType):
            raise ModelError(f'model: reads "{column}" as a tensor; allowed: a Tensor column; declare it as one')
        return self._columns[column][0]

    def _numbers(self, columns: Sequence[str]) -> Var:
        """A matrix of columns: the feature matrix and the others side by side, then put in order."""
        others = [name for name in columns if name not in self._features]
        featured = len(others) < len(columns)
        parts = ([self._matrix] if featured else []) + [self._number(name) for name in others]
        order = [*(self._features if featured else ()), *others]
        whole = parts[0] if len(parts) == 1 else op.concat(parts, axis=1)
        if order == list(columns):
            return whole
        return op.gather(whole, op.const(np.array([order.index(name) for name in columns])), axis=1)

    def _number(self, column: str) -> Var:
        if self._dtypes[column].name not in NUMBERS:
            raise ModelError(
                f'model: reads "{column}", which is {self._dtypes[column]}, as a number; allowed: {listing(NUMBERS)}; '
                "derive a number from it, e.g. with unisono.category"
            )
        values, nulls = self._columns[column]
        if values.unwrap_tensor().dtype != np.float64:
            values = op.cast(values, to=np.float64)
        if nulls is not None:
            values = op.where(nulls, op.const(np.float64(np.nan)), values)
        return op.unsqueeze(values, _constant([1]))

    def description(self, model: onnx.ModelProto, imported: ImportedModel) -> Description:
        """What the graph says of itself."""
        needed = {one.name for one in model.graph.input}
        reads = {column: str(dtype) for column, dtype in self._predictor.columns.items() if needed & _inputs_of(column)}
        return Description(
            predictor=self._predictor.name,
            task=imported.task,
            classes=list(imported.classes),
            features=list(self._features),
            request=reads,
            derived={name: str(dtype) for name, dtype in self._derived.items()},
            library=imported.library,
            optimisation=OPTIMISATION,
            tokenized=[column for column in reads if tokens_name(input_name(REQUEST, column)) in needed],
        )


def _inputs_of(column: str) -> set[str]:
    name = input_name(REQUEST, column)
    return {name, null_name(name), tokens_name(name)}


def _with_one_nan(answer: Var) -> Var:
    """The bits of a NaN depend on where in a batch it was computed, so all get the same."""
    kind = answer.unwrap_tensor().dtype
    if kind not in (np.float64, np.float32):
        return answer
    return op.where(op.isnan(answer), op.const(np.array(np.nan, kind)), answer)


def _constant(value: int | list[int]) -> Var:
    return op.const(np.array(value, np.int64))
