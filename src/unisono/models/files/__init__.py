"""Fitted models in files: what each kind of file holds, by the end of its name; a folder is one that MLflow wrote.

Some kinds run code that is in them when they are opened: in the user's own process only, and it is told first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path

from unisono.spec.errors import ModelError
from unisono.spec.wording import listing

Tell = Callable[[Path, str], None]
"""Called with a file and what it is, before it is opened and runs code."""

KINDS: Mapping[str, str] = {
    ".txt": "lightgbm_text:read",
    ".json": "json_text:read",
    ".ubj": "xgboost_file:read",
    ".cbm": "catboost_file:read",
    ".onnx": "onnx_file:read",
    ".pkl": "pickles:read_pickle",
    ".pickle": "pickles:read_pickle",
    ".joblib": "pickles:read_joblib",
}
"""End of a file's name -> what opens it."""

_CODE: Mapping[str, str] = {".pkl": "pickle", ".pickle": "pickle", ".joblib": "joblib file"}


def is_known(path: Path) -> bool:
    """Whether a path can be opened, by its name, or by what a folder holds."""
    return path.suffix.lower() in KINDS or (path / "MLmodel").is_file()


def open_file(path: Path, tell: Tell) -> object:
    """The fitted model in a file or folder. Raises ModelError if there is no way to open it.

    tell: called before code in it is run.
    """
    if (path / "MLmodel").is_file():
        from unisono.models.files.mlflow_folder import read_folder

        return read_folder(path, tell)
    suffix = path.suffix.lower()
    if suffix not in KINDS:
        raise ModelError(
            f"{path}: a file of another kind; allowed: {listing(KINDS)}, or a folder of MLflow; convert it"
        )
    if suffix in _CODE:
        tell(path, _CODE[suffix])
    module, _, name = KINDS[suffix].partition(":")
    read: Callable[[Path], object] = getattr(import_module(f"{__name__}.{module}"), name)
    return read(path)


def not_installed(path: Path, library: str, package: str) -> ModelError:
    """The error for a file whose library is missing."""
    return ModelError(f"{path}: {library} is not installed; needed to open it; `pip install {package}`")
