"""Real fitted models of every importer: registered here, answered elsewhere without their libraries, to the bit."""

from __future__ import annotations

import json
import subprocess
import sys
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import unisono as un
from tests.matrix import models_files, models_neural, models_sklearn, models_trees
from tests.matrix.case import KINDS, TIME, Builder, Case
from unisono.drivers.project import Project

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

MODELS: Mapping[str, Builder] = {
    **models_sklearn.MODELS,
    **models_trees.MODELS,
    **models_files.MODELS,
    **models_neural.MODELS,
}
DEFINITIONS = f"""
import json
from pathlib import Path

import unisono as un
from unisono.spec.types import parse_dtype

for name, columns in json.loads(Path(__file__).with_name("requests.json").read_text()).items():
    request = {{column: parse_dtype(dtype) for column, dtype in columns.items()}}
    globals()[name] = un.Predictor(name, request=request, time="{TIME}", features=())
"""
FRESH = Path(__file__).with_name("fresh.py")


@dataclass(frozen=True)
class Registered:
    """The matrix, registered.

    root:    of the project.
    kinds:   what the models are of.
    faults:  name -> what became of a model that was not registered.
    process: the fresh one that answered after it.
    """

    root: Path
    kinds: frozenset[str]
    faults: Mapping[str, str]
    process: subprocess.CompletedProcess[str]


@pytest.fixture(scope="module")
def registered(tmp_path_factory: pytest.TempPathFactory) -> Registered:
    """Every model: fitted, registered, asked here, and asked in one fresh process."""
    root = tmp_path_factory.mktemp("matrix")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of libraries while they fit
        cases = {name: build() for name, build in MODELS.items()}
    project = _project(root, cases)
    versions: dict[str, str] = {}
    faults: dict[str, str] = {}
    for name, case in cases.items():
        try:
            versions[name] = _register(project, name, case)
        except un.UnisonoError as error:
            faults[name] = str(error)
    (root / "versions.json").write_text(json.dumps(versions))
    process = subprocess.run([sys.executable, str(FRESH), str(root)], capture_output=True, text=True, check=False)
    kinds = frozenset(kind for case in cases.values() for kind in case.kinds)
    return Registered(root, kinds, faults, process)


def _project(root: Path, cases: Mapping[str, Case]) -> Project:
    requests = {name: {column: str(dtype) for column, dtype in case.request.items()} for name, case in cases.items()}
    (root / "requests.json").write_text(json.dumps(requests))
    (root / "definitions.py").write_text(DEFINITIONS)
    (root / "unisono.toml").write_text('definitions = "definitions.py"\n')
    for folder in ("rows", "registered", "fresh"):
        (root / folder).mkdir()
    return un.load(root)


def _register(project: Project, name: str, case: Case) -> str:
    """The model's version, which has answered; both are left in the project's folder."""
    rows = _timed(case.rows)
    columns = None if case.columns is None else list(case.columns)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the fitted model, about rows at the edges of its inputs
        version = project.register(name, case.model, sample=rows, columns=columns, bound=case.bound).version.id
    rows.write_parquet(project.root / "rows" / f"{name}.parquet")
    answers = project.predict(name, rows, version=version)
    answers.write_parquet(project.root / "registered" / f"{name}.parquet")
    return version


def _timed(rows: pl.DataFrame) -> pl.DataFrame:
    instant = pl.lit("2026-01-01T00:00:00Z").str.to_datetime("%+", time_unit="us", time_zone="UTC")
    return rows if TIME in rows.columns else rows.with_columns(instant.alias(TIME))


def _bits(frame: pl.DataFrame) -> dict[str, bytes | list[str]]:
    """Every column as its bytes."""
    arrays = {column.name: column.rechunk().to_numpy() for column in frame.iter_columns()}
    return {
        name: array.tolist() if array.dtype == object else np.ascontiguousarray(array).tobytes()
        for name, array in arrays.items()
    }


def test_the_libraries_cannot_be_imported_where_the_models_answer(registered: Registered) -> None:
    assert registered.process.returncode == 0, registered.process.stderr


@pytest.mark.parametrize("name", MODELS)
def test_a_model_answers_without_its_library_as_it_was_registered(name: str, registered: Registered) -> None:
    assert name not in registered.faults, registered.faults[name]
    here, there = (pl.read_parquet(registered.root / folder / f"{name}.parquet") for folder in ("registered", "fresh"))
    assert here.height > 0
    assert here.schema == there.schema
    assert _bits(here) == _bits(there)


def test_the_matrix_has_models_of_every_kind(registered: Registered) -> None:
    assert len(MODELS) >= 25
    assert set(registered.kinds) >= set(KINDS) - {"text", "image"}
