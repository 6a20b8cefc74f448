"""CatBoost: its trees over float32 numbers, categories and statistics of categories, its sums in float64.

A fitted model knows its categories by their hashes only, so one that has some must bring their texts: see `CATEGORIES`.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray

from unisono.models import exponential
from unisono.models.canonical import canonical
from unisono.models.emit import Emitter
from unisono.models.importers import catboost_trees
from unisono.models.importers.base import (
    NUMBERS,
    Answers,
    ImportedModel,
    Task,
    Tensor,
    class_array,
    comes_from,
    emit_either_label,
    emit_labels,
    labelled,
    match_columns,
    matrix_of,
    not_fitted,
    outputs_of,
    refuse_other_dtypes,
)
from unisono.models.importers.catboost_features import Features
from unisono.models.importers.categories import MATRIX, Columns, text_input
from unisono.models.names import PREDICTION, PROBABILITIES, PROBABILITY
from unisono.spec.errors import ModelError
from unisono.spec.types import DType
from unisono.spec.wording import listing

CATEGORIES = "unisono.categories"
"""Where a model's metadata holds the texts of its categories: JSON, column -> list."""


class CatBoost:
    """The importer of CatBoost models: CatBoost, CatBoostClassifier, CatBoostRegressor, CatBoostRanker."""

    def accepts(self, model: object) -> bool:
        """Whether this is one of them."""
        return comes_from(model, "catboost")

    def import_model(
        self, model: object, *, inputs: Mapping[str, DType], columns: Sequence[str] | None = None
    ) -> ImportedModel:
        """The model as a graph. Raises ModelError for what has no graph, and for columns that are not there."""
        fitted = read(model, inputs, columns)
        emit = Emitter()
        task = emit_model(emit, fitted, MATRIX, {name: text_input(name) for name in fitted.columns.texts})
        outputs = outputs_of(task, fitted.classes, numbers=fitted.outputs)
        return ImportedModel(
            task=task,
            classes=() if task == "regression" else tuple(fitted.classes.tolist()),
            blocks=fitted.columns.blocks,
            graph=canonical(emit.model(fitted.columns.inputs, outputs), {}),
            library=f"catboost {_version()}",
            finite=True,
            answer=lambda frame: fitted.answer(_table(frame, fitted.columns)),
        )


@dataclass(frozen=True, slots=True)
class Fitted:
    """What is known of a fitted model.

    model:   CatBoost's own object.
    loss:    the name of what it was fitted for.
    dump:    the model as CatBoost writes it in JSON.
    columns: in training order.
    hashes:  category -> its hash.
    classes: labels; empty if it gives numbers.
    """

    model: Any
    loss: str
    dump: Mapping[str, Any]
    columns: Columns
    hashes: Mapping[str, int]
    classes: Tensor

    @property
    def outputs(self) -> int:
        """How many raw scores it gives for a row."""
        return len(self.dump["scale_and_bias"][1])

    def answer(self, table: NDArray[Any]) -> Answers:
        """What CatBoost says of rows."""
        import catboost

        places = [self.columns.names.index(name) for name in self.columns.texts]
        pool = catboost.Pool(table, cat_features=places, thread_count=1)
        kind = _ANSWERS.get(self.loss, "RawFormulaVal")
        answer = catboost.CatBoost.predict(self.model, pool, prediction_type=kind, thread_count=1)
        if not len(self.classes):
            return {PREDICTION: np.asarray(answer, np.float64)}
        return labelled("binary" if len(self.classes) == 2 else "multiclass", answer, self.classes)


def read(model: Any, inputs: Mapping[str, DType], columns: Sequence[str] | None) -> Fitted:
    """What is known of a CatBoost model. Raises ModelError."""
    if not model.is_fitted():
        raise not_fitted(model)
    if model.get_text_feature_indices() or model.get_embedding_feature_indices():
        raise ModelError(
            "model: text or embedding features; allowed: numbers and categories; "
            "fit it without text_features and embedding_features"
        )
    own = [str(name) for name in model.feature_names_]
    chosen = match_columns(own, inputs, columns)
    places = model.get_cat_feature_indices()
    texts = {chosen[place]: categories for place, categories in _categories(model, own, places).items()}
    refuse_other_dtypes([name for name in chosen if name not in texts], inputs, NUMBERS)
    refuse_other_dtypes(list(texts), inputs, ("String",))
    dump = _dump(model, [texts.get(name) for name in chosen])
    loss = _loss(dump)
    known = dump["features_info"].get("cat_features_hash") or []
    return Fitted(
        model=model,
        loss=loss,
        dump=dump,
        columns=Columns(chosen, tuple(inputs[name] for name in chosen), texts),
        hashes={str(one["value"]): int(one["hash"]) for one in known},
        classes=class_array(list(model.classes_)) if loss in _CLASSIFIERS else np.empty(0),
    )


def _categories(model: Any, names: Sequence[str], places: Sequence[int]) -> Mapping[int, tuple[str, ...]]:
    """The texts of each categorical column, by its place. Raises ModelError if the model does not bring them."""
    if not places:
        return {}
    metadata = model.get_metadata()
    known = msgspec.json.decode(metadata[CATEGORIES]) if CATEGORIES in metadata.keys() else {}  # noqa: SIM118
    missing = [names[place] for place in places if names[place] not in known]
    if missing:
        raise ModelError(
            f"model: the categories of {listing(missing)} are known by their hashes only; allowed: with their texts; "
            'register the file that model.save_model("model.json", format="json", pool=pool) writes, or say '
            f'model.get_metadata()["{CATEGORIES}"] = json.dumps({{column: texts}})'
        )
    return {place: tuple(dict.fromkeys(map(str, known[names[place]]))) for place in places}


