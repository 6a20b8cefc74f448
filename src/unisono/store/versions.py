"""Versions of predictors: artifacts by content, and which version answers.

    DIR/PREDICTOR/artifacts/ID/     spec.json, graph.onnx, ... and manifest.json with the hash of each; never changed
    DIR/PREDICTOR/champion          the id of the version that answers; replaced whole
    DIR/PREDICTOR/history           one line a change of the champion; only ever longer

An artifact holds data only, no code and no pickles. It is checked against its hashes before anything in it is used.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import msgspec

from unisono.spec.active import Version
from unisono.spec.errors import InputError, StateError, StoreError
from unisono.spec.wording import is_name, listing, quoted

FORMAT = 1
MAX_FILE_BYTES = 1 << 30
FILES = ("spec.json", "graph.onnx", "golden.json", "passport.json")
_MANIFEST = "manifest.json"
_ID_LENGTH = 32


class _Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    format: int
    predictor: str
    files: dict[str, str]  # name -> sha256


class Change(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One change of the champion.

    version:    id of the version that answers from then on.
    before:     id of the one that answered until then, or None.
    changed_at: RFC 3339.
    """

    version: str
    before: str | None
    changed_at: str


class VersionStore:
    """The versions of a project's predictors; implements `spec.active.ActiveVersions`.

    directory: of the store; made when the first version is added.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def add(self, predictor: str, files: Mapping[str, bytes]) -> Version:
        """Keep an artifact; the same content is the same version. The champion stays who it is.

        files: name -> content, names among FILES.
        Raises InputError for another name or too large a file, StoreError if there is no space.
        """
        _check_files(predictor, files)
        hashes = {name: sha256(content).hexdigest() for name, content in sorted(files.items())}
        manifest = msgspec.json.encode(_Manifest(FORMAT, predictor, hashes), order="sorted")
        identity = sha256(manifest).hexdigest()[:_ID_LENGTH]
        target = self._artifact(predictor, identity)
        if not target.exists():
            with _writing(target.parent):
                target.parent.mkdir(parents=True, exist_ok=True)
                _place(target, {**files, _MANIFEST: manifest})
        return Version(predictor, identity, str(target))

    def promote(self, version: Version, *, now: datetime | None = None) -> None:
        """Make a version the one that answers, in one step; readers see the old one or the new one."""
        home = self.directory / version.predictor
        before = self._champion(version.predictor)
        moment = (now or datetime.now(UTC)).isoformat().replace("+00:00", "Z")
        with _writing(home):
            line = msgspec.json.encode(Change(version.id, before, moment)) + b"\n"
            with (home / "history").open("ab") as history:
                history.write(line)
                history.flush()
                os.fsync(history.fileno())
            _replace(home / "champion", version.id.encode())

    def active(self, predictor: str) -> Version:
        """The version that answers. Raises StoreError if there is none."""
        identity = self._champion(predictor)
        if identity is None:
            raise StoreError(
                f"predictor {predictor} has no version in {self.directory}; "
                f"register one: `unisono register {predictor} MODEL`"
            )
        return self.version(predictor, identity)

    def version(self, predictor: str, identity: str) -> Version:
        """A version by its id, or the first digits of it. Raises StoreError if there is not exactly one."""
        known = [path.name for path in sorted(self.directory.glob(f"{predictor}/artifacts/*")) if path.is_dir()]
        found = [name for name in known if name.startswith(identity) and not name.startswith(".")]
        if len(found) != 1 or not identity:
            raise StoreError(
                f"predictor {predictor}: version {quoted(identity)} is not one version; allowed: {listing(known)}; "
                "give its id or enough of its first digits"
            )
        return Version(predictor, found[0], str(self._artifact(predictor, found[0])))

    def history(self, predictor: str) -> list[Change]:
        """Every change of the champion, first to last."""
        path = self.directory / predictor / "history"
        if not path.exists():
            return []
        return [msgspec.json.decode(line, type=Change) for line in path.read_bytes().splitlines()]

    def read(self, version: Version) -> Mapping[str, bytes]:
        """The files of a version, each checked against its hash. Raises StateError if one is not what was stored."""
        place = Path(version.artifact)
        manifest = _read_manifest(place, version)
        return {name: _read_checked(place / name, digest) for name, digest in manifest.files.items()}

    def _artifact(self, predictor: str, identity: str) -> Path:
        return self.directory / predictor / "artifacts" / identity

    def _champion(self, predictor: str) -> str | None:
        path = self.directory / predictor / "champion"
        return path.read_text("ascii").strip() if is_name(predictor) and path.exists() else None


def _check_files(predictor: str, files: Mapping[str, bytes]) -> None:
    for name, content in files.items():
        if name not in FILES:
            raise InputError(f"artifact of {predictor}: file {quoted(name)}; allowed: {listing(FILES)}; leave it out")
        if len(content) > MAX_FILE_BYTES:
            seen = f"file {name} of {len(content)} bytes"
            raise InputError(f"artifact of {predictor}: {seen}; allowed: {MAX_FILE_BYTES}; use a smaller model")


def _read_manifest(place: Path, version: Version) -> _Manifest:
    path = place / _MANIFEST
    if not path.is_file():
        raise StoreError(f"{place}: there is no artifact; register the model again")
    content = path.read_bytes()
    if sha256(content).hexdigest()[:_ID_LENGTH] != version.id:
        raise StateError(f"{path}: not the manifest of version {version.id}; {_AGAIN}")
    try:
        manifest = msgspec.json.decode(content, type=_Manifest)
    except msgspec.DecodeError as error:
        raise StateError(f"{path}: cannot be read ({error}); {_AGAIN}") from error
    if manifest.format != FORMAT or not set(manifest.files) <= {*FILES}:
        raise StateError(
            f"{path}: format {manifest.format} with {listing(manifest.files)}; allowed: {FORMAT}; {_AGAIN}"
        )
    return manifest


def _read_checked(path: Path, digest: str) -> bytes:
    if not path.is_file():
        raise StateError(f"{path}: is gone; {_AGAIN}")
    if path.stat().st_size > MAX_FILE_BYTES:
        raise StateError(f"{path}: {path.stat().st_size} bytes; allowed: {MAX_FILE_BYTES}; {_AGAIN}")
    content = path.read_bytes()
    if sha256(content).hexdigest() != digest:
        raise StateError(f"{path}: is not what was stored (its hash differs); {_AGAIN}")
    return content


_AGAIN = "restore the artifact, or register the model again"


def _place(target: Path, files: Mapping[str, bytes]) -> None:
    """Make a directory with these files, whole or not at all."""
    partial = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        partial.mkdir()
        for name, content in files.items():
            with (partial / name).open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        partial.rename(target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _replace(path: Path, content: bytes) -> None:
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with partial.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def _writing(directory: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreError(
            f"{directory}: the system refused to write ({error.strerror}); nothing was changed; make room and run again"
        ) from error
