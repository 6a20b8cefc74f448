"""unisono: one definition of a feature or a prediction, one answer, wherever it is computed."""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING

from unisono.spec.aggregations import count, first, last, max, mean, min, range, std, sum, var
from unisono.spec.errors import (
    DefinitionError,
    InputError,
    ModelError,
    ParityError,
    StateError,
    StoreError,
    UnisonoError,
)
from unisono.spec.predictor import Label, Predictor
from unisono.spec.source import Source
from unisono.spec.transform import Transform, transform
from unisono.spec.types import Bool, Decimal, Float64, Int64, String, Tensor, Timestamp
from unisono.spec.view import FeatureView

if TYPE_CHECKING:
    from unisono.client import AsyncClient, Client
    from unisono.drivers.memory import point_in_time, stream
    from unisono.drivers.project import load
    from unisono.models.helpers import category, fill_null, is_null

__version__ = "0.1.0"

# onnxruntime sends telemetry as soon as anything imports it, ndonnx for one, unless this is set before.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

__all__ = [
    "AsyncClient",
    "Bool",
    "Client",
    "Decimal",
    "DefinitionError",
    "FeatureView",
    "Float64",
    "InputError",
    "Int64",
    "Label",
    "ModelError",
    "ParityError",
    "Predictor",
    "Source",
    "StateError",
    "StoreError",
    "String",
    "Tensor",
    "Timestamp",
    "Transform",
    "UnisonoError",
    "__version__",
    "category",
    "count",
    "fill_null",
    "first",
    "is_null",
    "last",
    "load",
    "max",
    "mean",
    "min",
    "point_in_time",
    "range",
    "std",
    "stream",
    "sum",
    "transform",
    "var",
]

# What runs things needs numpy, polars and more; whoever only defines, or asks for --help, does not wait for them.
_LAZY = {
    "AsyncClient": "unisono.client",
    "Client": "unisono.client",
    "category": "unisono.models.helpers",
    "fill_null": "unisono.models.helpers",
    "is_null": "unisono.models.helpers",
    "load": "unisono.drivers.project",
    "point_in_time": "unisono.drivers.memory",
    "stream": "unisono.drivers.memory",
}


if not TYPE_CHECKING:  # a type checker that saw this would take every misspelt name for an object

    def __getattr__(name: str) -> object:
        if name not in _LAZY:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(import_module(_LAZY[name]), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return __all__
