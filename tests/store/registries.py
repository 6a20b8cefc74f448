"""Registries to test: what goes into them, and whether what they say of themselves fits together."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from sqlalchemy import Connection, text

from tests.store.artifact_files import files
from unisono.spec.active import Version
from unisono.store.artifacts import Artifact, make_artifact, read_artifact
from unisono.store.database import Database
from unisono.store.registry import Change, Registry, looking


class Place(NamedTuple):
    """Where a registry is: the URL of its database, the folder of its artifacts."""

    url: str
    artifacts: str


def artifact(weight: float = 2.0, predictor: str = "risk") -> Artifact:
    """A small artifact; another weight is another version."""
    return make_artifact(predictor, files(predictor, weight))


def numbered(number: int) -> Artifact:
    """One of any number of versions, made quickly."""
    return make_artifact("risk", {**files(), "metrics.json": b'{"number": %d}' % number})


def add(registry: Registry, *weights: float, predictor: str = "risk") -> list[Version]:
    """Versions in a registry."""
    return [registry.add(artifact(weight, predictor), by="ada", why="trained") for weight in weights]


def look(database: Database) -> list[Change]:
    """The history of risk, once it is clear that it has every change once, and that it tells what the tables hold."""
    with database.read() as connection:
        changes = looking.changes(connection, "risk")
        held = [_rows(connection, question) for question in _TABLES]
    assert [change.number for change in changes] == [*range(1, len(changes) + 1)]
    assert _told(changes) == held
    assert [alias for alias, _ in held[1]].count("champion") <= 1
    return changes


def look_at_artifacts(place: Place, changes: list[Change]) -> None:
    """Every version can be read; what lies there without being a version is whole as well."""
    there = {path: read_artifact(path.read_bytes()) for path in Path(place.artifacts).glob("*/*.zip")}
    for path, found in there.items():
        assert (path.parent.name, path.stem) == (found.predictor, found.id)
    assert {change.version for change in changes} <= {found.id for found in there.values()}


_TABLES = (
    "SELECT version, retired FROM registry_versions WHERE predictor = 'risk'",
    "SELECT alias, version FROM registry_aliases WHERE predictor = 'risk'",
    "SELECT version, tag FROM registry_tags WHERE predictor = 'risk'",
)


def _rows(connection: Connection, question: str) -> list[tuple[object, ...]]:
    return sorted(tuple(row) for row in connection.execute(text(question)))


def _told(changes: list[Change]) -> list[list[tuple[object, ...]]]:
    """What tables hold if every change was made that a history tells."""
    retired: dict[str, bool] = {}
    aliases: dict[str, str] = {}
    tags: set[tuple[str, str]] = set()
    for change in changes:
        if change.what == "added":
            assert change.version not in retired
            retired[change.version] = False
        elif change.what in ("retired", "unretired"):
            retired[change.version] = change.what == "retired"
        elif change.alias is not None:
            assert aliases.pop(change.alias, None) == change.before
            if change.after is not None:
                aliases[change.alias] = change.after
        elif change.what == "tagged":
            tags.add((change.version, str(change.after)))
        elif change.what == "untagged":
            tags.remove((change.version, str(change.before)))
    return [sorted(retired.items()), sorted(aliases.items()), sorted(tags)]
