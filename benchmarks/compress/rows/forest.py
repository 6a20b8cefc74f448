"""Distillation of a transformer into trees: text in, probability out, in one graph without a transformer in it.

MiniLM-L6, fine-tuned, teaches boosted trees and a linear model. Beside them stand the same two taught by the labels
alone, and TF-IDF with logistic regression as scikit-learn runs it, whose penalty the validation rows choose.
"""

from __future__ import annotations

import pickle
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np
import polars as pl

from benchmarks.compress.bench import Bench
from benchmarks.compress.row import Figures, Row, Target, at_least, figures, sides
from unisono.compress.report.statistics.proportions import share

_PENALTIES = (1.0, 4.0, 16.0)  # inverse strengths
_TIMED_ROWS = 500


def run(bench: Bench) -> Row:
    """The row."""
    teacher = bench.sentiment_teacher()
    trees = bench.compress("sentiment", _recipe("boosted", {}), teacher)
    linear = bench.compress("sentiment", _recipe("linear", {}), teacher)
    alone = bench.compress("sentiment", _recipe("boosted", {"teacher_share": 0.0, "temperature": 1.0}), teacher)
    usual = _usual(bench.data("sentiment"))
    original, result = sides(trees)
    return Row(
        row="forest",
        original=original,
        result=result,
        peers={
            "linear student": figures(linear.result, linear),
            "boosted trees, labels alone": figures(alone.result, alone),
            "TF-IDF + logistic regression, labels alone (scikit-learn)": usual,
        },
        targets=(
            at_least("times as fast", trees.speedup.value, 50),
            _beats("accuracy less that of TF-IDF + logistic regression, points", result, usual),
        ),
        notes=(
            f"Learnt from {trees.notes['distil']['rows']:,} sentences, judged by {trees.rows:,}. Temperature and share "
            f"that the validation rows chose: {trees.notes['distil']['temperature']:g} and "
            f"{trees.notes['distil']['teacher_share']:g}.",
        ),
    )


def _recipe(name: str, settings: dict[str, Any]) -> dict[str, Any]:
    step = {"step": "distil", "student": name, "trees": 200, "leaves": 15, **settings}
    return {"name": name, "steps": [step], "runtime": "onnxruntime"}


def _beats(name: str, result: Figures, other: Figures) -> Target:
    return at_least(name, 100 * (result.accuracy - other.accuracy), 0.0)


def _usual(frame: pl.DataFrame) -> Figures:
    """Words and pairs of words, as everyone does it."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    parts = {name: frame.filter(pl.col("part") == name) for name in ("train", "validation", "test")}
    texts = {name: part["text"].to_list() for name, part in parts.items()}
    labels = {name: part["sentiment"].to_numpy() for name, part in parts.items()}
    fitted = [
        make_pipeline(
            TfidfVectorizer(ngram_range=(1, 2), min_df=2, token_pattern=r"(?u)\b\w+\b", sublinear_tf=True),
            LogisticRegression(C=penalty, max_iter=1000),
        ).fit(texts["train"], labels["train"])
        for penalty in _PENALTIES
    ]
    best = max(fitted, key=lambda model: model.score(texts["validation"], labels["validation"]))
    right = best.predict(texts["test"]) == labels["test"]
    accuracy = share(int(right.sum()), len(right))
    return Figures(
        accuracy=accuracy.value,
        accuracy_low=accuracy.low,
        accuracy_high=accuracy.high,
        size_bytes=len(pickle.dumps(best)),
        parameters=int(np.size(best[-1].coef_)) + 1,
        latency_ms=_median_ms(best, texts["test"][:_TIMED_ROWS]),
    )


def _median_ms(model: Any, texts: list[str]) -> float:
    """One text at a time, by scikit-learn itself."""
    times = []
    for text in texts:
        begun = perf_counter()
        model.predict_proba([text])
        times.append(perf_counter() - begun)
    return 1e3 * median(times)
