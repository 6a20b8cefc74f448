"""Registries to test, in every kind of database, and what goes into them."""

from __future__ import annotations

from tests.store.artifact_files import files
from unisono.spec.active import Version
from unisono.store.artifacts import Artifact, make_artifact
from unisono.store.registry import Registry


def artifact(weight: float = 2.0, predictor: str = "risk") -> Artifact:
    """A small artifact; another weight is another version."""
    return make_artifact(predictor, files(predictor, weight))


def add(registry: Registry, *weights: float, predictor: str = "risk") -> list[Version]:
    """Versions in a registry."""
    return [registry.add(artifact(weight, predictor), by="ada", why="trained") for weight in weights]
