"""The project that `unisono init` makes: copies of the files in template/, and the data that its script makes."""

from __future__ import annotations

import runpy
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from unisono.spec.errors import InputError, StoreError
from unisono.spec.wording import listing

_NAMES = {"gitignore": ".gitignore"}  # in the repository it would be obeyed
_FILES = ("README.md", "definitions.py", "gitignore", "make_data.py", "smaller.toml", "train.py", "unisono.toml")

NEXT_STEPS = (
    ("frame late", "the training frame"),
    ("register late train:fit", "train, verify, let it answer"),
    ("stream late", "streaming prediction"),
    ("serve", "online prediction"),
    ("parity late", "do all routes agree?"),
)
"""Command lines for the new project, and what each does."""


def write_project(directory: Path) -> list[str]:
    """Write the project; returns the names of its files, relative to its folder.

    directory: new or empty.

    Raises InputError if it is neither, StoreError if it cannot be written; what was written is then removed.
    """
    _refuse_unless_empty(directory)
    made: list[Path] = []
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for name in _FILES:
            made.append(_copy(_template() / name, directory / _NAMES.get(name, name)))
        made.append(directory / "data")
        runpy.run_path(str(directory / "make_data.py"))["write"](directory / "data")
    except OSError as error:
        for path in made:
            _remove(path)
        said = error.strerror or str(error)
        raise StoreError(
            f"{directory}: the project could not be written ({said}); make room, or name another"
        ) from error
    return sorted(path.relative_to(directory).as_posix() for path in directory.rglob("*") if path.is_file())


def _template() -> Traversable:
    return files("unisono.cli") / "template"


def _refuse_unless_empty(directory: Path) -> None:
    if directory.exists() and not directory.is_dir():
        raise InputError(f"{directory}: a file; allowed: a new or an empty folder; name another")
    if directory.is_dir():
        there = sorted(path.name for path in directory.iterdir())
        if there:
            raise InputError(
                f"{directory}: not empty ({listing(there[:5])}); allowed: a new or an empty folder; "
                f"name another, e.g. `unisono init {directory / 'parcels'}`"
            )


def _copy(source: Traversable, target: Path) -> Path:
    target.write_bytes(source.read_bytes())
    return target


def _remove(path: Path) -> None:
    if path.is_dir():
        for inner in path.iterdir():
            inner.unlink()
        path.rmdir()
    else:
        path.unlink(missing_ok=True)
