"""Reads an artifact that anyone may have written: everything is judged before anything is built of it."""

from __future__ import annotations

from collections.abc import Collection

from unisono.spec.frozen import FrozenMapping
from unisono.spec.wording import listing
from unisono.store.artifacts import names
from unisono.store.artifacts.artifact import Artifact
from unisono.store.artifacts.contents import judge_contents
from unisono.store.artifacts.limits import Limits
from unisono.store.artifacts.manifest import check_files, id_of, read_manifest
from unisono.store.artifacts.refusal import refused
from unisono.store.artifacts.signatures import Signature, fingerprint, read_signatures
from unisono.store.artifacts.zipped import from_zip

_DEFAULT_LIMITS = Limits()


def read_artifact(
    data: bytes, *, limits: Limits = _DEFAULT_LIMITS, trusted: Collection[bytes] | None = None
) -> Artifact:
    """The artifact that `Artifact.to_bytes` wrote.

    data:    of the whole file.
    limits:  of sizes.
    trusted: public keys, each as the content of its PEM file; the artifact has to be signed by one of them. None: it
             need not be signed, but if it is, every signature has to be right.

    Raises StateError, with the reason, for anything else. Judged in this order: size, zip, names and sizes of files,
    hashes, signatures, JSON, spec, graphs; nothing is written, no session is opened. StoreError if signatures have to
    be checked and the library for it is not there.
    Cost: about 2.5 s of CPU a GB of graph; memory for a few copies of it.
    """
    files = from_zip(data, limits)
    document = files.pop(names.MANIFEST)
    signed = files.pop(names.SIGNATURES, None)
    manifest = read_manifest(document)
    check_files(manifest, files, limits)
    signatures = () if signed is None else read_signatures(signed)
    _check_signatures(document, signatures, trusted)
    kept = FrozenMapping(files)
    judge_contents(manifest.predictor, kept, limits)
    return Artifact(manifest.predictor, id_of(document), kept, document, signatures)


def _check_signatures(manifest: bytes, signatures: tuple[Signature, ...], trusted: Collection[bytes] | None) -> None:
    if signatures or trusted:
        from unisono.store.artifacts import signing  # the adapter of an optional library

        signing.verify(manifest, signatures)
        keys = None if trusted is None else {signing.public_key(pem) for pem in trusted}
    else:
        keys = None if trusted is None else set()
    if keys is not None and not any(one.key in keys for one in signatures):
        by = listing(one.fingerprint for one in signatures)
        raise refused(
            f"signed by {by}",
            f"signed by one of {listing(sorted(map(fingerprint, keys)))}",
            "sign it, or trust its key",
        )
