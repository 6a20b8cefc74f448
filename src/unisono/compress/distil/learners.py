"""The students of scikit-learn and LightGBM, and what each of them reads."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from unisono.compress.distil.reading import Reading
from unisono.spec.errors import ModelError

_WORDS = r"(?u)\b\w+\b"  # one letter is a word, too: the "t" of "don't"
_FEWEST_ROWS = 2  # that a word or a pair of words has to be in


class Settings(Protocol):
    """Of such a student."""

    @property
    def trees(self) -> int: ...
    @property
    def leaves(self) -> int: ...
    @property
    def words(self) -> int: ...


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
    from sklearn.linear_model import LogisticRegression, Ridge

    return LogisticRegression(C=_WEAK, max_iter=1000, random_state=seed) if has_classes else Ridge(random_state=seed)


_WEAK = 4.0  # inverse strength of the penalty; texts of n-grams want less than 1 gives

LEARNERS: Mapping[str, Learner] = {"forest": _forest, "boosted": _boosted, "tree": _tree, "linear": _linear}
"""Name of a student -> what makes it."""


def takes_gaps(student: str) -> bool:
    """Whether it learns from NaN by itself: a linear model does not."""
    return student != "linear"


def columns_for(student: str, reading: Reading, settings: Settings) -> Any:
    """What makes a student's matrix of a frame: a ColumnTransformer; None: the numbers as they are."""
    from sklearn.compose import ColumnTransformer
    from sklearn.preprocessing import OneHotEncoder

    if not reading.categories and not reading.texts and takes_gaps(student):
        return None
    parts: list[tuple[str, Any, str | Sequence[str]]] = []
    if reading.numbers:
        parts.append(("numbers", _numbers(student, reading), list(reading.numbers)))
    if reading.categories:
        parts.append(("categories", OneHotEncoder(handle_unknown="ignore"), list(reading.categories)))
    parts += [(f"words of {name}", _words(student, settings), name) for name in reading.texts]
    return ColumnTransformer(parts, sparse_threshold=1.0)


def _numbers(student: str, reading: Reading) -> Any:
    """Where gaps are a column's median; trees of scikit-learn take NaN in no sparse matrix, a linear model in none."""
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    if student == "boosted":
        return "passthrough"
    filled = SimpleImputer(strategy="median", keep_empty_features=True)
    return filled if student != "linear" else make_pipeline(filled, StandardScaler())


def _words(student: str, settings: Settings) -> Any:
    """Words and pairs of words: counted for trees, which ask how many; weighed and normalised for a linear model."""
    from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer

    usual: dict[str, Any] = {
        "token_pattern": _WORDS,
        "ngram_range": (1, 2),
        "min_df": _FEWEST_ROWS,
        "max_features": settings.words,
        "dtype": np.float64,
    }
    return TfidfVectorizer(sublinear_tf=True, **usual) if student == "linear" else CountVectorizer(**usual)
