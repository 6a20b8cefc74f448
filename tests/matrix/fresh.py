"""A process without any library that fits models: says what each version of a project answers.

Run as `python fresh.py PROJECT`; reads PROJECT/versions.json and rows/NAME.parquet, writes fresh/NAME.parquet.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from importlib import import_module
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

BLOCKED = (
    *("catboost", "joblib", "lightgbm", "mlflow", "onnxmltools", "onnxscript", "pandas", "scipy", "skl2onnx"),
    *("safetensors", "sklearn", "torch", "torchvision", "transformers", "xgboost", "yaml"),
)
"""Libraries that a served model must not need."""


class Without(MetaPathFinder):
    """Other finders, as if some libraries were not installed."""

    def __init__(self, finders: Iterable[Any]) -> None:
        self._finders = tuple(finders)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """None for a blocked library, else what the others find."""
        if fullname.partition(".")[0] in BLOCKED:
            return None
        found = (finder.find_spec(fullname, path, target) for finder in self._finders)
        first: ModuleSpec | None = next((spec for spec in found if spec is not None), None)
        return first


def check_that_it_blocks() -> None:
    """Raises RuntimeError if a blocked library can be imported."""
    for name in BLOCKED:
        try:
            import_module(name)
        except ModuleNotFoundError as error:
            if error.name == name:
                continue
        raise RuntimeError(f"{name} is not blocked")


def answer(root: Path) -> None:
    """What each version says of its rows."""
    import polars as pl

    import unisono as un

    project = un.load(root)
    for name, version in json.loads((root / "versions.json").read_text()).items():
        answers = project.predict(name, pl.read_parquet(root / "rows" / f"{name}.parquet"), version=version)
        answers.write_parquet(root / "fresh" / f"{name}.parquet")


if __name__ == "__main__":
    sys.meta_path[:] = [Without(sys.meta_path)]
    check_that_it_blocks()
    answer(Path(sys.argv[1]))
    loaded = sorted({name.partition(".")[0] for name in sys.modules} & set(BLOCKED))
    if loaded:
        raise RuntimeError(f"{loaded} were loaded")
