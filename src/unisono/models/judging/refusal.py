"""How a graph that is not safe to run is refused."""

from __future__ import annotations

from unisono.spec.errors import ModelError


def refused(seen: str, allowed: str) -> ModelError:
    """The error that says why."""
    return ModelError(f"graph: {seen}; allowed: {allowed}; register the model again")
