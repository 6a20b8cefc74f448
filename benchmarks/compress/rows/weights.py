"""Four of five weights of a fine-tuned MiniLM become zero: an artifact three times smaller within a point?

The table of embeddings loses as many as the layers do: it is half of the model. Peers: the same weights without
training, and the smallest weights instead of those that rows weigh least.
"""

from __future__ import annotations

from typing import Any

from benchmarks.compress.bench import Bench
from benchmarks.compress.row import Row, at_least, at_most, sides

_PREDICTOR = "sentiment"
_SHARE = 0.8
_AT_ONCE: dict[str, Any] = {"step": "prune_weights", "share": _SHARE, "method": "wanda", "seen_rows": 2000}
_TRAINED = {"epochs": 1, "rows": 6000, "learning_rate": 1e-4, "precision": "bfloat16"}
_SLOWLY: dict[str, Any] = {**_AT_ONCE, "rounds": 3, **_TRAINED}
_SPARSE = {"step": "sparse"}
_PEERS = {
    "at once, no training": _AT_ONCE,
    "magnitude, at once, no training": {**_AT_ONCE, "method": "magnitude"},
}


def run(bench: Bench) -> Row:
    """The row."""
    teacher = bench.sentiment_teacher()
    report = bench.compress(_PREDICTOR, _recipe(_SLOWLY), teacher)
    original, result = sides(report)
    peers = {name: sides(bench.compress(_PREDICTOR, _recipe(step), teacher))[1] for name, step in _PEERS.items()}
    change = report.accuracy_change
    zeros = float(str(report.notes["prune_weights"]["share"]))
    return Row(
        row="weights",
        original=original,
        result=result,
        peers=peers,
        targets=(
            at_least("share of weights that is zero", zeros, _SHARE - 0.005),
            at_least("times smaller on disk", original.size_bytes / result.size_bytes, 3),
            at_most("points of accuracy lost", -change.value, 1),
        ),
        notes=(
            f"Sentences, {report.rows:,} to judge by. Lost with 95 %: {-change.high:.2f} to {-change.low:.2f} points. "
            "The weights are those of the encoder's layers and of all tables of embeddings; the head, biases and norms "
            "are left as they are.",
        ),
    )


def _recipe(step: dict[str, Any]) -> dict[str, Any]:
    return {"steps": [step, _SPARSE], "runtime": "onnxruntime"}
