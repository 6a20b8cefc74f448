"""What a step can work on."""

from __future__ import annotations

from typing import Literal

Kind = Literal["torch", "ensemble", "graph"]
"""torch: a module of PyTorch, alone or with its tokenizer; ensemble: fitted trees or another model of scikit-learn or
LightGBM; graph: the model's ONNX graph, as an importer makes it. The first two become a graph, never the other way."""
