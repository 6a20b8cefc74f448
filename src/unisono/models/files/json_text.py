"""JSON files, which XGBoost writes, and CatBoost too."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from unisono.spec.errors import ModelError
from unisono.spec.wording import one_line


def read(path: Path) -> Any:
    """The model in a JSON file, by what is in it. Raises ModelError if it is of neither."""
    try:
        content = msgspec.json.decode(path.read_bytes(), type=dict[str, msgspec.Raw])
    except msgspec.DecodeError as error:
        raise ModelError(
            f"{path}: not JSON ({one_line(error)}); allowed: what XGBoost or CatBoost saved; save the model again"
        ) from error
    if "learner" in content:
        from unisono.models.files import xgboost_file

        return xgboost_file.read(path)
    if "features_info" in content:
        from unisono.models.files import catboost_file

        return catboost_file.read(path, form="json")
    raise ModelError(f"{path}: JSON of something else; allowed: what XGBoost or CatBoost saved; save the model again")
