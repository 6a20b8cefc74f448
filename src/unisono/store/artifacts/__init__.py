"""Artifacts: one file a version of a predictor; its id is its content. Data only, judged before it is used.

Artifact        what one version is
make_artifact   files -> artifact
read_artifact   bytes that anyone may have written -> artifact, or the reason why not
describe        what an artifact is, as plain values
Limits          how large it may be
Signature       who vouches for it; `signing` makes and verifies them
"""

from unisono.store.artifacts.artifact import Artifact, make_artifact
from unisono.store.artifacts.describing import describe
from unisono.store.artifacts.limits import Limits
from unisono.store.artifacts.reading import read_artifact
from unisono.store.artifacts.signatures import Signature

__all__ = ["Artifact", "Limits", "Signature", "describe", "make_artifact", "read_artifact"]
