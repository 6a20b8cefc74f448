"""Prepared models as a worker's process knows them: nothing here needs what made them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

import unisono as un
from unisono.drivers.online.plan import OnlinePlan
from unisono.drivers.online.reading import Lookup, StateReader
from unisono.drivers.scores import Row
from unisono.drivers.serving.prepared import load
from unisono.drivers.serving.states import states_of
from unisono.drivers.serving.versions.loaded import PreparedVersion

COLUMNS = [f"f{number}" for number in range(8)]
ROWS: list[Row] = [(*values, 5) for values in np.random.default_rng(5).normal(size=(16, len(COLUMNS))).tolist()]
"""What every model is asked about: the columns, and the time."""


class Served(NamedTuple):
    """A predictor to serve: name, version, folder, and what it answers to ROWS."""

    name: str
    version: str
    folder: str
    scores: list[list[float]]


def plan_of(name: str) -> OnlinePlan:
    """Of a predictor without features."""
    columns = {**dict.fromkeys(COLUMNS, un.Float64), "asked_at": un.Timestamp}
    return OnlinePlan(name, columns, "asked_at", (), ())


def load_version(name: str, path: Path) -> PreparedVersion:
    """A prepared version in memory; nothing is looked up for it."""
    plan = plan_of(name)
    return PreparedVersion(load(path, plan), Lookup(StateReader(states_of(path, {}), plan), plan))


def write(served: Sequence[Served], path: Path) -> None:
    """For another process."""
    path.write_text(json.dumps(served))


def read(path: Path) -> list[Served]:
    """What `write` wrote."""
    return [Served(*one) for one in json.loads(path.read_text())]
