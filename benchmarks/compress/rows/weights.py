"""Four of five weights of a fine-tuned MiniLM become zero: an artifact three times smaller within a point?

The table of words is half of the model, and most of its words are rare: it loses more than the layers do, before them
and without training. Rows of the layers lose one share each, as Wanda was published. Peers: the same weights without
training, and the smallest weights instead of those that rows weigh least.
"""

from __future__ import annotations

from typing import Any

from benchmarks.compress.bench import Bench
from benchmarks.compress.row import Row, at_least, at_most, sides

_PREDICTOR = "sentiment"
_SHARE = 0.8
_OF_THE_TABLE, _OF_LAYERS = 0.94, 0.675
_SEEN = 20_000  # rows: a word that none of them has goes first
_TABLE: dict[str, Any] = {"include": ["*word_embeddings"], "share": _OF_THE_TABLE, "seen_rows": _SEEN}
_LAYERS: dict[str, Any] = {"include": ["*encoder*"], "share": _OF_LAYERS, "scope": "row", "seen_rows": 1000}
_TRAINED = {"rounds": 2, "epochs": 1, "rows": 12_000, "learning_rate": 1e-4, "precision": "bfloat16"}
_RECOVERY = {"step": "recover", "epochs": 2, "learning_rate": 2e-4, "teacher_share": 0.7, "precision": "bfloat16"}


def run(bench: Bench) -> Row:
    """The row."""
    teacher = bench.sentiment_teacher()
    report = bench.compress(_PREDICTOR, _recipe("wanda", _TRAINED, _RECOVERY), teacher)
    original, result = sides(report)
    peers = {
        "at once, no training": sides(bench.compress(_PREDICTOR, _recipe("wanda"), teacher))[1],
        "magnitude, at once, no training": sides(bench.compress(_PREDICTOR, _recipe("magnitude"), teacher))[1],
    }
    change = report.accuracy_change
    return Row(
        row="weights",
        original=original,
        result=result,
        peers=peers,
        targets=(
            at_least("share of all parameters that is zero", report.result.zeros / report.result.parameters, _SHARE),
            at_least("times smaller on disk", original.size_bytes / result.size_bytes, 3),
            at_most("points of accuracy lost", -change.value, 1),
        ),
        notes=(
            f"Sentences, {report.rows:,} to judge by. Lost with 95 %: {-change.high:.2f} to {-change.low:.2f} points. "
            f"Of the table of words {_OF_THE_TABLE:.0%} are zero, of the layers' weights {_OF_LAYERS:.1%}; the head, "
            "biases, norms and places are left as they are. With all of these compared with each other (the scope "
            "global), and 6,000 sentences to learn from three times, 0.8406 were right.",
        ),
    )


def _recipe(method: str, training: dict[str, Any] | None = None, *recovery: dict[str, Any]) -> dict[str, Any]:
    step = {"step": "prune_weights", "method": method}
    steps = [{**step, **_TABLE}, {**step, **_LAYERS, **(training or {})}, *recovery, {"step": "sparse"}]
    return {"steps": steps, "runtime": "onnxruntime"}
