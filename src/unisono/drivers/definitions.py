"""The sources, views and predictors that a project's module makes."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

from unisono.spec.errors import DefinitionError, StoreError, UnisonoError
from unisono.spec.predictor import Predictor
from unisono.spec.project import Definitions
from unisono.spec.source import Source
from unisono.spec.view import FeatureView


def load_definitions(path: Path) -> Definitions:
    """Run a module file and take what it defines. This runs the user's code, as importing it would.

    Raises StoreError if there is no such file; DefinitionError if it fails or what it defines does not fit together.
    """
    if not path.is_file():
        raise StoreError(f"{path}: there is no such file; write it, or correct `definitions` in unisono.toml")
    values = list(vars(_run(path)).values())
    return Definitions(
        sources=[value for value in values if isinstance(value, Source)],
        views=[value for value in values if isinstance(value, FeatureView)],
        predictors=[value for value in values if isinstance(value, Predictor)],
    )


def _run(path: Path) -> ModuleType:
    """Without bytecode of before, which Python takes for new if a changed file has the size and second of before."""
    name = f"_unisono_{sha256(str(path).encode()).hexdigest()[:12]}"
    spec = spec_from_file_location(name, path)
    if spec is None or not isinstance(spec.loader, SourceFileLoader):
        raise DefinitionError(f"{path}: not a Python module; allowed: a .py file; correct `definitions`")
    module = module_from_spec(spec)
    try:
        with _importable(path.parent):
            exec(spec.loader.source_to_code(path.read_bytes(), str(path)), vars(module))
    except UnisonoError:
        raise
    except Exception as error:
        problem = f"{type(error).__name__}: {error}"
        raise DefinitionError(f"{path}, line {_line(error, path)}: {problem}; correct it and run again") from error
    return module


@contextmanager
def _importable(directory: Path) -> Iterator[None]:
    """Modules beside the file can be imported by it."""
    sys.path.insert(0, str(directory))
    try:
        yield
    finally:
        sys.path.remove(str(directory))


def _line(error: Exception, path: Path) -> int:
    if isinstance(error, SyntaxError) and error.filename == str(path):
        return error.lineno or 0
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    return (lines[-1] or 0) if lines else 0
