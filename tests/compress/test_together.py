"""Steps of every family go together: on a transformer, with the settings that the example's recipe has, but tiny."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import unisono as un
from tests.compress.conftest import Case, text_rows
from unisono.compress.recipe import recipe_of

DEFINITIONS = """
import unisono as un

kind = un.Predictor("kind", request={"text": un.String}, time="asked_at", features=())
"""
STEPS: list[dict[str, Any]] = [
    {
        **{"step": "distil", "student": "layers", "layers": 1, "vocabulary": 2, "epochs": 4, "learning_rate": 3e-3},
        **{"temperature": 2.0, "teacher_share": 0.5},
    },
    {"step": "low_rank_embedding", "rank": 8, "fewest": 10},
    {"step": "prune_nodes", "share": 0.3, "multiple": 1},
    {"step": "recover", "epochs": 5, "learning_rate": 3e-3},
    {"step": "quantise", "portable": False},
]


@pytest.mark.slow
def test_a_transformer_loses_layers_words_directions_nodes_and_bits(texts: Case, tmp_path: Path) -> None:
    (tmp_path / "definitions.py").write_text(DEFINITIONS)
    (tmp_path / "unisono.toml").write_text('definitions = "definitions.py"')
    settings = {"label": "label", "slices": ["side"], "group": []}
    recipe = recipe_of({"steps": STEPS, "runtime": "onnxruntime", "data": settings})
    made = un.load(tmp_path).compress(
        "kind", recipe, texts.subject.module().importable, data=text_rows(), register=False
    )
    report = made.report
    assert set(report.notes) >= {"distil", "low_rank_embedding", "prune_nodes", "quantise"}
    assert report.result.parameters < report.original.parameters / 2
    assert report.result.graph_bytes < report.original.graph_bytes / 2
    assert report.result.accuracy.value > 0.75  # one layer that hardly sees a "not" has three of four right