def _dump(model: Any, categories: Sequence[tuple[str, ...] | None]) -> Mapping[str, Any]:
    """The model in JSON, with the hashes of the categories."""
    import catboost

    rows = max((len(texts) for texts in categories if texts), default=0)
    columns = [[0.0] * rows if texts is None else [*texts, *[texts[0]] * (rows - len(texts))] for texts in categories]
    places = [place for place, texts in enumerate(categories) if texts is not None]
    table = np.array(columns, object).T
    pool = catboost.Pool(table, cat_features=places, feature_names=model.feature_names_) if places else None
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.json"
        model.save_model(str(path), format="json", pool=pool)
        dump: Mapping[str, Any] = msgspec.json.decode(path.read_bytes())
    return dump


def _loss(dump: Mapping[str, Any]) -> str:
    """The name of the loss. Raises ModelError if its predictions are none that we know."""
    found = dump["model_info"]["params"]
    parameters = msgspec.json.decode(found) if isinstance(found, str) else found
    name = str(parameters["loss_function"]["type"])
    if name not in (*_CLASSIFIERS, *_NUMBERS):
        raise ModelError(
            f'model: loss "{name}"; allowed: {listing([*_CLASSIFIERS, *_NUMBERS])}; fit it with one of them'
        )
    return name


def _table(frame: pl.DataFrame, columns: Columns) -> NDArray[Any]:
    """A frame as CatBoost takes it; a missing category is an empty text."""
    dtypes = dict(zip(columns.names, columns.dtypes, strict=True))
    numbers = [name for name in columns.names if name not in columns.texts]
    matrix = matrix_of(frame, numbers, dtypes)
    if not columns.texts:
        return matrix
    table = np.empty((frame.height, len(columns.names)), object)
    table[:, [columns.names.index(name) for name in numbers]] = matrix
    for name in columns.texts:
        table[:, columns.names.index(name)] = frame.get_column(name).cast(pl.String).fill_null("").to_list()
    return table


def emit_model(emit: Emitter, fitted: Fitted, matrix: str, texts: Mapping[str, str]) -> Task:
    """The model's nodes; says which task it is.

    matrix: the numbers of its columns that are no categories, float64 rows x columns.
    texts:  column -> its strings.
    """
    features = Features(emit, fitted.dump, fitted.columns.names, matrix, texts)
    for name, known in fitted.columns.texts.items():
        features.add_categories(name, {text: fitted.hashes[text] for text in known})
    scores = catboost_trees.emit_scores(emit, fitted.dump, features)
    if fitted.loss in _CLASSIFIERS:
        return _CLASSIFIERS[fitted.loss](emit, scores, fitted)
    numbers = exponential.exp(emit, scores) if _ANSWERS.get(fitted.loss) == "Exponent" else scores
    if fitted.outputs == 1:
        numbers = emit("Squeeze", numbers, emit.constant(np.array([1])))
    emit.rename(numbers, PREDICTION)
    return "regression"


def _binary(emit: Emitter, scores: str, fitted: Fitted) -> Task:
    probability = exponential.sigmoid(emit, emit("Squeeze", scores, emit.constant(np.array([1]))))
    emit.rename(probability, PROBABILITY)
    emit_either_label(emit, emit("Greater", probability, emit.constant(0.5)), fitted.classes)
    return "binary"


def _softmax(emit: Emitter, scores: str, fitted: Fitted) -> Task:
    return _multiclass(emit, exponential.softmax(emit, scores), fitted)


def _one_against_all(emit: Emitter, scores: str, fitted: Fitted) -> Task:
    return _multiclass(emit, exponential.sigmoid(emit, scores), fitted)


def _multiclass(emit: Emitter, probabilities: str, fitted: Fitted) -> Task:
    emit_labels(emit, emit("ArgMax", probabilities, axis=1, keepdims=0), fitted.classes)
    if len(fitted.classes) == 2:
        emit.rename(emit("Gather", probabilities, emit.constant(np.int64(1)), axis=1), PROBABILITY)
        return "binary"
    emit.rename(probabilities, PROBABILITIES)
    return "multiclass"


_CLASSIFIERS: Mapping[str, Callable[[Emitter, str, Fitted], Task]] = {
    "Logloss": _binary,
    "CrossEntropy": _binary,
    "MultiClass": _softmax,
    "MultiClassOneVsAll": _one_against_all,
}
_NUMBERS = (
    *("RMSE", "MAE", "MAPE", "Quantile", "MultiQuantile", "Expectile", "Huber", "LogCosh", "Lq", "MultiRMSE"),
    *("Poisson", "Tweedie", "PairLogit", "PairLogitPairwise", "QueryRMSE", "QuerySoftMax", "YetiRank"),
    *("YetiRankPairwise", "LambdaMart", "StochasticRank"),
)
_ANSWERS: Mapping[str, str] = {
    **dict.fromkeys(_CLASSIFIERS, "Probability"),
    **dict.fromkeys(("Poisson", "Tweedie"), "Exponent"),
}
"""Loss -> the kind of prediction that answers; for any other the raw score."""


def _version() -> str:
    import catboost

    return str(catboost.__version__)
