"""scikit-learn's preprocessing as operators: what each transformer does to a table of columns."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto

from unisono.models.emit import Emitter
from unisono.models.exponential import sum_in_order
from unisono.models.importers.sklearn_fallback import emit_by_skl2onnx
from unisono.models.importers.sklearn_table import Column, Table, side_by_side, table_of
from unisono.models.importers.sklearn_text import KINDS, emit_counts, emit_weights
from unisono.spec.errors import ModelError
from unisono.spec.wording import one_line

Step = Callable[[Emitter, Any, Table], Table]


def emit_transformer(emit: Emitter, step: Any, table: Table) -> Table:
    """The columns that a fitted transformer makes of others. Raises ModelError for one that has no graph."""
    if isinstance(step, str):
        return table if step == "passthrough" else Table(())
    rule = _STEPS.get(type(step).__name__)
    if rule is not None:
        return rule(emit, step, table)
    if hasattr(step, "get_support"):
        return table.select(np.flatnonzero(step.get_support()).tolist())
    outputs = emit_by_skl2onnx(emit, step, table.numbers(emit, reader=type(step).__name__), len(table))
    if len(outputs) > 1 and not hasattr(step, "cluster_centers_"):  # those say labels, then distances
        raise ModelError(
            f"model: {type(step).__name__} as a step; allowed: transformers that have a graph; "
            "use another one, e.g. PCA, or put it at the end"
        )
    return table_of(emit("Cast", outputs[-1], to=TensorProto.DOUBLE), len(step.get_feature_names_out()))


def _pipeline(emit: Emitter, step: Any, table: Table) -> Table:
    for _, part in step.steps:
        table = table if part is None else emit_transformer(emit, part, table)
    return table


def _column_transformer(emit: Emitter, step: Any, table: Table) -> Table:
    places = step._transformer_to_input_indices  # columns as numbers, whatever way they were named
    return side_by_side(
        emit_transformer(emit, part, table.select(places[name]))
        for name, part, _ in step.transformers_
        if len(places[name])
    )


def places_read(step: Any, count: int) -> set[int]:
    """Which of its columns a step reads: all, but those that a ColumnTransformer drops."""
    if type(step).__name__ != "ColumnTransformer":
        return set(range(count))
    places = step._transformer_to_input_indices
    kept = [name for name, part, _ in step.transformers_ if not (isinstance(part, str) and part == "drop")]
    return {int(place) for name in kept for place in places[name]}


def _feature_union(emit: Emitter, step: Any, table: Table) -> Table:
    return side_by_side(emit_transformer(emit, part, table) for _, part in step.transformer_list)


def _function(emit: Emitter, step: Any, table: Table) -> Table:
    if step.func is not None:
        raise ModelError(
            f"model: FunctionTransformer of {one_line(step.func)}; allowed: no function of Python's; "
            "write it as a @unisono.transform of the predictor"
        )
    return table


def _arithmetic(*parts: tuple[str, str, str]) -> Step:
    """parts: operator, attribute with its numbers, and the parameter that turns it on ("" for always)."""

    def rule(emit: Emitter, step: Any, table: Table) -> Table:
        matrix = table.numbers(emit, reader=type(step).__name__)
        for operator, attribute, switch in parts:
            numbers = getattr(step, attribute, None)
            if numbers is not None and (not switch or getattr(step, switch)):
                matrix = emit(operator, matrix, emit.constant(np.asarray(numbers, np.float64)))
        return table_of(matrix, len(table))

    return rule


def _min_max(emit: Emitter, step: Any, table: Table) -> Table:
    scaled = _arithmetic(("Mul", "scale_", ""), ("Add", "min_", ""))(emit, step, table)
    if not step.clip:
        return scaled
    low, high = (emit.constant(float(limit)) for limit in step.feature_range)
    return table_of(emit("Clip", scaled.numbers(emit, reader="MinMaxScaler"), low, high), len(table))


def _imputer(emit: Emitter, step: Any, table: Table) -> Table:
    if step.add_indicator:
        raise ModelError("model: SimpleImputer with add_indicator; allowed: without; derive it with unisono.is_null")
    if any(column.place is None for column in table.columns):
        return Table(tuple(_filled(emit, *pair) for pair in zip(table.columns, step.statistics_, strict=True)))
    marker = step.missing_values
    if not (isinstance(marker, float) and np.isnan(marker)):
        raise ModelError(f"model: SimpleImputer of {marker!r}; allowed: of NaN; fit it with missing_values=np.nan")
    statistics = np.asarray(step.statistics_, np.float64)
    kept = np.arange(len(table)) if step.keep_empty_features else np.flatnonzero(~np.isnan(statistics))
    matrix = table.select(kept.tolist()).numbers(emit, reader="SimpleImputer")
    filled = emit("Where", emit("IsNaN", matrix), emit.constant(statistics[kept]), matrix)
    return table_of(filled, len(kept))


def _filled(emit: Emitter, column: Column, filling: object) -> Column:
    if column.place is not None:
        raise ModelError("model: SimpleImputer of strings and numbers; allowed: one kind; use one for each")
    missing = emit("Equal", column.tensor, emit.constant(np.array("", object)))
    return Column(emit("Where", missing, emit.constant(np.array(str(filling), object)), column.tensor))


def _one_hot(emit: Emitter, step: Any, table: Table) -> Table:
    if any(one is not None for one in getattr(step, "infrequent_categories_", None) or [None]):
        raise ModelError("model: OneHotEncoder with infrequent categories; allowed: without; leave min_frequency out")
    dropped = step.drop_idx_ if step.drop_idx_ is not None else [None] * len(table)
    tables = []
    for column, categories, gone in zip(table.columns, step.categories_, dropped, strict=True):
        kept = np.delete(categories, gone) if gone is not None else categories
        tables.append(table_of(emit("Cast", _is_category(emit, column, kept), to=TensorProto.DOUBLE), len(kept)))
    return side_by_side(tables)


def _is_category(emit: Emitter, column: Column, categories: NDArray[Any]) -> str:
    """Booleans, rows x categories."""
    first = emit.constant(np.array([1]))
    if column.place is None:
        names = np.array([_text(name) for name in categories], object)
        if len(set(names)) < len(names):
            raise ModelError(
                "model: categories with an empty text and a missing one; allowed: one of the two; "
                'fit it on a column where they are the same, e.g. .fill_null("")'
            )
        return emit("Equal", emit("Unsqueeze", column.tensor, first), emit.constant(names.reshape(1, -1)))
    numbers = np.asarray(categories, np.float64).reshape(1, -1)
    values = Table((column,)).numbers(emit, reader="encoder")
    equal = emit("Equal", values, emit.constant(numbers))
    if not np.isnan(numbers).any():
        return equal
    return emit("Or", equal, emit("And", emit("IsNaN", values), emit.constant(np.isnan(numbers))))


def _text(name: object) -> str:
    """A category as text; a missing one is "", as a null is in the graph."""
    return "" if name is None or name != name else str(name)


def _words(emit: Emitter, step: Any, table: Table) -> Table:
    (column,) = table.columns
    if column.words is None:
        raise ModelError(f"model: {type(step).__name__} of numbers; allowed: of a String column; fit it on one")
    return table_of(emit_counts(emit, step, column.tensor, column.words), len(step.vocabulary_))


def _term_weights(emit: Emitter, step: Any, table: Table) -> Table:
    return table_of(emit_weights(emit, step, table.numbers(emit, reader="TfidfTransformer")), len(table))


def _ordinal(emit: Emitter, step: Any, table: Table) -> Table:
    if any(one is not None for one in getattr(step, "infrequent_categories_", None) or [None]):
        raise ModelError("model: OrdinalEncoder with infrequent categories; allowed: without; leave min_frequency out")
    unknown = np.nan if step.unknown_value is None else float(step.unknown_value)
    missing = float(step.encoded_missing_value)
    tables = []
    for column, categories in zip(table.columns, step.categories_, strict=True):
        codes = np.arange(len(categories), dtype=np.float64)
        codes[[name is None or name != name for name in categories]] = missing
        tables.append(table_of(_coded(emit, _is_category(emit, column, categories), codes, unknown), 1))
    return side_by_side(tables)


def _coded(emit: Emitter, is_category: str, codes: NDArray[np.float64], unknown: float) -> str:
    """The code of the category that is true in each row, rows x 1."""
    place = emit("ArgMax", emit("Cast", is_category, to=TensorProto.INT64), axis=1, keepdims=1)
    known = emit("GatherElements", is_category, place, axis=1)
    return emit("Where", known, emit("Gather", emit.constant(codes), place), emit.constant(unknown))


def _components(emit: Emitter, step: Any, table: Table) -> Table:
    """PCA and its relatives: (x - mean) times the components, each sum from the first column to the last."""
    matrix = table.numbers(emit, reader=type(step).__name__)
    mean = getattr(step, "mean_", None)
    if mean is not None:
        matrix = emit("Sub", matrix, emit.constant(np.asarray(mean, np.float64)))
    made = product(emit, matrix, np.asarray(step.components_, np.float64))
    if getattr(step, "whiten", False):
        made = emit("Div", made, emit.constant(np.sqrt(step.explained_variance_)))
    return table_of(made, len(step.components_))


def _linear_scores(emit: Emitter, step: Any, table: Table) -> Table:
    """Of a model that `unisono.compress` has taught: weighted sums of columns."""
    scores = product(emit, table.numbers(emit, reader="LinearScores"), np.asarray(step.coef, np.float64))
    return table_of(emit("Add", scores, emit.constant(np.asarray(step.intercept, np.float64))), len(step.coef))


def product(emit: Emitter, matrix: str, rows: NDArray[np.float64]) -> str:
    """A matrix times the transpose of another, each sum from the first column to the last; MatMul promises no order.

    rows: outputs x columns. Returns rows x outputs.
    """
    if len(rows) == 1:
        return sum_in_order(emit, emit("Mul", matrix, emit.constant(rows)), axis=1)
    products = emit("Mul", emit("Unsqueeze", matrix, emit.constant(np.array([1]))), emit.constant(rows[np.newaxis]))
    return emit("Squeeze", sum_in_order(emit, products, axis=2), emit.constant(np.array([2])))


_STEPS: Mapping[str, Step] = {
    "Pipeline": _pipeline,
    "ColumnTransformer": _column_transformer,
    "FeatureUnion": _feature_union,
    "FunctionTransformer": _function,
    "StandardScaler": _arithmetic(("Sub", "mean_", "with_mean"), ("Div", "scale_", "with_std")),
    "RobustScaler": _arithmetic(("Sub", "center_", "with_centering"), ("Div", "scale_", "with_scaling")),
    "MaxAbsScaler": _arithmetic(("Div", "scale_", "")),
    "MinMaxScaler": _min_max,
    "SimpleImputer": _imputer,
    "OneHotEncoder": _one_hot,
    "OrdinalEncoder": _ordinal,
    "PCA": _components,
    "TruncatedSVD": _components,
    **dict.fromkeys(KINDS, _words),
    "TfidfTransformer": _term_weights,
    "LinearScores": _linear_scores,
}
"""Class -> what it does; any other is asked of skl2onnx."""
