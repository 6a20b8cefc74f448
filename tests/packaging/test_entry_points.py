"""What is installed and what a source tree finds without being installed are the same adapters."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path

import pytest

from unisono.compress import steps
from unisono.connect import tables
from unisono.models import engines, importers

PYPROJECT = Path(__file__).parents[2] / "pyproject.toml"
GROUPS = {
    importers.GROUP: importers._OURS,
    engines.GROUP: engines._OURS,
    tables.SOURCES_GROUP: tables._SOURCES,
    steps.GROUP: steps._OURS,
    tables.SINKS_GROUP: tables._SINKS,
}


def declared() -> Mapping[str, Mapping[str, str]]:
    groups: Mapping[str, Mapping[str, str]] = tomllib.loads(PYPROJECT.read_text())["project"]["entry-points"]
    return groups


def test_every_group_is_declared() -> None:
    assert set(declared()) == set(GROUPS)


@pytest.mark.parametrize("group", GROUPS)
def test_the_entry_points_of_a_group_are_those_of_the_source_tree(group: str) -> None:
    assert dict(declared()[group]) == dict(GROUPS[group])
