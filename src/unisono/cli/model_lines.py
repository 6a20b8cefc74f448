"""What `unisono models` shows: records of the registry for machines and for people."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from unisono.cli import prose

if TYPE_CHECKING:
    from unisono.store.registry import Change, PredictorEntry, VersionEntry
    from unisono.store.registry.comparing import Pairs, Plain

DIGITS = 12
"""As many of an id as people are shown."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def rfc3339(at: int) -> str:
    """An instant for machines. at: microseconds since 1970 UTC."""
    return _instant(at).isoformat().replace("+00:00", "Z")


def _instant(at: int) -> datetime:
    return _EPOCH + timedelta(microseconds=at)


def _shown(at: int) -> str:
    return f"{_instant(at):%Y-%m-%d %H:%M:%S}"


def predictor_data(entry: PredictorEntry) -> dict[str, object]:
    """A predictor for machines."""
    return {
        "predictor": entry.name,
        "aliases": dict(entry.aliases),
        "versions": entry.versions,
        "tags": entry.tags,
        "changed_at": rfc3339(entry.changed_at),
    }


def predictor_table(entries: Sequence[PredictorEntry]) -> str:
    """Predictors for people: a line each."""
    head = ("predictor", "champion", "versions", "changed (UTC)", "other aliases; tags")
    return prose.table([head, *map(_predictor_row, entries)])


def _predictor_row(entry: PredictorEntry) -> tuple[object, ...]:
    others = [f"{alias} {version[:DIGITS]}" for alias, version in entry.aliases.items() if alias != "champion"]
    rest = "; ".join(filter(None, (", ".join(others), ", ".join(entry.tags))))
    return entry.name, (entry.champion or "none")[:DIGITS], entry.versions, _shown(entry.changed_at), rest


def version_data(entry: VersionEntry) -> dict[str, object]:
    """A version for machines."""
    return {
        "version": entry.version.id,
        "artifact": entry.version.artifact,
        "added_at": rfc3339(entry.added_at),
        "bytes": entry.bytes,
        "retired": entry.retired,
        "aliases": entry.aliases,
        "tags": entry.tags,
        "signers": entry.signers,
    }


def version_table(entries: Iterable[VersionEntry]) -> str:
    """Versions for people: a line each."""
    head = ("version", "added (UTC)", "bytes", "aliases; tags")
    return prose.table([head, *map(_version_row, entries)])


def _version_row(entry: VersionEntry) -> tuple[object, ...]:
    names = [*entry.aliases, *(["retired"] if entry.retired else [])]
    rest = "; ".join(filter(None, (", ".join(names), ", ".join(entry.tags))))
    return entry.version.id[:DIGITS], _shown(entry.added_at), f"{entry.bytes:,}", rest


def change_data(change: Change) -> dict[str, object]:
    """A change for machines."""
    return {**asdict(change), "at": rfc3339(change.at)}


def change_table(changes: Iterable[Change]) -> str:
    """Changes for people: a line each."""
    head = ("no.", "when (UTC)", "by", "what", "version", "why")
    return prose.table([head, *map(_change_row, changes)])


def _change_row(change: Change) -> tuple[object, ...]:
    who, why = (" ".join(text.split()) for text in (change.by, change.why))
    return change.number, _shown(change.at), who, _what(change), change.version[:DIGITS], why


def _what(change: Change) -> str:
    """
    >>> from unisono.store.registry import Change
    >>> _what(Change("late", 1, 0, "ada", "", "aliased", "1234", "champion", None, "1234"))
    'champion: none -> 1234'
    """
    states = [(state or "none")[:DIGITS] for state in (change.before, change.after)]
    if change.alias is not None:
        return f"{change.alias}: {' -> '.join(states)}"
    named = {"tagged": change.after, "untagged": change.before, "signed": change.after}.get(change.what)
    return change.what if named is None else f"{change.what} {named}"


def comparison_tables(comparison: Mapping[str, Pairs], heads: tuple[str, str]) -> str:
    """A comparison for people: a table a section, * before what differs."""
    parts = []
    for section, pairs in comparison.items():
        rows = [(_mark(pair), name, *map(_cell, pair)) for name, pair in pairs.items()]
        parts.append(prose.table([("", section, *heads), *rows]) if rows else f"     {section}: no difference")
    return "\n".join(parts)


def _mark(pair: tuple[object, object]) -> str:
    return " " if pair[0] == pair[1] else "*"


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "-" if value is None else str(value) or "none"


def fact_tables(facts: Mapping[str, Mapping[str, Plain]]) -> str:
    """Facts for people: a table a section."""
    return "\n".join(f"{section}:\n{_fact_table(own)}" for section, own in facts.items() if own)


def _fact_table(own: Mapping[str, Plain]) -> str:
    return prose.table((name, _cell(value)) for name, value in own.items())


def plain(data: Mapping[str, object]) -> dict[str, Plain]:
    """A record without lists, for people."""
    return {name: _joined(value) for name, value in data.items()}


def _joined(value: object) -> Plain:
    if isinstance(value, tuple):
        return ", ".join(value) or None
    return value if isinstance(value, bool | int) else str(value)
