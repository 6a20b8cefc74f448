"""A project with a version, and what it was prepared into."""

from __future__ import annotations

from pathlib import Path

import pytest
from lightgbm import LGBMRegressor

import unisono as un
from tests.serving.prepared.flats import DEFINITIONS, fit, register
from unisono.drivers.online.plan import OnlinePlan, plan_of
from unisono.drivers.project import Project
from unisono.drivers.serving.prepared import PreparedVersion, prepare
from unisono.spec.active import Version


@pytest.fixture(scope="package")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Its champion is a model of trees."""
    root = tmp_path_factory.mktemp("rent")
    (root / "definitions.py").write_text(DEFINITIONS)
    (root / "unisono.toml").write_text('definitions = "definitions.py"')
    made = un.load(root)
    register(made, fit(LGBMRegressor(n_estimators=30, min_child_samples=5, verbose=-1, n_jobs=1)))
    return made


@pytest.fixture(scope="package")
def plan(project: Project) -> OnlinePlan:
    return plan_of(project.ready("rent"))


@pytest.fixture(scope="package")
def champion(project: Project) -> Version:
    return project.registry.active("rent")


@pytest.fixture
def prepared(project: Project, plan: OnlinePlan, champion: Version, tmp_path: Path) -> PreparedVersion:
    """In a folder of its own."""
    return prepare(project.registry, champion, plan, tmp_path / "prepared")
