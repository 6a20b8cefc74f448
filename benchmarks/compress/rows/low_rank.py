"""Low rank on a fine-tuned MiniLM: 1.5 times as fast at 128 tokens within a point?

Peers: the same ranks before recovery, and plain SVD of the same size with the same share in every layer, before and
after the same recovery.
"""

from __future__ import annotations

from typing import Any

from benchmarks.compress.bench import Bench
from benchmarks.compress.long_texts import PREDICTOR, speedup_at
from benchmarks.compress.row import Figures, Row, at_least, at_most, sides

_TOKENS, _RUNTIME = 128, "onnxruntime"
_LAYERS = {"keep": 0.45, "include": ["*.encoder.*"]}
_WHITENED: dict[str, Any] = {"step": "low_rank", "method": "whitened", "allocation": "measured", **_LAYERS}
_PLAIN: dict[str, Any] = {"step": "low_rank", "method": "svd", "allocation": "equal", **_LAYERS}
_RECOVERY = {"step": "recover", "epochs": 1, "rows": 10_000, "learning_rate": 1e-4, "precision": "bfloat16"}


def run(bench: Bench) -> Row:
    """The row."""
    teacher = bench.sentiment_teacher()
    recipes = {
        "result": [_WHITENED, _RECOVERY],
        "whitened, before recovery": [_WHITENED],
        "plain SVD, after recovery": [_PLAIN, _RECOVERY],
        "plain SVD, before recovery": [_PLAIN],
    }
    documents = {name: {"steps": steps, "runtime": _RUNTIME} for name, steps in recipes.items()}
    reports = {name: bench.compress(PREDICTOR, one, teacher) for name, one in documents.items()}
    peers: dict[str, Figures] = {name: sides(report)[1] for name, report in reports.items() if name != "result"}
    report = reports["result"]
    original, result = sides(report)
    faster = speedup_at(bench, documents["result"], teacher, _TOKENS, runtime=_RUNTIME)
    change = report.accuracy_change
    return Row(
        row="low-rank",
        original=original,
        result=result,
        peers=peers,
        targets=(
            at_least(f"times as fast, {_TOKENS} tokens", faster.value, 1.5),
            at_most("points of accuracy lost", -change.value, 1),
        ),
        notes=(
            f"Sentences, {report.rows:,} to judge by. Lost with 95 %: {-change.high:.2f} to {-change.low:.2f} points; "
            f"times as fast: {faster.low:.2f} to {faster.high:.2f} at {_TOKENS} tokens, {report.speedup.value:.2f} at "
            "the lengths that come, of which the table has the milliseconds. All by onnxruntime, one thread.",
            f"Every one keeps {_LAYERS['keep']:.0%} of the parameters of the encoder's linear layers; more than half "
            "of the model's are embeddings, which stay.",
        ),
    )
