"""What a linear model makes of the words of texts, for trees."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from unisono.compress.distil.words import columns_of, learnt

WORDS = ("good", "bad", "plain")


def texts_of(rows: int, *, classes: int, words: int) -> tuple[list[str], NDArray[np.float64]]:
    """Texts whose first word says the class, with some of so many others; and what it says."""
    random = np.random.default_rng(0)
    places = random.integers(0, classes, rows)
    others = random.integers(0, words, (rows, 3))
    texts = [" ".join([WORDS[place], *(f"w{one}" for one in row)]) for place, row in zip(places, others, strict=True)]
    return texts, np.eye(classes)[places]


@pytest.mark.parametrize(("classes", "outputs"), [(2, 1), (3, 3)])
def test_the_words_that_tell_classes_apart_are_kept_first(classes: int, outputs: int) -> None:
    texts, shares = texts_of(300, classes=classes, words=40)
    found = learnt(texts, shares, most=20, seed=0, progress=silent)
    assert set(found.terms[:classes]) <= set(WORDS)
    assert len(found.terms) == 20 and found.scores.coef.shape == (outputs, 20)
    assert found.crossed.shape == (300, outputs)


def test_a_score_is_of_a_model_that_has_not_seen_the_row() -> None:
    texts = [text.partition(" ")[2] for text in texts_of(400, classes=2, words=2000)[0]]
    chance = np.eye(2)[np.random.default_rng(0).integers(0, 2, 400)]
    found = learnt(texts, chance, most=3000, seed=0, progress=silent)
    seen = found.scores.transform(columns_of("linear", found, most=3000).fit_transform(texts))
    right = chance[:, 1] == 1
    assert ((seen[:, 0] > 0) == right).mean() > 0.6
    assert abs(((found.crossed[:, 0] > 0) == right).mean() - 0.5) < 0.1


def test_trees_get_some_counts_and_the_score_last() -> None:
    texts, shares = texts_of(300, classes=2, words=40)
    found = learnt(texts, shares, most=20, seed=0, progress=silent)
    matrix = columns_of("boosted", found, most=20).fit_transform(texts).toarray()
    counts = columns_of("linear", found, most=20).fit_transform(texts)
    assert matrix.shape == (300, 5 + 1)
    assert np.allclose(matrix[:, -1:], found.scores.transform(counts))


def silent(*told: object) -> None:
    """Progress that nobody wants to see."""
