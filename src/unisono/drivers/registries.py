"""The registry of a project, without running its definitions."""

from __future__ import annotations

from pathlib import Path

from unisono.drivers.config import Config
from unisono.store.registry import Registry


def open_registry(root: Path, config: Config) -> Registry:
    """The registry that a project's unisono.toml names; without [registry], in its store.

    root: the project's folder.

    Raises StoreError if it cannot be reached.
    """
    place, store = config.registry, root / config.store
    url = place.url or str(store / "registry.sqlite")
    return Registry(url, place.artifacts or str(store / "artifacts"), folder=root)
