from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import Any

import lightgbm
import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray
from sklearn import cluster, ensemble, linear_model, naive_bayes, neural_network, preprocessing, svm, tree
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.feature_selection import SelectKBest, f_regression
from sklearn.impute import SimpleImputer
from sklearn.pipeline import FeatureUnion, make_pipeline

import unisono as un
from tests.models.samples import available, graph_of
from unisono.models import ImportedModel, Verification, import_model, verify

pytestmark = pytest.mark.slow

NUMBERS = ["dist", "by_carrier__late_mean_1h", "seats", "weekend"]
COLUMNS = [*NUMBERS, "carrier"]


def known(rows: pl.DataFrame) -> pl.DataFrame:
    """Without nulls among the numbers."""
    return rows.with_columns(pl.col(NUMBERS).fill_null(strategy="forward").fill_null(strategy="backward"))


def targets(rows: pl.DataFrame) -> NDArray[np.float64]:
    noise = np.random.default_rng(1).normal(size=rows.height) * 5
    late = rows["by_carrier__late_mean_1h"].fill_null(0.0).to_numpy()
    made: NDArray[np.float64] = late + (rows["carrier"] == "UA").fill_null(value=False).to_numpy() * 8 + noise
    return made


def as_numbers(rows: pl.DataFrame) -> pl.DataFrame:
    """As scikit-learn likes it: floats, and NaN for null."""
    return rows.with_columns(pl.col(pl.Boolean).cast(pl.Float64)).with_columns(pl.col(pl.Float64).fill_null(np.nan))


def fitted(model: Any, rows: pl.DataFrame, labels: NDArray[Any], columns: list[str]) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of solvers that need more steps
        return model.fit(as_numbers(rows.select(columns)), labels)


def judged(model: Any, rows: pl.DataFrame) -> tuple[ImportedModel, Verification]:
    imported = import_model(model, inputs=available())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return imported, verify(graph_of(imported), imported, rows)


def classes(rows: pl.DataFrame, names: list[Any]) -> NDArray[Any]:
    return np.array(names)[np.digitize(targets(rows), [0.0, 10.0][: len(names) - 1])]


def preprocessor() -> ColumnTransformer:
    return ColumnTransformer(
        [
            ("numbers", make_pipeline(SimpleImputer(strategy="median"), preprocessing.StandardScaler()), NUMBERS[:3]),
            ("names", preprocessing.OneHotEncoder(handle_unknown="ignore"), ["carrier"]),
        ],
        remainder=SimpleImputer(strategy="most_frequent"),
    )


# Trees: every bit

TREES: Mapping[str, Callable[[], Any]] = {
    "decision tree": lambda: tree.DecisionTreeRegressor(max_depth=5),
    "random forest": lambda: ensemble.RandomForestRegressor(8, random_state=1),
    "extra trees": lambda: ensemble.ExtraTreesRegressor(8, random_state=1),
    "gradient boosting": lambda: ensemble.GradientBoostingRegressor(n_estimators=20),
    "histogram boosting": lambda: ensemble.HistGradientBoostingRegressor(max_iter=20),
}


@pytest.mark.parametrize("make", TREES.values(), ids=TREES)
def test_trees_have_the_bits_of_the_model(rows: pl.DataFrame, make: Callable[[], Any]) -> None:
    imported, found = judged(fitted(make(), known(rows), targets(rows), NUMBERS), known(rows))
    assert imported.finite
    assert found.is_equal


@pytest.mark.parametrize("names", [["no", "yes"], [1, 2, 3]])
@pytest.mark.parametrize(
    "kind", [tree.DecisionTreeClassifier, ensemble.RandomForestClassifier, ensemble.ExtraTreesClassifier]
)
def test_classifying_trees_have_the_bits_of_the_model(rows: pl.DataFrame, kind: type[Any], names: list[Any]) -> None:
    model = fitted(kind(max_depth=5, random_state=1), known(rows), classes(rows, names), NUMBERS)
    imported, found = judged(model, known(rows))
    assert found.is_equal
    assert imported.classes == tuple(names)


@pytest.mark.parametrize("names", [["no", "yes"], [1, 2, 3]])
@pytest.mark.parametrize("kind", [ensemble.GradientBoostingClassifier, ensemble.HistGradientBoostingClassifier])
def test_boosted_classifiers_are_within_a_few_units(rows: pl.DataFrame, kind: type[Any], names: list[Any]) -> None:
    _, found = judged(fitted(kind(random_state=1), known(rows), classes(rows, names), NUMBERS), known(rows))
    assert found.flips == 0
    assert found.max_ulp <= 8


