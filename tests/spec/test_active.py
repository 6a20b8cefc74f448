from __future__ import annotations

import unisono as un
from unisono.spec.active import ActiveVersions, Version


class OneVersion:
    """What the smallest store would be."""

    def active(self, predictor: str) -> Version:
        if predictor != "delay":
            raise un.StoreError(f"predictor {predictor}: no active version")
        return Version(predictor, id="0" * 32, artifact="artifacts/00")


def test_whatever_says_which_version_is_active_can_stand_for_a_store() -> None:
    versions: ActiveVersions = OneVersion()
    assert versions.active("delay") == Version("delay", "0" * 32, "artifacts/00")
