"""Flights out of New York in 2013: will one arrive more than 15 minutes late? The example's training frame.

Columns: those of examples/flights/definitions.py, the features as known two hours before departure, `late`, and `part`:
"train" up to September, "validation" September and October, "test" November and December. Labels that were not known
at a boundary are left out.
"""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from examples.flights import data, train
from unisono.drivers.project import Project
from unisono.drivers.project import load as load_project

_EXAMPLE = Path(data.__file__).parent
_VALIDATION = datetime(2013, 9, 1, 4, tzinfo=UTC)  # midnight in New York


def project(folder: Path) -> Project:
    """The example's project, with its events."""
    root = folder / "projects" / "flights"
    root.mkdir(parents=True, exist_ok=True)
    for name in ("definitions.py", "unisono.toml"):
        shutil.copy(_EXAMPLE / name, root / name)
    data.prepare(folder / "flights")
    if not (root / "data").exists():
        (root / "data").symlink_to(folder / "flights")
    return load_project(root)


def load(folder: Path) -> pl.DataFrame:
    """The frame; the same archive always gives the same."""
    path = folder / "flights.parquet"
    if not path.exists():
        frame = train.labelled(project(folder).training_frame("delay"))
        asked = pl.col("asked_at")
        part = (
            pl.when(asked < _VALIDATION - train.LABEL_TIME)
            .then(pl.lit("train"))
            .when((asked >= _VALIDATION) & (asked < train.SPLIT - train.LABEL_TIME))
            .then(pl.lit("validation"))
            .when(asked >= train.SPLIT)
            .then(pl.lit("test"))
        )
        frame.with_columns(part=part).filter(pl.col("part").is_not_null()).write_parquet(path)
    return pl.read_parquet(path)
