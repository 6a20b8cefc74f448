"""How an artifact that cannot be used is refused."""

from __future__ import annotations

from unisono.spec.errors import StateError

AGAIN = "restore the artifact, or register the model again"


def refused(seen: str, allowed: str, step: str = AGAIN) -> StateError:
    """The error that says why."""
    return StateError(f"artifact: {seen}; allowed: {allowed}; {step}")
