"""What a registry's tables say, as records. Each function asks a fixed number of questions, however much there is."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable

from sqlalchemy import Connection, Select, func, select

from unisono.spec.active import Version
from unisono.spec.frozen import FrozenMapping
from unisono.store.registry import tables
from unisono.store.registry.records import Change, PredictorEntry, VersionEntry

Locate = Callable[[str, str], Version]
"""Predictor and id -> version, with the place of its artifact."""


def predictor_names(connection: Connection) -> list[str]:
    """Every predictor, in order."""
    return sorted(connection.scalars(select(tables.predictors.c.predictor)))


def version_ids(connection: Connection, predictor: str) -> list[str]:
    """Ids of a predictor's versions, in order."""
    column = tables.versions.c
    return sorted(connection.scalars(select(column.version).where(column.predictor == predictor)))


def aliases(connection: Connection, predictor: str) -> dict[str, str]:
    """Alias -> id of the version that has it."""
    column = tables.aliases.c
    rows = connection.execute(select(column.alias, column.version).where(column.predictor == predictor))
    return dict(sorted((row.alias, row.version) for row in rows))


def changes(connection: Connection, predictor: str) -> list[Change]:
    """The history of a predictor, first to last."""
    column = tables.history.c
    rows = connection.execute(select(tables.history).where(column.predictor == predictor).order_by(column.number))
    return [Change(*row) for row in rows]


def predictor_entries(connection: Connection) -> list[PredictorEntry]:
    """Every predictor, in the order of their names."""
    counted, dated = tables.versions.c, tables.history.c
    counts = _pairs(connection, select(counted.predictor, func.count()).group_by(counted.predictor))
    latest = _pairs(connection, select(dated.predictor, func.max(dated.at)).group_by(dated.predictor))
    held: dict[str, dict[str, str]] = defaultdict(dict)
    for row in connection.execute(select(tables.aliases)).all():
        held[row.predictor][row.alias] = row.version
    worn: dict[str, set[str]] = defaultdict(set)
    for row in connection.execute(select(tables.tags.c.predictor, tables.tags.c.tag).distinct()).all():
        worn[row.predictor].add(row.tag)
    return [
        PredictorEntry(
            name,
            aliases=FrozenMapping(dict(sorted(held[name].items()))),
            versions=counts[name],
            tags=tuple(sorted(worn[name])),
            changed_at=latest[name],
        )
        for name in sorted(counts)
    ]


def _pairs(connection: Connection, question: Select[str, int]) -> dict[str, int]:
    return {row[0]: row[1] for row in connection.execute(question).all()}


def version_entries(connection: Connection, predictor: str, locate: Locate) -> list[VersionEntry]:
    """The versions of a predictor, in the order in which they were added."""
    column = tables.versions.c
    rows = connection.execute(
        select(tables.versions).where(column.predictor == predictor).order_by(column.added_at, column.version)
    )
    held = _by_version((version, alias) for alias, version in aliases(connection, predictor).items())
    worn = tables.tags.c
    worn_rows = connection.execute(select(worn.version, worn.tag).where(worn.predictor == predictor))
    tagged = _by_version((row.version, row.tag) for row in worn_rows)
    return [
        VersionEntry(
            locate(predictor, row.version),
            added_at=row.added_at,
            bytes=row.bytes,
            retired=row.retired,
            aliases=held.get(row.version, ()),
            tags=tagged.get(row.version, ()),
            signers=tuple(row.signers.split()),
        )
        for row in rows
    ]


def _by_version(pairs: Iterable[tuple[str, str]]) -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = defaultdict(list)
    for version, name in sorted(pairs):
        found[version].append(name)
    return {version: tuple(names) for version, names in found.items()}
