"""Files that run code that is in them when they are opened; who opens one says so first."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from unisono.models.files import not_installed


def read_pickle(path: Path) -> Any:
    """What is in a pickle; this runs code that is in it."""
    with path.open("rb") as file:
        return pickle.load(file)


def read_joblib(path: Path) -> Any:
    """What is in a file that `joblib.dump` wrote; this runs code that is in it. Raises ModelError without joblib."""
    try:
        import joblib  # type: ignore[import-untyped]
    except ImportError as error:
        raise not_installed(path, "joblib", "joblib") from error
    return joblib.load(path)


def read_skops(path: Path, trusted: Sequence[str]) -> Any:
    """What is in a file that `skops.io.dump` wrote; of the types that are named, code is run. Raises ModelError."""
    try:
        from skops.io import load
    except ImportError as error:
        raise not_installed(path, "skops", "skops") from error
    return load(path, trusted=list(trusted))
