"""LightGBM's own text files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from unisono.models.files import not_installed
from unisono.spec.errors import ModelError


def read(path: Path) -> Any:
    """The booster in a file that `Booster.save_model` wrote. Raises ModelError if it is none."""
    try:
        import lightgbm
    except ImportError as error:
        raise not_installed(path, "LightGBM", "lightgbm") from error
    with path.open("rb") as file:
        begins = file.read(4)
    if begins != b"tree":  # LightGBM would print a page and then say less
        raise ModelError(
            f"{path}: not a LightGBM model; allowed: text that Booster.save_model wrote; save the model again"
        )
    try:
        return lightgbm.Booster(model_file=str(path))
    except lightgbm.basic.LightGBMError as error:
        said = str(error).partition("\n")[0]
        raise ModelError(f"{path}: LightGBM cannot read it ({said}); save the model again") from error
