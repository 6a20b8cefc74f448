"""The document that says what an artifact is: the name and hash of each file. Its own hash is the artifact's id."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256

import msgspec

from unisono.spec.wording import is_name, listing, one_line, quoted
from unisono.store.artifacts import names
from unisono.store.artifacts.limits import Limits
from unisono.store.artifacts.refusal import refused

FORMAT = 1

_ID_LENGTH = 32  # 128 bits


class Header(msgspec.Struct, frozen=True):
    """Read first, so that an artifact of a later format is called that, and not full of unknown fields."""

    format: int


class Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One file: its length and hash."""

    bytes: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A whole artifact. Format 1 is read and written by unisono 0.2."""

    files: dict[str, Entry]
    format: int
    predictor: str


def manifest_of(predictor: str, files: Mapping[str, bytes]) -> bytes:
    """The manifest of these files, in the one way there is to write it."""
    entries = {name: Entry(len(content), sha256(content).hexdigest()) for name, content in files.items()}
    return _encode(Manifest(entries, FORMAT, predictor))


def id_of(manifest: bytes) -> str:
    """The id of the artifact that a manifest describes: 32 hexadecimal digits."""
    return sha256(manifest).hexdigest()[:_ID_LENGTH]


def read_manifest(content: bytes) -> Manifest:
    """What manifest_of wrote. Raises StateError for anything else, if only a space is different."""
    try:
        header = msgspec.json.decode(content, type=Header)
        if header.format != FORMAT:
            raise refused(f"format {header.format}", str(FORMAT), "read it with the unisono that wrote it")
        manifest = msgspec.json.decode(content, type=Manifest)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise refused(
            f"{names.MANIFEST} cannot be read ({one_line(error)})", f"a manifest of format {FORMAT}"
        ) from error
    if not is_name(manifest.predictor):
        raise refused(f"predictor {quoted(manifest.predictor)}", "the name of a predictor")
    if _encode(manifest) != content:  # two ways to write it would be two ids of one content
        raise refused(f"{names.MANIFEST} is written in another way", "as unisono writes it: sorted, without spaces")
    return manifest


def check_files(manifest: Manifest, files: Mapping[str, bytes], limits: Limits) -> None:
    """Raises StateError if the files are not those of the manifest, byte for byte."""
    if set(files) != set(manifest.files):
        raise refused(f"files {listing(files)}", f"those of its manifest: {listing(manifest.files)}")
    if missing := missing_files(files):
        raise refused(f"without {listing(missing)}", f"all of {listing(names.REQUIRED)}")
    for name, content in files.items():
        if manifest.files[name].bytes != len(content):
            raise refused(f"{name} has {len(content)} bytes", f"{manifest.files[name].bytes}, as its manifest says")
        if manifest.files[name].sha256 != sha256(content).hexdigest():
            raise refused(f"{name} is not what was stored (its hash differs)", "the content that its manifest names")


def missing_files(files: Mapping[str, object]) -> list[str]:
    """What every artifact has and this one has not."""
    return [name for name in names.REQUIRED if name not in files]


def _encode(manifest: Manifest) -> bytes:
    return msgspec.json.encode(manifest, order="sorted")
