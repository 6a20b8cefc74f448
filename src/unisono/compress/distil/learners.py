"""The students of scikit-learn and LightGBM, and what each of them reads."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from unisono.compress.distil.reading import Reading
from unisono.spec.errors import InputError, ModelError
from unisono.spec.wording import listing, quoted


class Settings(Protocol):
    """Of such a student."""

    @property
    def trees(self) -> int: ...
    @property
    def leaves(self) -> int: ...


Learner = Callable[[Settings, bool, int], Any]
"""Makes an estimator that is not fitted, from settings, whether it tells classes apart, and a seed."""


def _forest(settings: Settings, has_classes: bool, seed: int) -> Any:
    from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor

    kind: Any = ExtraTreesClassifier if has_classes else ExtraTreesRegressor
    return kind(
        n_estimators=settings.trees, max_leaf_nodes=settings.leaves, max_features="sqrt", n_jobs=1, random_state=seed
    )


def _boosted(settings: Settings, has_classes: bool, seed: int) -> Any:
    try:
        from lightgbm import LGBMClassifier, LGBMRegressor
    except ImportError as error:
        raise ModelError(
            'distil: student = "boosted" without LightGBM; allowed: with it; run `pip install lightgbm`, or choose '
            '"forest"'
        ) from error
    kind: Any = LGBMClassifier if has_classes else LGBMRegressor
    return kind(
        n_estimators=settings.trees,
        num_leaves=settings.leaves,
        learning_rate=0.1,
        min_child_samples=10,
        n_jobs=1,
        random_state=seed,
        deterministic=True,
        force_col_wise=True,
        verbose=-1,
    )


def _tree(settings: Settings, has_classes: bool, seed: int) -> Any:
    from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

    kind: Any = DecisionTreeClassifier if has_classes else DecisionTreeRegressor
    return kind(max_leaf_nodes=settings.leaves, min_samples_leaf=5, random_state=seed)


def _linear(settings: Settings, has_classes: bool, seed: int) -> Any:
    from unisono.compress.distil.words import linear_model

    return linear_model(has_classes=has_classes, seed=seed)


LEARNERS: Mapping[str, Learner] = {"forest": _forest, "boosted": _boosted, "tree": _tree, "linear": _linear}
"""Name of a student -> what makes it."""


def with_classes(model: Any, classes: Sequence[Any]) -> Any:
    """A classifier that was fitted on the places of classes, with their labels in that order.

    It would have sorted them. The teacher's order decides of which class `probability` is, and that has to stay so.

    Raises InputError if a class is never learnt from.
    """
    known = {int(place) for place in model.classes_}
    unseen = [one for place, one in enumerate(classes) if place not in known]
    if unseen:
        raise InputError(
            f"data: no row to learn from says {listing(quoted(one) for one in unseen)}; allowed: rows of every class; "
            "give more rows"
        )
    labels = np.array(classes)
    if hasattr(model, "_le"):  # LightGBM's
        model._le.classes_ = model._classes = labels
    else:
        model.classes_ = labels
    return model


def takes_gaps(student: str) -> bool:
    """Whether it learns from NaN by itself: a linear model does not."""
    return student != "linear"


def columns_for(student: str, reading: Reading, texts: Mapping[str, Any]) -> Any:
    """What makes a student's matrix of a frame, a ColumnTransformer that is not fitted; None: the numbers as they are.

    texts: what makes the columns of each text.
    """
    from sklearn.compose import ColumnTransformer
    from sklearn.preprocessing import OneHotEncoder

    if not reading.categories and not reading.texts and takes_gaps(student):
        return None
    parts: list[tuple[str, Any, str | Sequence[str]]] = []
    if reading.numbers:
        parts.append(("numbers", _numbers(student, reading), list(reading.numbers)))
    if reading.categories:
        parts.append(("categories", OneHotEncoder(handle_unknown="ignore"), list(reading.categories)))
    parts += [(text_part(name), texts[name], name) for name in reading.texts]
    return ColumnTransformer(parts, sparse_threshold=1.0)


def text_part(name: str) -> str:
    """What the columns of a text are called in the ColumnTransformer."""
    return f"words of {name}"


def _numbers(student: str, reading: Reading) -> Any:
    """Where gaps are a column's median; trees of scikit-learn take NaN in no sparse matrix, a linear model in none."""
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    if student == "boosted":
        return "passthrough"
    filled = SimpleImputer(strategy="median", keep_empty_features=True)
    return filled if student != "linear" else make_pipeline(filled, StandardScaler())
