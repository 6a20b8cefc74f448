"""The events that a run needs, left in their files where that can be."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from unisono.connect.stored import StoredParquet
from unisono.drivers.ingest import read_events
from unisono.spec.source import Source

if TYPE_CHECKING:
    from unisono.drivers.project import Project


def events_of(project: Project, predictor: str) -> Mapping[str, object]:
    """The events of a predictor's views, by source: Parquet stays in its file, and is read a column at a time.

    Raises InputError if a source has no file.
    """
    views = project.ready(predictor).views
    sources = {view.source.name: view.source for view in views}
    return {name: _events(source, project.event_file(name)) for name, source in sources.items()}


def _events(source: Source, path: Path) -> object:
    return StoredParquet(path) if _is_typed(source, path) else read_events(source, path)


def _is_typed(source: Source, path: Path) -> bool:
    """Whether a file is Parquet, and no column of it is the text of something else."""
    if path.suffix.lower() != ".parquet" or not path.is_file():
        return False
    there = StoredParquet(path).schema
    return all(there.get(name) != pl.String for name, dtype in source.columns.items() if dtype.name != "String")
