"""30 % of the nodes of a fine-tuned MiniLM and of an EfficientNet-lite0 away, the worst slice within two points?

Without training afterwards the same recipe has to be refused by its budget. The row's figures are of MiniLM; those of
EfficientNet are among the peers, both sides of them.
"""

from __future__ import annotations

from typing import Any

from benchmarks.compress.bench import Bench
from benchmarks.compress.efficientnet import efficientnet
from benchmarks.compress.row import Figures, Row, Target, at_most, figures, sides
from unisono.compress.report.document import ReportJson
from unisono.spec.errors import ModelError

_SHARE, _POINTS = 0.3, 2
_STEP: dict[str, Any] = {"step": "prune_nodes", "share": _SHARE}
_TRAINED: dict[str, dict[str, Any]] = {
    "sentiment": {"rounds": 2, "epochs": 1, "rows": 8000, "learning_rate": 5e-5, "teacher_share": 1.0},
    "animals": {"rounds": 2, "epochs": 2, "learning_rate": 1e-3, "teacher_share": 1.0, "batch_rows": 64},
}
"""By the scores of the original alone: labels make it better in all, and worse in one slice or another."""

_BOUNDS = {"sentiment": None, "animals": 1e-4}
"""Between module and graph: 50 convolutions one after the other, in float32, are up to 3e-5 apart in a probability."""


def run(bench: Bench) -> Row:
    """The row."""
    models = {
        "sentiment": bench.sentiment_teacher(),
        "animals": efficientnet(bench.folder, bench.data("animals")),
    }
    reports, peers = {}, dict[str, Figures]()
    targets: list[Target] = []
    for name, model in models.items():
        reports[name] = bench.compress(name, _recipe(name, {**_STEP, **_TRAINED[name], "precision": "bfloat16"}), model)
        at_once = bench.compress(name, _recipe(name, _STEP), model)
        peers[f"{name}, no training"] = figures(at_once.result, at_once)
        targets.append(at_most(f"{name}: points lost in the worst slice", _lost(reports[name]), _POINTS))
        targets.append(_refused(bench, name, model))
    peers["animals, original"], peers["animals, result"] = sides(reports["animals"])
    original, result = sides(reports["sentiment"])
    rows = " and ".join(f"{report.rows:,}" for report in reports.values())
    return Row(
        row="nodes",
        original=original,
        result=result,
        peers=peers,
        targets=tuple(targets),
        notes=(
            f"{_SHARE:.0%} of the heads and of the neurons of MiniLM, and of the channels of EfficientNet-lite0, whose "
            f"weights of ImageNet were trained further on drawings; {rows} rows to judge by.",
        ),
    )


def _recipe(name: str, step: dict[str, Any]) -> dict[str, Any]:
    return {"steps": [step], "runtime": "onnxruntime", "bound": _BOUNDS[name]}


def _lost(report: ReportJson) -> float:
    return 0.0 if report.worst_slice is None else -report.worst_slice.change.value


def _refused(bench: Bench, name: str, model: object) -> Target:
    """Whether the budget refuses the nodes that went without training."""
    try:
        bench.compress(name, {**_recipe(name, _STEP), "budget": {"worst_slice": _POINTS}}, model)
    except ModelError as error:
        return Target(name=f"{name}: refused without training", value=1, wanted="yes", is_met="slice" in str(error))
    return Target(name=f"{name}: refused without training", value=0, wanted="yes", is_met=False)
