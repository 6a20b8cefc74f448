"""Ensembles and modules teach trees, forests and linear models."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

import unisono as un
from tests.compress.conftest import Case
from unisono.compress.distil.estimators import taught_estimator
from unisono.compress.distil.learners import with_classes
from unisono.compress.distil.soft import mixed, weighted
from unisono.compress.distil.step import Distil
from unisono.compress.subject import Subject
from unisono.compress.teacher import subject_scores
from unisono.models import Session, build_graph, import_model
from unisono.spec.errors import InputError, ModelError

pytestmark = pytest.mark.slow  # networks and trees are trained

SETTLED: dict[str, Any] = {"temperature": 1.0, "teacher_share": 0.9}


def right(case: Case, subject: Subject) -> float:
    """The share of test rows that a model is right about."""
    scores = subject_scores(subject, case.data.test, case.context)
    return float((scores.argmax(axis=1) == case.data.targets(case.data.test)).mean())


@pytest.mark.parametrize(
    ("student", "settings"),
    [
        ("forest", {"trees": 10, "leaves": 64}),
        ("boosted", {"trees": 20, "leaves": 7}),
        ("tree", {"leaves": 24}),
        ("linear", {}),
    ],
)
@pytest.mark.parametrize("teacher", ["trees", "numbers"])
def test_a_student_says_nearly_what_its_teacher_says(
    teacher: str, student: Any, settings: dict[str, Any], request: pytest.FixtureRequest
) -> None:
    case: Case = request.getfixturevalue(teacher)
    made = case.applied(Distil(student=student, **settings, **SETTLED))
    assert made.kind == "ensemble"
    assert right(case, made) > right(case, case.subject) - 0.06


def test_an_ensemble_becomes_one_tree_of_as_many_leaves_as_were_asked_for(trees: Case) -> None:
    made = trees.applied(Distil(student="tree", leaves=8, **SETTLED))
    assert made.ensemble.get_n_leaves() <= 8
    assert import_model(made.ensemble, inputs=trees.data.inputs, columns=made.columns).classes == ("no", "yes")


def test_a_student_of_a_graph_is_the_student_of_its_model(trees: Case) -> None:
    imported = import_model(trees.subject.ensemble, inputs=trees.data.inputs)
    step = Distil(student="tree", leaves=8, **SETTLED)
    first = step.apply(trees.subject, trees.context)
    second = step.apply(Subject(graph=imported), trees.context)
    assert np.array_equal(
        subject_scores(first, trees.data.test, trees.context), subject_scores(second, trees.data.test, trees.context)
    )


def test_gaps_are_no_obstacle_for_any_student(trees: Case) -> None:
    holes = [pl.when(pl.int_range(pl.len()) % 5 == 0).then(None).otherwise(pl.col("a")).alias("a")]
    data = replace(trees.data, train=trees.data.train.with_columns(holes), test=trees.data.test.with_columns(holes))
    cache = trees.context.stage / "holes"
    cache.mkdir(exist_ok=True)
    case = Case(trees.subject, data, replace(trees.context, data=data, cache=cache))
    for student in ("forest", "boosted", "tree", "linear"):
        made = case.applied(Distil(student=student, trees=20, **SETTLED))
        assert right(case, made) > 0.8


def test_a_regression_teaches_numbers(trees: Case) -> None:
    from lightgbm import LGBMRegressor

    frame = trees.data.train.with_columns(label=pl.col("a") * 3 - pl.col("b"))
    matrix = frame.select("a", "b", "c", "d").to_pandas()
    teacher = LGBMRegressor(n_estimators=60, n_jobs=1, verbose=-1).fit(matrix, frame["label"].to_numpy())
    test = trees.data.test.with_columns(label=pl.col("a") * 3 - pl.col("b"))
    data = replace(trees.data, train=frame, validation=frame[:200], test=test, classes=())
    cache = trees.context.stage / "numbers"
    cache.mkdir(exist_ok=True)
    subject = Subject(ensemble=teacher)
    case = Case(subject, data, replace(trees.context, original=subject, data=data, cache=cache))
    made = case.applied(Distil(student="linear"))
    said = subject_scores(made, test, case.context)[:, 0]
    assert np.corrcoef(said, test["label"].to_numpy())[0, 1] > 0.99
    assert len(made.notes["distil"]["tried"]) == 2  # type: ignore[arg-type]


@pytest.mark.parametrize("student", ["boosted", "forest", "tree", "linear"])
def test_a_student_keeps_the_order_of_its_teachers_classes(numbers: Case, student: Any, tmp_path: Path) -> None:
    turned = ("yes", "no")
    data = replace(numbers.data, classes=turned)
    model = numbers.subject.module()
    head = deepcopy(model.module)
    with torch.no_grad():
        for one in (head.layers[-1].weight, head.layers[-1].bias):  # type: ignore[index, union-attr]
            one.copy_(one.flip(0))
    subject = Subject(torch=replace(model, classes=turned).with_module(head))
    case = Case(subject, data, replace(numbers.context, original=subject, data=data, cache=tmp_path))
    made = case.applied(Distil(student=student, trees=20, **SETTLED))
    imported = import_model(made.ensemble, inputs=data.inputs, columns=made.columns)
    said = imported.answer(data.test)
    assert imported.classes == turned
    assert (said["prediction"] == data.test["label"].to_numpy()).mean() > 0.85
    assert (np.where(said["probability"] > 0.5, "no", "yes") == data.test["label"].to_numpy()).mean() > 0.85


def test_a_class_that_is_never_learnt_from_is_named() -> None:
    from sklearn.linear_model import LogisticRegression

    fitted = LogisticRegression().fit([[0.0], [1.0]], [0, 2])
    with pytest.raises(InputError, match='no row to learn from says "maybe"; allowed: rows of every class'):
        with_classes(fitted, ["no", "maybe", "yes"])


def test_mixtures_are_tried_and_the_best_is_kept(trees: Case) -> None:
    made = trees.applied(Distil(student="tree", leaves=8))
    tried: Any = made.notes["distil"]["tried"]
    best = min(tried, key=lambda one: one["loss"])
    chosen = (made.notes["distil"]["temperature"], made.notes["distil"]["teacher_share"])
    assert len({one["loss"] for one in tried}) > 1
    assert chosen == (best["temperature"], best["teacher_share"])


def test_weighted_rows_have_the_gradient_of_soft_targets() -> None:
    scores = np.array([[0.0, 3.0], [1.0, 0.0], [0.0, 0.5]], np.float32)
    shares = mixed(scores, np.array([1, 1, -1]), teacher_share=0.5, temperature=2.0)
    lesson = weighted(shares)
    again = np.zeros_like(shares)
    np.add.at(again, (lesson.rows, lesson.targets), lesson.weights)
    assert np.allclose(again, shares) and np.allclose(again.sum(axis=1), 1)
    assert shares[2, 1] == pytest.approx(1 / (1 + np.exp(-0.25)))


def test_a_teacher_that_gives_only_labels_is_refused(trees: Case) -> None:
    from sklearn.svm import LinearSVC

    frame = trees.data.train
    fitted = LinearSVC().fit(frame.select("a", "b", "c", "d").to_pandas(), frame["label"].to_numpy())
    cache = trees.context.stage / "labels"
    cache.mkdir(exist_ok=True)
    subject = Subject(ensemble=fitted)
    context = replace(trees.context, original=subject, cache=cache)
    with pytest.raises(ModelError, match="teacher: gives prediction, score; allowed: classes with probabilities"):
        taught_estimator(subject, context, Distil(student="tree"))


def test_a_teacher_of_other_classes_is_refused(trees: Case) -> None:
    data = replace(trees.data, classes=("maybe", "no", "yes"))
    cache = trees.context.stage / "classes"
    cache.mkdir(exist_ok=True)
    context = replace(trees.context, data=data, cache=cache)
    with pytest.raises(ModelError, match="teacher: 2 scores a row; allowed: one for each of"):
        taught_estimator(trees.subject, context, Distil(student="tree"))


def test_images_are_read_by_no_tree(images: Case) -> None:
    with pytest.raises(ModelError, match=r'the teacher reads "image" is Tensor.*choose student = "layers" or "module"'):
        images.applied(Distil(student="forest"))


@pytest.mark.parametrize(
    ("student", "settings", "least"),
    [
        ("boosted", {"trees": 40, "leaves": 7}, 0.95),
        ("forest", {"trees": 20, "leaves": 64}, 0.95),
        ("linear", {}, 0.85),  # it cannot see that "not very good" is bad
    ],
)
def test_a_transformer_teaches_a_student_that_reads_the_same_texts(
    texts: Case, student: Any, settings: dict[str, Any], least: float
) -> None:
    made = texts.applied(Distil(student=student, **settings, **SETTLED))
    imported = import_model(made.ensemble, inputs=texts.data.inputs)
    assert [block.kind for block in imported.blocks] == ["tokens"]
    assert right(texts, made) > least


def test_what_a_text_student_says_is_what_its_one_graph_says(texts: Case) -> None:
    made = texts.applied(Distil(student="boosted", trees=20, leaves=7, **SETTLED))
    imported = import_model(made.ensemble, inputs=texts.data.inputs)
    predictor = un.Predictor("mood", request={"text": un.String}, time="asked_at", features=())
    graph = build_graph(predictor, [], imported, [])
    rows = pl.DataFrame({"text": [*texts.data.test["text"], None, "", "no word that is known"]})
    said = Session(graph.onnx).run(np.empty((rows.height, 0)), graph.encode(rows))
    assert np.allclose(said["probability"], imported.answer(rows)["probability"], rtol=0, atol=1e-15)


def test_texts_without_words_teach_nothing(texts: Case) -> None:
    silent = texts.data.train.with_columns(text=pl.lit("?!"))
    data = replace(texts.data, train=silent)
    cache = texts.context.stage / "silent"
    cache.mkdir(exist_ok=True)
    with pytest.raises(InputError, match=r"data: .*; allowed: rows with words or numbers"):
        taught_estimator(texts.subject, replace(texts.context, data=data, cache=cache), Distil(student="linear"))
