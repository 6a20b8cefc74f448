from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import catboost
import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray

import unisono as un
from tests.models.samples import answers, graph_of, view
from unisono.models import Verification, import_model, verify
from unisono.models.session import Runner, bits

pytestmark = pytest.mark.slow

COLUMNS = [*view().feature_names, "dist", "seats"]
TEXTS = ["carrier", "tail"]
INPUTS = {**dict.fromkeys(COLUMNS, un.Float64), "seats": un.Int64, "carrier": un.String}
QUIET: Mapping[str, Any] = {
    **{"iterations": 30, "depth": 4, "random_seed": 7, "verbose": 0, "thread_count": 1},
    "allow_writing_files": False,
}


def matrix(rows: pl.DataFrame) -> NDArray[np.float64]:
    return np.ascontiguousarray(rows.select(pl.col(COLUMNS).cast(pl.Float64).fill_null(np.nan)).to_numpy())


def scores(rows: pl.DataFrame) -> NDArray[np.float64]:
    """Something to learn."""
    known = np.nan_to_num(matrix(rows))
    carrier = rows["carrier"].fill_null("").replace_strict({"UA": 9.0, "DL": -4.0}, default=0.0).to_numpy()
    made: NDArray[np.float64] = known[:, 1] + np.abs(known[:, 2]) - known[:, 6] / 100 + carrier
    return made


def fitted(kind: type[Any], rows: pl.DataFrame, labels: NDArray[Any], **parameters: Any) -> Any:
    frame = rows.select(pl.col(COLUMNS).cast(pl.Float64).fill_null(np.nan)).to_pandas()
    return kind(**{**QUIET, **parameters}).fit(frame, labels)


def judged(model: Any, rows: pl.DataFrame, inputs: Mapping[str, Any] = INPUTS) -> Verification:
    imported = import_model(model, inputs=inputs)
    return verify(graph_of(imported), imported, rows)


# Numbers

REGRESSIONS: Mapping[str, Mapping[str, Any]] = {
    "symmetric": {},
    "grown by leaf": {"grow_policy": "Lossguide"},
    "grown by level": {"grow_policy": "Depthwise"},
    "missing is the largest": {"nan_mode": "Max"},
    "quantile": {"loss_function": "Quantile:alpha=0.9"},
    "trees of one leaf": {"depth": 4, "l2_leaf_reg": 1e9, "learning_rate": 1e-3, "min_data_in_leaf": 300},
}


@pytest.mark.parametrize("parameters", REGRESSIONS.values(), ids=REGRESSIONS)
def test_a_regression_has_catboosts_bits(rows: pl.DataFrame, parameters: Mapping[str, Any]) -> None:
    found = judged(fitted(catboost.CatBoostRegressor, rows, scores(rows), **parameters), rows)
    assert found.is_equal, found
    assert found.numeric_class == "exact"


def test_several_numbers_have_catboosts_bits(rows: pl.DataFrame) -> None:
    labels = np.stack([scores(rows), scores(rows) ** 2], axis=1)
    assert judged(fitted(catboost.CatBoostRegressor, rows, labels, loss_function="MultiRMSE"), rows).is_equal


