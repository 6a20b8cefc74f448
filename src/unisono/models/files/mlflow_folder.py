"""Folders that MLflow wrote: MLmodel says which library's own file holds the model. MLflow itself is not needed."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from unisono.models.files import Tell, catboost_file, lightgbm_text, not_installed, onnx_file, pickles, xgboost_file
from unisono.spec.errors import ModelError
from unisono.spec.wording import listing, one_line, quoted

_MOST_BYTES = 1 << 20

Flavor = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class MlflowModel:
    """A model from a folder.

    model:   the fitted model, as its library opened it.
    columns: of the folder's signature, in order; empty if it has none, or names none.
    """

    model: object = field(repr=False)
    columns: tuple[str, ...]


def read_folder(folder: Path, tell: Tell) -> MlflowModel:
    """The model in a folder. Raises ModelError if its flavors are none that we open."""
    told = _told(folder / "MLmodel")
    flavors = told.get("flavors")
    known = [name for name in _FLAVORS if isinstance(flavors, Mapping) and isinstance(flavors.get(name), Mapping)]
    if not isinstance(flavors, Mapping) or not known:
        seen = listing(flavors) if isinstance(flavors, Mapping) else "none"
        raise ModelError(
            f"{folder}: flavors {seen}; allowed: {listing(_FLAVORS)}; log the model with one of them, or name a "
            "function that returns it"
        )
    return MlflowModel(_FLAVORS[known[0]](folder, flavors[known[0]], tell), _columns(told))


def _told(path: Path) -> Mapping[str, Any]:
    try:
        import yaml  # type: ignore[import-untyped]
    except ImportError as error:
        raise not_installed(path, "PyYAML", "pyyaml") from error
    if path.stat().st_size > _MOST_BYTES:
        raise ModelError(f"{path}: {path.stat().st_size} bytes; allowed: at most {_MOST_BYTES}; log the model again")
    try:
        told = yaml.safe_load(path.read_text("utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ModelError(f"{path}: {one_line(error)}; allowed: YAML; log the model again") from error
    return told if isinstance(told, Mapping) else {}


def _columns(told: Mapping[str, Any]) -> tuple[str, ...]:
    signature = told.get("signature") or {}
    try:
        columns = json.loads(signature["inputs"])
        return tuple(str(column["name"]) for column in columns)
    except (KeyError, TypeError, ValueError):  # no signature, or of tensors without names
        return ()


def _file(folder: Path, flavor: Flavor, key: str) -> Path:
    """The file that a flavor names. Raises ModelError if it is not in the folder."""
    name = str(flavor.get(key, ""))
    path = (folder / name).resolve()
    if not name or folder.resolve() not in path.parents or not path.exists():
        raise ModelError(f"{folder}: {key} {quoted(name)}; allowed: a file in the folder; log the model again")
    return path


def _pickled(path: Path, flavor: Flavor, tell: Tell) -> object:
    """A model in one of the ways that MLflow writes Python objects."""
    form = str(flavor.get("serialization_format") or "pickle")
    if form == "skops":
        trusted = list(map(str, flavor.get("skops_trusted_types") or ()))
        if trusted:
            tell(path, f"skops file that trusts {listing(trusted)}")
        return pickles.read_skops(path, trusted)
    if form not in ("pickle", "cloudpickle"):
        raise ModelError(f"{path}: {quoted(form)}; allowed: pickle, cloudpickle, skops; log the model again with one")
    tell(path, "pickle")
    return pickles.read_pickle(path)


def _sklearn(folder: Path, flavor: Flavor, tell: Tell) -> object:
    return _pickled(_file(folder, flavor, "pickled_model"), flavor, tell)


def _class(flavor: Flavor, key: str, allowed: Sequence[str]) -> str:
    """The name of the class that was saved, if it is one of those; else the first."""
    name = str(flavor.get(key, "")).rpartition(".")[2]
    return name if name in allowed else allowed[0]


def _lightgbm(folder: Path, flavor: Flavor, tell: Tell) -> object:
    path = _file(folder, flavor, "data")
    is_text = _class(flavor, "model_class", ("other", "Booster")) == "Booster"
    return lightgbm_text.read(path) if is_text else _pickled(path, flavor, tell)


def _xgboost(folder: Path, flavor: Flavor, tell: Tell) -> object:
    kinds = ("Booster", "XGBClassifier", "XGBRegressor", "XGBRanker", "XGBRFClassifier", "XGBRFRegressor")
    return xgboost_file.read(_file(folder, flavor, "data"), _class(flavor, "model_class", kinds))


def _catboost(folder: Path, flavor: Flavor, tell: Tell) -> object:
    kinds = ("CatBoost", "CatBoostClassifier", "CatBoostRegressor", "CatBoostRanker")
    form = str(flavor.get("save_format") or "cbm")
    return catboost_file.read(_file(folder, flavor, "data"), _class(flavor, "model_type", kinds), form)


def _onnx(folder: Path, flavor: Flavor, tell: Tell) -> object:
    return onnx_file.read(_file(folder, flavor, "data"))


def _pytorch(folder: Path, flavor: Flavor, tell: Tell) -> object:
    path = _file(folder, flavor, "model_data") / "model.pth"
    if not path.is_file():
        raise ModelError(
            f'{folder}: no model.pth in it; allowed: a pickled module; log it with serialization_format="pickle"'
        )
    try:
        import torch
    except ImportError as error:
        raise not_installed(path, "PyTorch", "torch") from error
    tell(path, "pickle")
    return torch.load(path, weights_only=False, map_location="cpu")


_FLAVORS: Mapping[str, Callable[[Path, Flavor, Tell], object]] = {
    "onnx": _onnx,
    "lightgbm": _lightgbm,
    "xgboost": _xgboost,
    "catboost": _catboost,
    "sklearn": _sklearn,
    "pytorch": _pytorch,
}
"""Flavor -> what opens it; the first that a folder has is taken."""
