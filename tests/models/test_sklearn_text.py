"""Words of texts, counted by scikit-learn and by the graph."""

from __future__ import annotations

import re
import sys
import unicodedata
from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.preprocessing import OneHotEncoder

import unisono as un
from unisono.models import Session, build_graph, import_model, verify_with_edges
from unisono.models.importers.sklearn_text import words_by_column
from unisono.models.verifying.edges import edge_rows
from unisono.models.verifying.operators import unsure_operators
from unisono.spec.errors import ModelError
from unisono.spec.types import DType

ROWS = 120
WORDS = ("good", "bad", "not", "Very", "film", "naïve", "don't", "the", "a", "o_o", "straße", "東京", "42", "x²")
TEXT = ["text"]
INPUTS: Mapping[str, DType] = {"text": un.String, "side": un.String, "size": un.Float64}


def rows() -> pl.DataFrame:
    """Texts of some words with all sorts of signs between them, and two more columns."""
    random = np.random.default_rng(0)
    signs = (" ", "  ", ", ", "-", "\n", "! ")
    texts = [
        "".join(str(random.choice(WORDS)) + str(random.choice(signs)) for _ in range(random.integers(0, 12)))
        for _ in range(ROWS)
    ]
    sides = random.choice(["north", "south"], ROWS)
    return pl.DataFrame({"text": texts, "side": sides, "size": random.normal(size=ROWS)}).with_columns(
        label=pl.Series(["good" in text and "not" not in text for text in texts]).cast(pl.Int64)
    )


def words(kind: Any = TfidfVectorizer, **settings: Any) -> Any:
    """A vectorizer as most use it."""
    return kind(**{"ngram_range": (1, 2), "token_pattern": r"(?u)\b\w+\b", **settings})


def answers(model: Any, frame: pl.DataFrame, columns: list[str] | None = TEXT) -> tuple[Any, Any]:
    """What the graph says and what the model says, row by row."""
    predictor = un.Predictor("mood", request=INPUTS, time="asked_at", features=())
    imported = import_model(model, inputs=INPUTS, columns=columns)
    graph = build_graph(predictor, [], imported, [])
    session = Session(graph.onnx)
    said = session.run(np.empty((frame.height, 0)), graph.encode(frame))
    return said["probability"], imported.answer(frame)["probability"]


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"sublinear_tf": True},
        {"norm": "l1", "use_idf": False},
        {"norm": None, "binary": True, "lowercase": False},
        {"token_pattern": r"(?u)\b\w\w+\b", "ngram_range": (2, 3), "max_features": 20},
        {"stop_words": ["the"], "ngram_range": (1, 1)},
    ],
)
def test_the_graph_weighs_words_as_scikit_learn_does(settings: dict[str, Any]) -> None:
    frame = rows()
    model = Pipeline([("words", words(**settings)), ("model", LogisticRegression())])
    model.fit(frame["text"].to_list(), frame["label"].to_numpy())
    graph, own = answers(model, frame)
    assert np.allclose(graph, own, rtol=0, atol=1e-14)


def test_trees_on_counts_give_the_bits_of_scikit_learn() -> None:
    frame = rows()
    model = Pipeline([("words", words(CountVectorizer)), ("model", ExtraTreesClassifier(10, random_state=0))])
    model.fit(frame["text"].to_list(), frame["label"].to_numpy())
    graph, own = answers(model, frame)
    assert np.array_equal(graph, own)


def test_texts_stand_beside_numbers_and_categories() -> None:
    frame = rows()
    columns = ColumnTransformer(
        [
            ("words", FeatureUnion([("one", words()), ("two", words(CountVectorizer, max_features=9))]), "text"),
            ("sides", OneHotEncoder(), ["side"]),
            ("sizes", "passthrough", ["size"]),
        ]
    )
    model = Pipeline([("columns", columns), ("model", LogisticRegression(max_iter=1000))])
    model.fit(frame.drop("label"), frame["label"].to_numpy())
    graph, own = answers(model, frame.with_columns(text=pl.when(pl.col("size") > 0).then(pl.col("text"))), None)
    assert np.allclose(graph, own, rtol=0, atol=1e-14)


