"""Two versions side by side, as plain values: what is measured of them, how large they are, how they are defined."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from hashlib import sha256
from typing import Any

import msgspec

from unisono.spec.predictor import Predictor
from unisono.spec.serialize import from_json
from unisono.store.artifacts import Artifact

Plain = str | int | float | bool | None
Pairs = Mapping[str, tuple[Plain, Plain]]
"""What is compared -> what the one has, what the other has; None where it has none."""

_LONGEST = 60


def facts(artifact: Artifact) -> dict[str, dict[str, Plain]]:
    """What a version is, as plain values by path: its sizes in bytes, its documents, the features that it asks for."""
    return {
        "sizes": _sizes(artifact),
        **{name: _flat(artifact, f"{name}.json") for name in ("metrics", "passport", "lineage")},
        "features": dict.fromkeys(_features(artifact), True),
        "spec": _flat(artifact, "spec.json"),
    }


def compare(one: Artifact, other: Artifact) -> dict[str, Pairs]:
    """The facts of two versions: all sizes, metrics, passports and lineages; features and specs where they differ."""
    mine, theirs = facts(one), facts(other)
    pairs = {section: _beside(mine[section], theirs[section]) for section in mine}
    return {section: _differing(own) if section in ("features", "spec") else own for section, own in pairs.items()}


def _sizes(artifact: Artifact) -> dict[str, Plain]:
    sizes: dict[str, Plain] = {name: len(content) for name, content in artifact.files.items()}
    return {**sizes, "all": sum(len(content) for content in artifact.files.values())}


def _features(artifact: Artifact) -> tuple[str, ...]:
    spec = from_json(artifact.files["spec.json"])
    return spec.feature_names if isinstance(spec, Predictor) else ()


def _flat(artifact: Artifact, name: str) -> dict[str, Plain]:
    content = artifact.files.get(name)
    return {} if content is None else dict(_leaves("", msgspec.json.decode(content)))


def _leaves(path: str, value: Any) -> Iterator[tuple[str, Plain]]:
    """Every plain value in a document, with the names that lead to it."""
    inner = _named(value)
    if inner is None:
        yield path, _plain(value)
        return
    for name, one in inner.items():
        yield from _leaves(f"{path}.{name}" if path else name, one)


def _named(value: Any) -> Mapping[str, Any] | None:
    """A mapping, or a list of things that have names; None for anything else."""
    if isinstance(value, dict):
        return value
    if isinstance(value, list) and value and all(isinstance(one, dict) and "name" in one for one in value):
        return {one["name"]: {name: inner for name, inner in one.items() if name != "name"} for one in value}
    return None


def _plain(value: Any) -> Plain:
    if isinstance(value, list):
        return ", ".join(_word(one) for one in value)
    if isinstance(value, str) and len(value) > _LONGEST and " " not in value:  # a graph, for one
        return f"{len(value)} characters, sha256 {sha256(value.encode()).hexdigest()[:8]}"
    plain: Plain = value
    return plain


def _word(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _beside(one: Mapping[str, Plain], other: Mapping[str, Plain]) -> dict[str, tuple[Plain, Plain]]:
    return {name: (one.get(name), other.get(name)) for name in dict.fromkeys([*one, *other])}


def _differing(pairs: Pairs) -> dict[str, tuple[Plain, Plain]]:
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}
