"""What an artifact is, as plain values, for people and machines to look at."""

from __future__ import annotations

from unisono.store.artifacts.artifact import Artifact
from unisono.store.artifacts.manifest import FORMAT, read_manifest


def describe(artifact: Artifact) -> dict[str, object]:
    """Plain values, fit for JSON: what the artifact is, its files with sizes and hashes, and who signed it.

    Nothing is built or run: it is safe to look at what one would not run.
    """
    manifest = read_manifest(artifact.manifest)
    return {
        "predictor": artifact.predictor,
        "id": artifact.id,
        "format": FORMAT,
        "bytes": sum(len(content) for content in artifact.files.values()),
        "files": [
            {"name": name, "bytes": entry.bytes, "sha256": entry.sha256}
            for name, entry in sorted(manifest.files.items())
        ],
        "signers": [one.fingerprint for one in artifact.signatures],
    }