def test_counts_and_weights_may_be_two_steps() -> None:
    frame = rows()
    model = Pipeline(
        [("counts", words(CountVectorizer)), ("weights", TfidfTransformer()), ("model", LogisticRegression())]
    )
    model.fit(frame["text"].to_list(), frame["label"].to_numpy())
    graph, own = answers(model, frame)
    assert np.allclose(graph, own, rtol=0, atol=1e-14)


def test_trees_on_words_and_numbers_are_verified_at_their_splits() -> None:
    frame = rows()
    columns = ColumnTransformer([("words", words(CountVectorizer), "text"), ("sizes", "passthrough", ["size"])])
    target = (frame["label"] == 1) ^ (frame["size"] > 0.3)
    model = Pipeline([("columns", columns), ("model", ExtraTreesClassifier(3, random_state=0))])
    model.fit(frame.select("text", "size"), target.to_numpy())
    predictor = un.Predictor("mood", request=INPUTS, time="asked_at", features=())
    imported = import_model(model, inputs=INPUTS)
    verified = verify_with_edges(build_graph(predictor, [], imported, []), imported, frame)
    assert verified.verification.numeric_class == "exact"
    edges = edge_rows(build_graph(predictor, [], imported, []), imported, frame, [])
    assert edges.splits > 0


def test_counting_is_exact_on_every_machine() -> None:
    import onnx

    frame = rows()
    model = Pipeline([("words", words()), ("model", ExtraTreesClassifier(3, random_state=0))])
    model.fit(frame["text"].to_list(), frame["label"].to_numpy())
    graph = import_model(model, inputs=INPUTS, columns=TEXT).graph
    assert not unsure_operators(onnx.load_model_from_string(graph))


@pytest.mark.slow
def test_a_letter_is_one_to_the_tokenizer_if_it_is_one_to_python() -> None:
    known = [chr(code) for code in range(sys.maxunicode) if unicodedata.category(chr(code)) not in ("Cn", "Cs", "Co")]
    vectorizer = words(CountVectorizer, lowercase=False, vocabulary=["x"]).fit([])
    tokenizer = words_by_column(vectorizer, ["text"])["text"].tokenizer
    found = [letter for letter in known if len(tokenizer.ids(f" {letter} ")) == 2]
    assert set(found) == {letter for letter in known if re.match(r"\w", letter)}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"analyzer": "char", "token_pattern": None}, 'with analyzer "?char"?.*; allowed: .word.'),
        ({"token_pattern": "[a-z]+"}, r"with token_pattern .*; allowed: .*\\b"),
        ({"strip_accents": "unicode"}, "with strip_accents .*; allowed: None"),
        ({"preprocessor": str.upper}, "with preprocessor .*; allowed: None"),
        ({"stop_words": ["the"]}, "stop_words and pairs of words; allowed: one of the two"),
    ],
)
def test_words_that_are_found_in_ways_of_ones_own_are_refused(settings: dict[str, Any], message: str) -> None:
    frame = rows()
    model = Pipeline([("words", words(**settings)), ("model", LogisticRegression())])
    model.fit(frame["text"].to_list(), frame["label"].to_numpy())
    with pytest.raises(ModelError, match=message):
        import_model(model, inputs=INPUTS, columns=TEXT)


def test_a_text_is_cut_into_words_in_one_way() -> None:
    frame = rows()
    both = FeatureUnion([("one", words()), ("two", words(lowercase=False))])
    model = Pipeline([("words", both), ("model", LogisticRegression())])
    model.fit(frame["text"].to_list(), frame["label"].to_numpy())
    with pytest.raises(ModelError, match="cut into words in 2 ways; allowed: one token_pattern and one lowercase"):
        import_model(model, inputs=INPUTS, columns=TEXT)


def test_a_text_is_no_category_as_well() -> None:
    frame = rows()
    columns = ColumnTransformer([("words", words(), "text"), ("which", OneHotEncoder(), ["text"])])
    model = Pipeline([("columns", columns), ("model", LogisticRegression())])
    model.fit(frame.drop("label"), frame["label"].to_numpy())
    with pytest.raises(ModelError, match="a text whose words are counted by another step; allowed: one or the other"):
        import_model(model, inputs=INPUTS)
