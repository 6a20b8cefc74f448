"""MODEL of `unisono register`: where a fitted model comes from.

MODULE:FUNCTION and FILE.py:FUNCTION are called with the training frame; files are opened.
"""

from __future__ import annotations

import sys
import sysconfig
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from unisono.cli.output import warn
from unisono.models.files import KINDS, is_known, open_file
from unisono.spec.errors import ModelError, UnisonoError
from unisono.spec.wording import did_you_mean, listing

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True, slots=True)
class Training:
    """A function that fits a model.

    reference: how the user wrote it.
    home:      the project's folder, whose modules can be imported.
    """

    reference: str
    home: Path

    def fit(self, frame: pl.DataFrame) -> object:
        """Call it with the training frame. Raises ModelError, with the place, for whatever it raises."""
        module, _, name = self.reference.rpartition(":")
        with _users_code(self.reference, self.home):
            function = _function(_module(module, self.home), name, self.reference)
            model = function(frame)
        if model is None:
            raise ModelError(f"{self.reference}: returned nothing; allowed: a fitted model; add `return model`")
        return model


def training_of(reference: str, home: Path) -> Training | None:
    """The function that MODEL names; None if it names a file."""
    module, colon, function = reference.rpartition(":")
    is_function = colon and module and function.isidentifier() and not Path(reference).exists()
    return Training(reference, home) if is_function else None


def open_model(path: Path, home: Path) -> object:
    """The fitted model in a file or a folder. Raises ModelError if there is none, or no way to open it."""
    if not is_known(path) and (path / "config.json").is_file():  # of save_pretrained; its importer opens it
        return path
    if not (is_known(path) or path.is_dir()):
        allowed = (
            f"MODULE:FUNCTION, FILE.py:FUNCTION, a file ({listing(KINDS)}), or a folder of MLflow or save_pretrained"
        )
        raise ModelError(f'model "{path}": a file of another kind; allowed: {allowed}; convert it, or name a function')
    if path.is_dir() and not is_known(path):
        raise ModelError(
            f'model "{path}": a folder without an MLmodel or a config.json; allowed: one that MLflow or '
            "save_pretrained wrote; correct the path"
        )
    if not path.exists():
        inside = home / path
        step = f"did you mean {inside}?" if inside.is_file() else "correct the path"
        raise ModelError(f'model "{path}": there is no such file; allowed: a file that is there; {step}')
    with _users_code(str(path), home):
        return open_file(path, _warn_of_code)


def _warn_of_code(path: Path, kind: str) -> None:
    warn(f"{path} is a {kind}: opening it runs code that is in it, here and now; open only what you made or trust")


def _module(name: str, home: Path) -> ModuleType:
    if not name.endswith(".py"):
        return import_module(name)
    path = Path(name)
    if not path.is_file():
        step = f"did you mean {home / path}?" if (home / path).is_file() else "correct the path"
        raise ModelError(f'model "{name}": there is no such file; allowed: a file that is there; {step}')
    spec = spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise ModelError(f'model "{name}": not a Python module; allowed: a .py file; correct the path')
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _function(module: ModuleType, name: str, reference: str) -> Callable[[object], object]:
    function: object = getattr(module, name, None)
    if not callable(function):
        own = [key for key, value in vars(module).items() if getattr(value, "__module__", "") == module.__name__]
        step = did_you_mean(name, own, otherwise="correct the name")
        raise ModelError(f'model "{reference}": no function {name} there; allowed: {listing(own)}; {step}')
    return function


@contextmanager
def _users_code(reference: str, home: Path) -> Iterator[None]:
    """Modules of the project can be imported; whatever the user's code raises is a ModelError with its place."""
    inserted = [
        str(home.resolve()),
        *([str(Path(reference.rpartition(":")[0]).resolve().parent)] if ".py:" in reference else []),
    ]
    sys.path[:0] = inserted
    try:
        yield
    except UnisonoError:
        raise
    except Exception as error:
        said = " ".join(str(error).split()) or "no message"
        raise ModelError(
            f'model "{reference}"{_place(error)}: {type(error).__name__}: {said}; correct it, or see more with --debug'
        ) from error
    finally:
        for folder in inserted:
            sys.path.remove(folder)


def _place(error: Exception) -> str:
    """The last line of the user's own files that was being run."""
    if isinstance(error, SyntaxError) and error.filename:
        return f" ({error.filename}, line {error.lineno})"
    others = {Path(__file__).parents[1], Path(sysconfig.get_path("stdlib"))}
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if Path(frame.filename).is_file()
        and others.isdisjoint(Path(frame.filename).parents)
        and "site-packages" not in frame.filename
    ]
    return f" ({frames[-1].filename}, line {frames[-1].lineno})" if frames else ""