@pytest.mark.parametrize("kind", [ensemble.RandomForestRegressor, ensemble.HistGradientBoostingRegressor])
def test_trees_send_missing_values_where_the_model_does(rows: pl.DataFrame, kind: type[Any]) -> None:
    assert rows["dist"].null_count() > 0
    _, found = judged(fitted(kind(random_state=1), rows, targets(rows), NUMBERS[:3]), rows)
    assert found.is_equal


# Sums: within 1e-12 of the largest term

LINEAR: Mapping[str, Callable[[], Any]] = {
    "linear": linear_model.LinearRegression,
    "ridge": linear_model.Ridge,
    "lasso": linear_model.Lasso,
    "min max": lambda: make_pipeline(preprocessing.MinMaxScaler(clip=True), linear_model.Ridge()),
    "robust": lambda: make_pipeline(preprocessing.RobustScaler(), linear_model.Ridge()),
    "max abs": lambda: make_pipeline(preprocessing.MaxAbsScaler(), linear_model.Ridge()),
    "pca": lambda: make_pipeline(preprocessing.StandardScaler(), PCA(2, whiten=True), linear_model.Ridge()),
    "selected": lambda: make_pipeline(SelectKBest(f_regression, k=2), linear_model.Ridge()),
    "side by side": lambda: make_pipeline(
        FeatureUnion([("same", "passthrough"), ("scaled", preprocessing.StandardScaler())]), linear_model.Ridge()
    ),
    "no function": lambda: make_pipeline(preprocessing.FunctionTransformer(), linear_model.Ridge()),
    "quantiles, by skl2onnx": lambda: make_pipeline(
        preprocessing.QuantileTransformer(n_quantiles=20), linear_model.Ridge()
    ),
    "a network, by skl2onnx": lambda: make_pipeline(
        preprocessing.StandardScaler(), neural_network.MLPRegressor(hidden_layer_sizes=(8,), max_iter=20)
    ),
}


@pytest.mark.parametrize("make", LINEAR.values(), ids=LINEAR)
def test_sums_are_near_those_of_the_model(rows: pl.DataFrame, make: Callable[[], Any]) -> None:
    _, found = judged(fitted(make(), known(rows), targets(rows), NUMBERS), known(rows))
    assert found.max_gap < 1e-12


CLASSIFIERS: Mapping[str, Callable[[], Any]] = {
    "logistic": lambda: linear_model.LogisticRegression(max_iter=20),
    "stochastic gradient": lambda: linear_model.SGDClassifier(loss="log_loss", random_state=1),
    "naive, by skl2onnx": naive_bayes.GaussianNB,
    "a network, by skl2onnx": lambda: neural_network.MLPClassifier((8,), max_iter=20, random_state=1),
}


@pytest.mark.parametrize("names", [["no", "yes"], [False, True], ["a", "b", "c"]])
@pytest.mark.parametrize("make", CLASSIFIERS.values(), ids=CLASSIFIERS)
def test_probabilities_are_near_those_of_the_model(
    rows: pl.DataFrame, make: Callable[[], Any], names: list[Any]
) -> None:
    model = make_pipeline(preprocessing.StandardScaler(), make())
    _, found = judged(fitted(model, known(rows), classes(rows, names), NUMBERS), known(rows))
    assert found.flips == 0
    assert found.max_gap < 1e-10


# Pipelines with text

PIPELINES: Mapping[str, Callable[[], Any]] = {
    "logistic": lambda: linear_model.LogisticRegression(max_iter=50),
    "forest": lambda: ensemble.RandomForestClassifier(5, random_state=1),
    "lightgbm": lambda: lightgbm.LGBMClassifier(n_estimators=9, verbose=-1, n_jobs=1),
}


@pytest.mark.parametrize("make", PIPELINES.values(), ids=PIPELINES)
def test_a_pipeline_with_names_and_missing_numbers(rows: pl.DataFrame, make: Callable[[], Any]) -> None:
    named = rows.with_columns(pl.col("carrier").fill_null("??"))
    model = fitted(make_pipeline(preprocessor(), make()), named, classes(rows, ["no", "yes"]), COLUMNS)
    _, found = judged(model, named)
    assert found.flips == 0
    assert found.max_ulp <= 16
    strange = named.with_columns(carrier=pl.lit("never seen"))
    assert judged(model, strange)[1].flips == 0


def test_a_pipeline_that_was_fitted_with_pandas(rows: pl.DataFrame) -> None:
    named = rows.with_columns(pl.col("carrier").fill_null("??"))
    model = make_pipeline(preprocessor(), ensemble.RandomForestRegressor(5, random_state=1))
    model.fit(as_numbers(named.select(COLUMNS)).to_pandas(), targets(rows))
    assert judged(model, named)[1].is_equal


