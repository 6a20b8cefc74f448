"""Fitted models as graphs: one adapter a library, found by the entry-point group `unisono.importers`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points

from unisono.models.importers.base import ImportedModel, Importer
from unisono.spec.errors import ModelError
from unisono.spec.types import DType
from unisono.spec.wording import listing, quoted

GROUP = "unisono.importers"

# The same as the entry points of this package, for a source tree that is not installed.
_OURS = {
    "lightgbm": "unisono.models.importers.lightgbm:LightGBM",
    "mlflow": "unisono.models.importers.mlflow:Mlflow",
    "onnx": "unisono.models.importers.onnx_file:Onnx",
    "sklearn": "unisono.models.importers.sklearn:Sklearn",
    "torch": "unisono.models.importers.torch:Torch",
    "huggingface": "unisono.models.importers.huggingface:HuggingFace",
    "catboost": "unisono.models.importers.catboost:CatBoost",
    "xgboost": "unisono.models.importers.xgboost:XGBoost",
}


@cache
def importers() -> Mapping[str, Importer]:
    """Every importer, by name. One that is installed takes the place of ours of the same name."""
    ours = {name: _load(place) for name, place in _OURS.items()}
    return {**ours, **{point.name: point.load()() for point in entry_points(group=GROUP)}}


def _load(place: str) -> Importer:
    module, _, name = place.partition(":")
    made: Importer = getattr(import_module(module), name)()
    return made


def import_model(model: object, *, inputs: Mapping[str, DType], columns: Sequence[str] | None = None) -> ImportedModel:
    """A fitted model as a graph.

    model:   of scikit-learn, LightGBM, XGBoost, CatBoost, PyTorch or Hugging Face (with its tokenizer), or an ONNX
             model; docs/models.md says which of each.
    inputs:  every column that it could have been fitted on (request, features, derived), with dtypes.
    columns: the names of its columns in training order, for a model that was fitted on a bare matrix and knows none.

    Raises ModelError if there is no importer for it, or its columns are not among the inputs.
    """
    importer = _find(importers().values(), model)
    if importer is None:
        kind = f"{type(model).__module__}.{type(model).__qualname__}"
        raise ModelError(
            f"model: {quoted(kind)}; allowed: models of {listing(importers())}; install an importer for it, "
            f"which names itself in the entry-point group {GROUP}"
        )
    return importer.import_model(model, inputs=inputs, columns=columns)


def _find(candidates: Iterable[Importer], model: object) -> Importer | None:
    # Last first: an importer that was installed knows its kind of model better than ours does.
    return next((one for one in reversed(list(candidates)) if one.accepts(model)), None)
