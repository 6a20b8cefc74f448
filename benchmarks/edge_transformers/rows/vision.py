"""The second family: a small ViT, trained here on drawings of animals, in whole numbers."""

from __future__ import annotations

from typing import Any

from benchmarks.compress.bench import Bench
from benchmarks.compress.row import at_least, at_most
from benchmarks.edge_transformers.row import Row, Table
from benchmarks.edge_transformers.viewer import PREDICTOR, viewer
from unisono.compress.report.document import Side

_RECIPE: dict[str, Any] = {"name": "integer-only", "steps": [{"step": "integer"}], "runtime": "onnxruntime"}


def run(bench: Bench) -> Row:
    """The row."""
    report = bench.compress(PREDICTOR, _RECIPE, viewer(bench))
    sides = {"fp32": report.original, "integer-only": report.result}
    loss = 100 * (report.original.accuracy.value - report.result.accuracy.value)
    figures: dict[str, object] = {
        "drawings": report.rows,
        "accuracy": {name: one.accuracy.value for name, one in sides.items()},
        "agreement": report.agreement.value,
        "size_bytes": {name: one.size_bytes for name, one in sides.items()},
        "latency_ms": {name: one.latency.median.value for name, one in sides.items()},
        "numeric_class": report.result.numeric_class,
    }
    return Row(
        row="vision",
        figures=figures,
        targets=(
            at_most("points of accuracy below fp32", loss, 1),
            at_least("numeric class is exact", float(report.result.numeric_class == "exact"), 1),
        ),
        tables=(
            Table(
                head=("viewer", "artifact, MB", "right", "one drawing, ms"),
                rows=[_line(name, one) for name, one in sides.items()],
            ),
        ),
        notes=(
            f"A ViT of four layers, 64 wide, 16 patches of 7 x 7, trained on packaged drawings of ten animals; judged "
            f"by {report.rows:,} of the test part, of which {report.agreement.value:.1%} are answered alike.",
        ),
    )


def _line(name: str, one: Side) -> tuple[str, ...]:
    latency = f"{one.latency.median.value:.3f}"
    return name, f"{one.size_bytes / 1e6:.2f}", f"{one.accuracy.value:.4f}", latency
