"""A network like AlexNet and its replacement of fire modules: 50 times fewer parameters within a point?

Peers: the same blocks with nobody to teach them, and inverted residual blocks.
"""

from __future__ import annotations

from typing import Any

from benchmarks.compress.alexnet import alexnet
from benchmarks.compress.bench import Bench
from benchmarks.compress.row import Figures, Row, at_least, at_most, sides

_PREDICTOR = "animals"
_TRAINED = {"head": "pool", "epochs": 16, "batch_rows": 32, "learning_rate": 3e-3}
_FIRE: dict[str, Any] = {"step": "compact", "block": "fire", "squeeze": 0.25, **_TRAINED}
_PEERS: dict[str, dict[str, Any]] = {
    "fire, nobody teaches": {**_FIRE, "block_epochs": 0, "teacher_share": 0.0},
    "inverted residual": {**_FIRE, "block": "inverted", "expansion": 1.0},
}


def run(bench: Bench) -> Row:
    """The row."""
    network = alexnet(bench.folder, bench.data(_PREDICTOR))
    report = bench.compress(_PREDICTOR, {"steps": [_FIRE]}, network)
    original, result = sides(report)
    peers: dict[str, Figures] = {}
    for name, step in _PEERS.items():
        _, peers[name] = sides(bench.compress(_PREDICTOR, {"steps": [step]}, network))
    change = report.accuracy_change
    return Row(
        row="squeezenet",
        original=original,
        result=result,
        peers=peers,
        targets=(
            at_least("times fewer parameters", original.parameters / result.parameters, 50),
            at_most("points of accuracy lost", -change.value, 1),
        ),
        notes=(
            f"Drawings of ten animals, {report.rows:,} to judge by; copies of a drawing are in one part. Lost with "
            f"95 %: {-change.high:.2f} to {-change.low:.2f} points.",
            "The network has a third of AlexNet's channels and half of its neurons. Its head, nine parameters of ten, "
            "is pooled, as in SqueezeNet: that saves most of them, and the blocks the rest.",
            "The network itself has learnt for 8 epochs and has no batch normalisation; the blocks have it, and learn "
            "for 16 with a teacher. What they are better by is owed to that, not to being small.",
        ),
    )
