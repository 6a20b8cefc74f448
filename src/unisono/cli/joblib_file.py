"""Files that joblib wrote."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from unisono.spec.errors import ModelError


def read_joblib(path: Path) -> Any:
    """What is in a file that `joblib.dump` wrote; this runs code that is in it. Raises ModelError without joblib."""
    try:
        import joblib  # type: ignore[import-untyped]
    except ImportError as error:
        raise ModelError(f"{path}: joblib is not installed; needed to open it; `pip install joblib`") from error
    return joblib.load(path)
