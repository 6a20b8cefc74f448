"""XGBoost's own files, JSON and UBJSON."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from unisono.models.files import not_installed
from unisono.spec.errors import ModelError
from unisono.spec.wording import one_line


def read(path: Path, kind: str = "Booster") -> Any:
    """The model in a file that `save_model` wrote. Raises ModelError if it is none.

    kind: the class that it was saved from.
    """
    try:
        import xgboost
    except ImportError as error:
        raise not_installed(path, "XGBoost", "xgboost") from error
    model = getattr(xgboost, kind)()
    try:
        model.load_model(path)
    except xgboost.core.XGBoostError as error:
        said = one_line(str(error).partition("Stack trace")[0], length=120)
        raise ModelError(f"{path}: XGBoost cannot read it ({said}); save the model again with save_model") from error
    return model
