"""Which words of a text are worth a column, and what they say together.

A linear model on all words and pairs of words learns what the teacher says. Its weights tell which terms to keep, and
its score is a column for trees, which by themselves are slow to add up many small hints. Trees learn from the scores of
models that have not seen the row (cross-fitting: Wolpert 1992); else they would trust a score that is only so good on
the rows it was learnt from.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import KFold
from sklearn.pipeline import FeatureUnion, Pipeline

from unisono.compress.distil.scores import LinearScores
from unisono.compress.distil.soft import weighted
from unisono.spec.progress import Progress

_PATTERN = r"(?u)\b\w+\b"  # one letter is a word, too: the "t" of "don't"
_FEWEST_ROWS = 2  # that a term has to be in
_MOST_TERMS = 100_000  # that are looked at
_FOLDS = 3
_COUNTED = 4  # of so many terms that have a weight, one is counted for trees


@dataclass(frozen=True, slots=True)
class Learnt:
    """What was found out about the texts of a column.

    terms:   words and pairs of words, the weightiest first.
    scores:  of the linear model on those.
    crossed: for each row the scores of a model that has not seen it, rows x outputs.
    """

    terms: tuple[str, ...]
    scores: LinearScores
    crossed: NDArray[np.float64]


def linear_model(*, has_classes: bool, seed: int) -> Any:
    """A linear model that is not fitted."""
    if not has_classes:
        return Ridge(random_state=seed)
    return LogisticRegression(C=_LOOSE, max_iter=1000, random_state=seed)


_LOOSE = 0.3  # inverse strength of the penalty, for counts


def counting(terms: Sequence[str] | None = None) -> Any:
    """What counts terms, not fitted. terms: None: all that come often enough.

    Counts as they are: on short texts a linear model says about as much of them as of weights that are scaled to one
    length, and the graph needs little more than half of the time (decision 0024).
    """
    usual: dict[str, Any] = {"token_pattern": _PATTERN, "ngram_range": (1, 2), "dtype": np.float64}
    if terms is None:
        return CountVectorizer(min_df=_FEWEST_ROWS, max_features=_MOST_TERMS, **usual)
    return CountVectorizer(vocabulary=list(terms), **usual)


def learnt(texts: Sequence[str], shares: NDArray[np.float64], *, most: int, seed: int, progress: Progress) -> Learnt:
    """What the texts of a column say.

    shares: of each class in each row, or rows x 1: numbers.
    most:   terms that are kept.

    Raises ValueError, scikit-learn's own, for texts without words.
    """
    says = "reading the texts"
    progress(says, 0, _FOLDS + 2)
    vectorizer = counting()
    matrix = vectorizer.fit_transform(texts)
    whole = _fitted(matrix, shares, seed)
    names = vectorizer.get_feature_names_out()
    progress(says, 1, _FOLDS + 2)
    rows_with = np.asarray((matrix > 0).sum(axis=0)).ravel()
    weight = np.abs(np.atleast_2d(whole.coef_)).max(axis=0) * np.sqrt(rows_with)
    kept = np.argsort(-weight, kind="stable")[:most]
    crossed = np.zeros((len(shares), len(np.atleast_2d(whole.coef_))))
    for fold, (others, own) in enumerate(KFold(_FOLDS, shuffle=True, random_state=seed).split(shares)):
        crossed[own] = _said(_fitted(matrix[others], shares[others], seed), matrix[own])
        progress(says, 2 + fold, _FOLDS + 2)
    terms = tuple(str(name) for name in names[kept])
    return Learnt(terms, _scores(_fitted(counting(terms).fit_transform(texts), shares, seed)), crossed)


def _fitted(matrix: Any, shares: NDArray[np.float64], seed: int) -> Any:
    lesson = weighted(shares)
    model = linear_model(has_classes=shares.shape[1] > 1, seed=seed)
    return model.fit(matrix[lesson.rows], lesson.targets, sample_weight=lesson.weights)


def _said(model: Any, matrix: Any) -> NDArray[np.float64]:
    return _scores(model).transform(matrix)


def _scores(model: Any) -> LinearScores:
    return LinearScores(np.atleast_2d(model.coef_).astype(np.float64), np.atleast_1d(model.intercept_))


def columns_of(student: str, found: Learnt, *, most: int) -> Any:
    """What makes the columns of a text: counts for a linear model; for trees its score, and a quarter of the counts."""
    if student == "linear":
        return counting(found.terms)
    score = Pipeline([("counts", counting(found.terms)), ("score", found.scores)])
    return FeatureUnion([("counts", counting(found.terms[: max(most // _COUNTED, 1)])), ("score", score)])
