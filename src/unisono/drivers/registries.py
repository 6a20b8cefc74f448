"""The registry of a project, without running its definitions."""

from __future__ import annotations

from pathlib import Path

from unisono.drivers.config import Config
from unisono.spec.errors import StoreError
from unisono.store.registry import Registry


def open_registry(root: Path, config: Config) -> Registry:
    """The registry that a project's unisono.toml names; without [registry], in its store.

    root: the project's folder.

    Raises StoreError if it cannot be reached, or a file with a trusted key cannot be read.
    """
    root = root.resolve()  # what is relative below is so to the project's folder, not to the current one
    place, store = config.registry, root / config.store
    url = place.url or str(store / "registry.sqlite")
    artifacts = place.artifacts or str(store / "artifacts")
    trusted = [_read_key(root / name) for name in place.trusted] or None
    return Registry(url, artifacts, folder=root, trusted=trusted)


def _read_key(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        step = "correct trusted in [registry] of unisono.toml"
        raise StoreError(f"{path}: the key cannot be read ({error.strerror}); {step}") from error
