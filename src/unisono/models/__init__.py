"""The one graph: transforms, importers, verification, sessions.

Names are resolved when they are asked for, so that a server that only runs graphs loads none of what makes them.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING

# onnxruntime sends usage data unless this is set before it is imported, and spox and ndonnx import it too.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

if TYPE_CHECKING:
    from unisono.models.deriving import derive
    from unisono.models.golden import GoldenRows, choose_golden
    from unisono.models.golden_check import check_golden
    from unisono.models.graph import build_graph
    from unisono.models.helpers import category, fill_null, is_null
    from unisono.models.importers import import_model
    from unisono.models.importers.base import ImportedModel, Importer
    from unisono.models.passport import Passport, make_passport, read_passport
    from unisono.models.predictor_graph import PredictorGraph, load_graph
    from unisono.models.session import Session
    from unisono.models.traced import TracedTransform, load_transform
    from unisono.models.transforms import trace
    from unisono.models.verification import Verification, verify, verify_with_edges

_HOMES = {
    "GoldenRows": "golden",
    "ImportedModel": "importers.base",
    "Importer": "importers.base",
    "Passport": "passport",
    "PredictorGraph": "predictor_graph",
    "Session": "session",
    "TracedTransform": "traced",
    "Verification": "verification",
    "build_graph": "graph",
    "category": "helpers",
    "check_golden": "golden_check",
    "choose_golden": "golden",
    "derive": "deriving",
    "fill_null": "helpers",
    "import_model": "importers",
    "is_null": "helpers",
    "load_graph": "predictor_graph",
    "load_transform": "traced",
    "make_passport": "passport",
    "read_passport": "passport",
    "trace": "transforms",
    "verify": "verification",
    "verify_with_edges": "verification",
}

__all__ = [
    "GoldenRows",
    "ImportedModel",
    "Importer",
    "Passport",
    "PredictorGraph",
    "Session",
    "TracedTransform",
    "Verification",
    "build_graph",
    "category",
    "check_golden",
    "choose_golden",
    "derive",
    "fill_null",
    "import_model",
    "is_null",
    "load_graph",
    "load_transform",
    "make_passport",
    "read_passport",
    "trace",
    "verify",
    "verify_with_edges",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
