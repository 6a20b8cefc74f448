"""The rows: each is a module here with `run(bench) -> Row`, found by its file; `_` in its name is typed as `-`."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from benchmarks.compress.bench import Bench
from benchmarks.edge_transformers.row import Row


def names() -> list[str]:
    """Of all rows, as the command line has them."""
    return sorted(one.name.replace("_", "-") for one in iter_modules(__path__))


def run(name: str, bench: Bench) -> Row:
    """One row.

    bench: data, teachers and recipes, as the rows of compression have them; its folder is where a row keeps things.
    """
    made: Row = import_module(f"{__name__}.{name.replace('-', '_')}").run(bench)
    return made