@pytest.mark.parametrize(
    "encoder",
    [
        preprocessing.OneHotEncoder(handle_unknown="ignore", drop="first"),
        preprocessing.OneHotEncoder(handle_unknown="ignore", drop="if_binary"),
        preprocessing.OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1),
        preprocessing.OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan),
        preprocessing.OrdinalEncoder(categories=[["UA", "DL"]], handle_unknown="use_encoded_value", unknown_value=9),
    ],
)
def test_encoders_say_what_the_model_says(rows: pl.DataFrame, encoder: Any) -> None:
    named = rows.with_columns(pl.col("carrier").fill_null("??"))
    steps = ColumnTransformer([("names", encoder, ["carrier"])], remainder="passthrough")
    model = make_pipeline(steps, ensemble.HistGradientBoostingRegressor(max_iter=5))
    fitted(model, named, targets(rows), COLUMNS)
    with_others = named.with_columns(carrier=pl.when(pl.col("dist") > 900).then(pl.lit("new")).otherwise("carrier"))
    assert judged(model, with_others)[1].is_equal


def test_numbers_can_be_categories(rows: pl.DataFrame) -> None:
    few = known(rows).with_columns(seats=pl.col("seats") % 4)
    encoders = [("one", preprocessing.OneHotEncoder(), ["seats"]), ("two", preprocessing.OrdinalEncoder(), ["seats"])]
    model = make_pipeline(ColumnTransformer(encoders), tree.DecisionTreeRegressor())
    assert judged(fitted(model, few, targets(rows), NUMBERS), few)[1].is_equal


@pytest.mark.parametrize("remainder", [["dist"], []], ids=["dropped by name", "left over"])
def test_columns_that_are_dropped_may_be_of_any_dtype(rows: pl.DataFrame, remainder: list[str]) -> None:
    few = known(rows).with_columns(asked_at=pl.datetime(2026, 1, 1))
    steps = ColumnTransformer([("kept", "passthrough", ["seats"]), ("gone", "drop", remainder)])
    model = make_pipeline(steps, tree.DecisionTreeRegressor())
    model.fit(few.select("asked_at", "carrier", "dist", "seats").to_pandas(), targets(rows))
    imported, verification = judged(model, few)
    assert imported.columns == ("seats",)
    assert verification.is_equal


def test_text_that_is_missing_is_filled(rows: pl.DataFrame) -> None:
    fill = SimpleImputer(strategy="constant", fill_value="none", missing_values=None)
    encode = make_pipeline(fill, preprocessing.OneHotEncoder(handle_unknown="ignore"))
    model = make_pipeline(ColumnTransformer([("names", encode, ["carrier"])]), tree.DecisionTreeRegressor())
    model.fit(rows.select("carrier").to_pandas().astype(object).where(lambda one: one.notna(), None), targets(rows))
    assert rows["carrier"].null_count() > 0
    assert judged(model, rows)[1].is_equal


def test_a_bare_matrix_needs_names(rows: pl.DataFrame) -> None:
    numbers = known(rows).select(pl.col(NUMBERS).cast(pl.Float64)).to_numpy()
    model = tree.DecisionTreeRegressor().fit(numbers, targets(rows))
    with pytest.raises(un.ModelError, match="4 columns without names"):
        import_model(model, inputs=available())
    imported = import_model(model, inputs=available(), columns=NUMBERS)
    assert verify(graph_of(imported), imported, known(rows)).is_equal


# What it refuses


def doubled(numbers: Any) -> Any:
    return numbers * 2


REFUSED: Mapping[str, tuple[Callable[[], Any], str]] = {
    "a function": (
        lambda: make_pipeline(preprocessing.FunctionTransformer(doubled), linear_model.Ridge()),
        "FunctionTransformer of .*doubled.*; allowed: no function of Python's",
    ),
    "an indicator": (
        lambda: make_pipeline(SimpleImputer(add_indicator=True), linear_model.Ridge()),
        "SimpleImputer with add_indicator",
    ),
    "categorical histograms": (
        lambda: ensemble.HistGradientBoostingRegressor(categorical_features=[3], max_iter=3),
        "HistGradientBoostingRegressor with categorical columns; allowed: numbers",
    ),
    "an infrequent category": (
        lambda: make_pipeline(preprocessing.OneHotEncoder(max_categories=3, sparse_output=False), linear_model.Ridge()),
        "OneHotEncoder with infrequent categories",
    ),
    "no graph": (
        lambda: make_pipeline(preprocessing.SplineTransformer(), linear_model.Ridge()),
        "SplineTransformer: skl2onnx does not know it; allowed: steps that have a graph",
    ),
}


@pytest.mark.parametrize(("make", "message"), REFUSED.values(), ids=REFUSED)
def test_what_has_no_graph_is_refused(rows: pl.DataFrame, make: Callable[[], Any], message: str) -> None:
    model = fitted(make(), known(rows), targets(rows), NUMBERS)
    with pytest.raises(un.ModelError, match=message):
        import_model(model, inputs=available())


