"""An artifact: what one version of a predictor is, as data, and the id that says so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from unisono.spec.errors import InputError
from unisono.spec.frozen import FrozenMapping
from unisono.spec.wording import NAME_ALLOWED, is_name, listing, quoted
from unisono.store.artifacts import names, zipped
from unisono.store.artifacts.contents import judge_contents
from unisono.store.artifacts.limits import Limits
from unisono.store.artifacts.manifest import id_of, manifest_of, missing_files
from unisono.store.artifacts.signatures import Signature, signatures_json


@dataclass(frozen=True, slots=True)
class Artifact:
    """One version of a predictor: data only, never code. Made by `make_artifact` and `read_artifact`.

    predictor:  its name.
    id:         32 hexadecimal digits, made from the content: equal content is equal everywhere.
    files:      name -> content, in the order of their names.
    manifest:   the document that the id is made of, and that signatures sign.
    signatures: by whom it is signed; no part of the id.
    """

    predictor: str
    id: str
    files: Mapping[str, bytes] = field(repr=False)
    manifest: bytes = field(repr=False)
    signatures: tuple[Signature, ...] = ()

    def to_bytes(self) -> bytes:
        """The artifact as one file, a zip: the same bytes for the same content and signatures, on every machine."""
        signed = {names.SIGNATURES: signatures_json(self.signatures)} if self.signatures else {}
        return zipped.to_zip({names.MANIFEST: self.manifest, **self.files, **signed})

    def signed(self, signature: Signature) -> Artifact:
        """The same artifact with one more signature, which takes the place of an older one by the same key."""
        others = [one for one in self.signatures if one.key != signature.key]
        return replace(self, signatures=tuple(sorted([*others, signature])))


def make_artifact(predictor: str, files: Mapping[str, bytes]) -> Artifact:
    """The artifact of these files; the same content is the same artifact.

    predictor: name of the predictor.
    files:     name -> content: spec.json, graph.onnx, golden.json and passport.json, and those of metrics.json,
               lineage.json and tokenizer/NAME.json that there are.

    What is made can be read: raises InputError for a name that is none of these or a file that is too large, and
    StateError for content that `read_artifact` would refuse.
    """
    limits = Limits()
    _check(predictor, files, limits)
    kept = FrozenMapping({name: bytes(files[name]) for name in sorted(files)})
    judge_contents(predictor, kept, limits)
    manifest = manifest_of(predictor, kept)
    return Artifact(predictor, id_of(manifest), kept, manifest)


def _check(predictor: str, files: Mapping[str, bytes], limits: Limits) -> None:
    if not is_name(predictor):
        raise InputError(f"artifact: predictor {quoted(predictor)}; allowed: {NAME_ALLOWED}; rename it")
    place = f"artifact of {predictor}"
    for name, content in files.items():
        if fault := names.fault_of_name(name):
            raise InputError(f"{place}: {fault}; allowed: {listing(names.ALLOWED)}; leave it out")
        most = names.most_bytes(name, limits)
        if len(content) > most:
            raise InputError(f"{place}: {name}: {len(content)} bytes; allowed: {most}; use a smaller model")
    if fault := names.fault_of_cases(files):
        raise InputError(f"{place}: {fault}; allowed: names that differ in more than case; rename one")
    if missing := missing_files(files):
        raise InputError(f"{place}: without {listing(missing)}; allowed: all of {listing(names.REQUIRED)}; add them")
    whole = sum(map(len, files.values())) + 2 * limits.note_bytes
    if len(files) > limits.files or whole > limits.artifact_bytes:
        seen = f"{len(files)} files of {whole} bytes in all"
        allowed = f"{limits.files} files, {limits.artifact_bytes} bytes"
        raise InputError(f"{place}: {seen}; allowed: {allowed}; use a smaller model")
