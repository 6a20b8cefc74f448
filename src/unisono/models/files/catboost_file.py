"""CatBoost's own files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from unisono.models.files import not_installed
from unisono.models.importers.catboost import CATEGORIES
from unisono.spec.errors import ModelError
from unisono.spec.wording import one_line


def read(path: Path, kind: str = "CatBoost", form: str = "cbm") -> Any:
    """The model in a file that `save_model` wrote. Raises ModelError if it is none.

    kind: the class that it was saved from.
    form: as `save_model(format=)` was told; the JSON that was saved with a pool brings the texts of the categories.
    """
    try:
        import catboost
    except ImportError as error:
        raise not_installed(path, "CatBoost", "catboost") from error
    model = getattr(catboost, kind)()
    try:
        model.load_model(str(path), format=form)
    except catboost.CatBoostError as error:
        said = one_line(error, length=120)
        raise ModelError(f"{path}: CatBoost cannot read it ({said}); save the model again with save_model") from error
    if form == "json":
        _bring_texts(model, path)
    return model


def _bring_texts(model: Any, path: Path) -> None:
    info = msgspec.json.decode(path.read_bytes())["features_info"]
    texts = [str(one["value"]) for one in info.get("cat_features_hash") or ()]
    if texts:
        names = [model.feature_names_[place] for place in model.get_cat_feature_indices()]
        model.get_metadata()[CATEGORIES] = msgspec.json.encode(dict.fromkeys(names, texts)).decode()