def test_a_ranker_has_catboosts_bits(rows: pl.DataFrame) -> None:
    ranker = catboost.CatBoostRanker(**QUIET)
    ranker.fit(catboost.Pool(matrix(rows), scores(rows), group_id=np.arange(rows.height) // 20, feature_names=COLUMNS))
    assert judged(ranker, rows).is_equal


@pytest.mark.parametrize("loss", ["Poisson", "Tweedie:variance_power=1.5"])
def test_a_regression_with_exp_is_within_a_few_units_in_the_last_place(rows: pl.DataFrame, loss: str) -> None:
    model = fitted(catboost.CatBoostRegressor, rows, np.abs(scores(rows)), loss_function=loss)
    assert judged(model, rows).max_ulp <= 4


@pytest.mark.parametrize(
    ("classes", "parameters"),
    [
        (["no", "yes"], {}),
        ([3, 8], {}),
        ([0, 1], {"loss_function": "MultiClass"}),
        (["a", "b", "c"], {}),
        ([1, 5, 9], {"loss_function": "MultiClassOneVsAll"}),
    ],
)
def test_a_classifier_has_catboosts_labels_and_nearly_its_bits(
    rows: pl.DataFrame, classes: list[Any], parameters: Mapping[str, Any]
) -> None:
    places = np.digitize(scores(rows), [0.0, 8.0][: len(classes) - 1])
    model = fitted(catboost.CatBoostClassifier, rows, np.array(classes)[places], **parameters)
    imported = import_model(model, inputs=INPUTS)
    found = verify(graph_of(imported), imported, rows)
    assert imported.classes == tuple(classes)
    assert (found.flips, found.max_ulp <= 8) == (0, True)
    says = answers(graph_of(imported), rows)["prediction"]
    assert says.tolist() == model.predict(matrix(rows)).ravel().tolist()


# Categories


def with_texts(rows: pl.DataFrame) -> pl.DataFrame:
    """Two columns of texts beside a number."""
    tail = pl.Series("tail", [f"N{place * place % 11}" for place in range(rows.height)])
    return rows.select("dist", pl.col("carrier").fill_null(""), tail)


def categorical(rows: pl.DataFrame, labels: NDArray[Any], **parameters: Any) -> Any:
    kind = parameters.pop("kind", catboost.CatBoostRegressor)
    frame = with_texts(rows).with_columns(pl.col("dist").fill_null(np.nan)).to_pandas()
    return kind(**{**QUIET, **parameters}, cat_features=TEXTS).fit(frame, labels)


def bring_texts(model: Any, **categories: Sequence[str]) -> Any:
    model.get_metadata()["unisono.categories"] = json.dumps(categories)
    return model


STATISTICS: Mapping[str, Mapping[str, Any]] = {
    "one category at a time": {"one_hot_max_size": 50},
    "the usual": {},
    "of one column": {"max_ctr_complexity": 1},
    "of every kind": {
        "simple_ctr": ["Buckets:TargetBorderCount=3", "BinarizedTargetMeanValue", "Counter", "Borders"],
        "combinations_ctr": ["Buckets", "BinarizedTargetMeanValue", "Counter"],
        "one_hot_max_size": 2,
    },
    "with single categories and numbers": {"one_hot_max_size": 6, "max_ctr_complexity": 4, "iterations": 80},
}


@pytest.mark.parametrize("parameters", STATISTICS.values(), ids=STATISTICS)
def test_categories_and_their_statistics_have_catboosts_bits(rows: pl.DataFrame, parameters: Mapping[str, Any]) -> None:
    texts = with_texts(rows)
    model = categorical(rows, scores(rows), **parameters)
    bring_texts(model, carrier=sorted(set(texts["carrier"])), tail=sorted(set(texts["tail"])))
    imported = import_model(model, inputs={**INPUTS, "tail": un.String})
    unseen = texts.head(3).with_columns(carrier=pl.Series(["ZZ", None, "UA"]), tail=pl.Series(["N0", "", "X"]))
    asked = pl.concat([texts, unseen])
    (says,) = Runner(imported.graph)(
        {
            "matrix": asked.select(pl.col("dist").fill_null(np.nan)).to_numpy(),
            **{f"text.{name}": asked[name].fill_null("").to_numpy().astype(object) for name in TEXTS},
        }
    )
    assert (bits(says) == bits(np.asarray(imported.answer(asked)["prediction"]))).all()


def test_a_model_without_the_texts_of_its_categories_is_refused_with_what_to_do(rows: pl.DataFrame) -> None:
    model = categorical(rows, scores(rows))
    with pytest.raises(un.ModelError, match=r'categories of carrier, tail are known by their hashes .*format="json"'):
        import_model(model, inputs={**INPUTS, "tail": un.String})


def test_texts_that_lack_a_category_are_refused(rows: pl.DataFrame) -> None:
    model = bring_texts(categorical(rows, scores(rows)), carrier=["UA"], tail=["N0"])
    with pytest.raises(un.ModelError, match=r"categories of .* that it was fitted on are not among the texts"):
        import_model(model, inputs={**INPUTS, "tail": un.String})


def test_texts_stay_with_a_saved_model(rows: pl.DataFrame, tmp_path: Path) -> None:
    texts = with_texts(rows)
    model = categorical(rows, scores(rows), iterations=5)
    bring_texts(model, carrier=sorted(set(texts["carrier"])), tail=sorted(set(texts["tail"])))
    model.save_model(str(tmp_path / "model.cbm"))
    again = catboost.CatBoost().load_model(str(tmp_path / "model.cbm"))
    inputs = {**INPUTS, "tail": un.String}
    assert import_model(again, inputs=inputs).graph == import_model(model, inputs=inputs).graph


# What it refuses


def test_a_loss_whose_answers_are_not_known_is_refused(rows: pl.DataFrame) -> None:
    model = fitted(catboost.CatBoostRegressor, rows, scores(rows), loss_function="RMSEWithUncertainty")
    with pytest.raises(un.ModelError, match=r'loss "RMSEWithUncertainty"; allowed: Logloss, .*; fit it with one'):
        import_model(model, inputs=INPUTS)


def test_texts_as_words_are_refused(rows: pl.DataFrame) -> None:
    words = pl.DataFrame({"carrier": [f"{name} flies to {name}" for name in rows["carrier"].fill_null("none")]})
    model = catboost.CatBoostClassifier(**QUIET, text_features=["carrier"])
    model.fit(words.to_pandas(), scores(rows) > 5)
    with pytest.raises(un.ModelError, match="text or embedding features; allowed: numbers"):
        import_model(model, inputs=INPUTS)


def test_a_model_that_is_not_fitted_is_refused() -> None:
    with pytest.raises(un.ModelError, match="CatBoostRegressor is not fitted; allowed: a fitted one; call fit"):
        import_model(catboost.CatBoostRegressor(), inputs=INPUTS)