@pytest.mark.parametrize("names", [["no", "yes"], [1, 2, 3]])
@pytest.mark.parametrize("kind", [svm.LinearSVC, linear_model.RidgeClassifier, linear_model.SGDClassifier])
def test_a_linear_classifier_without_probabilities_says_its_scores(
    rows: pl.DataFrame, kind: type[Any], names: list[Any]
) -> None:
    model = make_pipeline(preprocessing.StandardScaler(), kind())
    imported, found = judged(fitted(model, known(rows), classes(rows, names), NUMBERS), known(rows))
    assert imported.task == "outputs"
    assert set(imported.answer(known(rows))) == {"prediction", "score" if len(names) == 2 else "scores"}
    assert (found.flips, found.numeric_class) == (0, "exact")


def test_a_clustering_says_the_number_of_the_cluster(rows: pl.DataFrame) -> None:
    model = cluster.KMeans(4, random_state=1, n_init=1)
    imported, found = judged(fitted(model, known(rows), targets(rows), NUMBERS), known(rows))
    assert (imported.task, imported.classes, found.flips) == ("outputs", (), 0)


@pytest.mark.parametrize(
    "make", [linear_model.Ridge, lambda: ensemble.RandomForestRegressor(5, random_state=1)], ids=["linear", "forest"]
)
def test_a_regression_can_be_of_several_numbers(rows: pl.DataFrame, make: Callable[[], Any]) -> None:
    labels = np.stack([targets(rows), -(targets(rows) ** 2)], axis=1)
    imported, found = judged(fitted(make(), known(rows), labels, NUMBERS), known(rows))
    assert imported.answer(known(rows))["prediction"].shape == (rows.height, 2)
    assert found.numeric_class == "exact"


def test_what_says_nothing_of_new_rows_is_refused(rows: pl.DataFrame) -> None:
    model = fitted(cluster.DBSCAN(), known(rows), targets(rows), NUMBERS)
    with pytest.raises(un.ModelError, match="DBSCAN has no predict for new rows; allowed: estimators that have one"):
        import_model(model, inputs=available())


@pytest.mark.parametrize("library", ["xgboost", "catboost"])
def test_models_of_other_libraries_end_a_pipeline(rows: pl.DataFrame, library: str) -> None:
    module = pytest.importorskip(library)
    if library == "xgboost":
        last = module.XGBClassifier(n_estimators=5, n_jobs=1)
    else:
        last = module.CatBoostClassifier(iterations=5, depth=3, verbose=0, allow_writing_files=False)
    model = make_pipeline(preprocessing.RobustScaler(), last)
    _, found = judged(fitted(model, known(rows), classes(rows, [0, 1, 2]), NUMBERS), known(rows))
    assert found.flips == 0


def test_text_must_be_encoded_before_it_is_a_number(rows: pl.DataFrame) -> None:
    model = ColumnTransformer([("all", "passthrough", COLUMNS)])
    named = known(rows).with_columns(pl.col("carrier").fill_null("1"))
    model.fit(named.select(COLUMNS))
    pipeline = make_pipeline(model, tree.DecisionTreeRegressor())
    pipeline.fit(named.select(COLUMNS).with_columns(carrier=pl.lit("1")), targets(rows))
    with pytest.raises(un.ModelError, match="reads a String column as a number"):
        import_model(pipeline, inputs=available())


def test_a_model_that_is_not_fitted_is_refused() -> None:
    with pytest.raises(un.ModelError, match=r"Ridge is not fitted; .*call fit"):
        import_model(linear_model.Ridge(), inputs=available())


# Empty texts


def encoded(rows: pl.DataFrame, names: list[str | None]) -> Any:
    """A model of a column of texts; the texts of its first rows are these."""
    texts = pl.Series("carrier", [*names, *rows["carrier"].fill_null("UA")[len(names) :]], pl.String)
    encoder = preprocessing.OneHotEncoder(handle_unknown="ignore")
    return make_pipeline(encoder, linear_model.Ridge()).fit(texts.to_frame(), targets(rows))


@pytest.mark.parametrize("names", [[None, "AA"], ["", "AA"]])
def test_an_empty_text_and_a_missing_one_are_the_same(rows: pl.DataFrame, names: list[str | None]) -> None:
    asked = rows.with_columns(carrier=pl.Series([None, "", *rows["carrier"][2:]], dtype=pl.String))
    _, found = judged(encoded(rows, names), asked)
    assert found.max_gap < 1e-12


def test_a_model_that_tells_them_apart_is_refused(rows: pl.DataFrame) -> None:
    with pytest.raises(un.ModelError, match=r'an empty text and a missing one; .*\.fill_null\(""\)'):
        judged(encoded(rows, [None, ""]), rows)
