"""Pruning ensembles, as a recipe does it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import lightgbm
import numpy as np
import polars as pl
import pytest
from sklearn.ensemble import (
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from tests.compress.conftest import Case
from unisono.compress.prune.trees.step import PruneTrees
from unisono.compress.subject import Subject
from unisono.models import ImportedModel, import_model
from unisono.spec.errors import ModelError

pytestmark = pytest.mark.slow  # networks and trees are trained

CLASSIFIERS = (ExtraTreesClassifier, GradientBoostingClassifier, HistGradientBoostingClassifier, RandomForestClassifier)


NUMBER = pl.col("a") - 2 * pl.col("b")


def imported(case: Case, subject: Subject) -> ImportedModel:
    """A model as its importer reads it."""
    return import_model(subject.ensemble, inputs=case.data.inputs, columns=subject.columns)


def right(case: Case, subject: Subject) -> float:
    """Share of the test rows that a model has right."""
    said = imported(case, subject).answer(case.data.test)["prediction"]
    return float(np.mean(said == case.data.test["label"].to_numpy()))


def refitted(case: Case, model: Any) -> Case:
    """The same rows with another model, fitted to them."""
    rows = case.data.train
    with threadpool_limits(1, "openmp"):  # two would wait for each other, with so little to do
        model.fit(rows.select("a", "b", "c", "d").to_pandas(), rows["label"].to_numpy())
    return replace(case, subject=Subject(ensemble=model))


def asking(case: Case, label: pl.Expr, classes: tuple[Any, ...]) -> Case:
    """The same rows with another label."""
    parts = {
        name: getattr(case.data, name).with_columns(label=label.alias("label"))
        for name in ("train", "validation", "test")
    }
    data = replace(case.data, **parts, classes=classes)
    return replace(case, data=data, context=replace(case.context, data=data))


def test_a_fifth_of_the_splits_says_nearly_the_same(trees: Case) -> None:
    made = trees.applied(PruneTrees(keep=0.2))
    notes = made.notes["prune_trees"]
    assert notes["splits"] == round(0.2 * int(str(notes["splits_before"])))
    assert int(str(notes["trees"])) < int(str(notes["trees_before"])) == 60
    assert right(trees, made) > right(trees, trees.subject) - 0.03


def test_the_graph_loses_what_the_notes_say(trees: Case) -> None:
    from onnx import helper, load_model_from_string

    made = trees.applied(PruneTrees(keep=0.1))
    (node,) = [
        node
        for node in load_model_from_string(imported(trees, made).graph).graph.node
        if node.op_type == "TreeEnsemble"
    ]
    given = {one.name: helper.get_attribute_value(one) for one in node.attribute}
    assert len(given["nodes_featureids"]) == made.notes["prune_trees"]["splits"]
    assert len(given["tree_roots"]) == made.notes["prune_trees"]["trees"]


def test_as_few_splits_as_the_validation_rows_allow_are_chosen(trees: Case) -> None:
    little, much = (trees.applied(PruneTrees(lost=lost)).notes["prune_trees"] for lost in (0.005, 0.2))
    assert int(str(little["splits"])) > int(str(much["splits"]))
    assert float(str(little["lost"])) <= 0.005


def test_nothing_to_lose_is_an_error_with_what_to_do(trees: Case) -> None:
    with pytest.raises(ModelError, match=r"without a quarter of its 840 splits .* more than 0 of .*; allow more"):
        trees.applied(PruneTrees(lost=0.0, ridge=1e3))


def test_the_same_seed_gives_the_same_model(trees: Case) -> None:
    texts = [trees.applied(PruneTrees(keep=0.1, rows=300)).ensemble.model_to_string() for _ in range(2)]
    assert texts[0] == texts[1]


@pytest.mark.parametrize("kind", CLASSIFIERS)
def test_classifiers_of_scikit_learn_become_models_of_lightgbm(trees: Case, kind: Any) -> None:
    settings = {"max_iter": 10} if kind is HistGradientBoostingClassifier else {"n_estimators": 30}
    case = refitted(trees, kind(random_state=0, **settings))
    made = case.applied(PruneTrees(keep=0.2))
    assert isinstance(made.ensemble, lightgbm.Booster)
    assert imported(case, made).classes == ("no", "yes")
    assert right(case, made) > right(case, case.subject) - 0.03


@pytest.mark.parametrize("kind", [RandomForestRegressor, HistGradientBoostingRegressor, lightgbm.LGBMRegressor])
def test_numbers_stay_numbers(trees: Case, kind: Any) -> None:
    settings = {"max_iter": 30} if kind is HistGradientBoostingRegressor else {"n_estimators": 30}
    case = refitted(asking(trees, NUMBER, ()), kind(random_state=0, **settings))
    made = case.applied(PruneTrees(keep=0.3))
    label = case.data.test["label"].to_numpy()
    errors = [
        np.mean((imported(case, one).answer(case.data.test)["prediction"] - label) ** 2) / label.var()
        for one in (case.subject, made)
    ]
    assert errors[1] < errors[0] + 0.05


def test_three_classes_have_three_sums(trees: Case) -> None:
    label = pl.when(pl.col("a") > 0.5).then(pl.lit("high")).when(pl.col("b") > 0).then(pl.lit("low"))
    model = lightgbm.LGBMClassifier(n_estimators=20, num_leaves=7, n_jobs=1, verbose=-1)
    case = refitted(asking(trees, label.otherwise(pl.lit("middle")), ("high", "low", "middle")), model)
    made = case.applied(PruneTrees(keep=0.3))
    assert imported(case, made).task == "multiclass"
    assert right(case, made) > right(case, case.subject) - 0.03


def test_a_loss_that_is_not_known_is_followed_by_its_scores(trees: Case) -> None:
    model = lightgbm.LGBMRegressor(objective="quantile", n_estimators=40, n_jobs=1, verbose=-1)
    case = refitted(asking(trees, NUMBER, ()), model)
    made = case.applied(PruneTrees(keep=0.3))
    said = [imported(case, one).answer(case.data.test)["prediction"] for one in (case.subject, made)]
    assert np.corrcoef(said[0], said[1])[0, 1] > 0.97


def test_what_adds_up_no_trees_is_refused_by_name(trees: Case) -> None:
    case = refitted(trees, make_pipeline(StandardScaler(), RandomForestClassifier(5)))
    with pytest.raises(ModelError, match=r"prune_trees: a Pipeline; allowed: a model of LightGBM, .*; give the fitted"):
        case.applied(PruneTrees())


def test_linear_leaves_are_refused(trees: Case) -> None:
    case = refitted(trees, lightgbm.LGBMClassifier(n_estimators=5, linear_tree=True, n_jobs=1, verbose=-1))
    with pytest.raises(ModelError, match="linear trees"):
        case.applied(PruneTrees())


@pytest.mark.parametrize(
    ("settings", "fault"),
    [
        ({"keep": 0.0}, "keep 0"),
        ({"keep": 1.0}, "keep 1"),
        ({"lost": -0.1}, "lost -0.1"),
        ({"teacher_share": 2.0}, "teacher_share 2"),
        ({"ridge": -1.0}, "ridge -1"),
        ({"rows": 0}, "rows 0"),
    ],
)
def test_settings_out_of_range_are_faults(settings: dict[str, Any], fault: str) -> None:
    assert [seen for seen, _, _ in PruneTrees(**settings).faults()] == [fault]


def test_the_model_survives_being_kept(trees: Case) -> None:
    import pickle

    made = trees.applied(PruneTrees(keep=0.1))
    again = replace(made, ensemble=pickle.loads(pickle.dumps(made.ensemble)))
    assert imported(trees, again).graph == imported(trees, made).graph
    assert imported(trees, again).classes == ("no", "yes")
