"""The folder of a prepared version: its files, and a document that has the hash of each."""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

import msgspec

from unisono import __version__
from unisono.models.predictor_graph import Description
from unisono.models.session import Interface
from unisono.models.verifying.classes import NumericClass
from unisono.spec.errors import StateError, StoreError
from unisono.spec.wording import one_line

FORMAT = 3
"""Of a folder; raised whenever what an engine keeps in it changes."""
DOCUMENT = "serving.json"
GRAPH, GOLDEN, ENGINE = "graph.onnx", "golden.json", "engine.bin"


class Serving(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a worker has to know of a prepared version.

    predictor, version: names.
    wanted_engine:  that was asked for; "": the quickest that has the reference's bits.
    engine:         what runs the graph, and numeric_class: whether that always has the bits of the reference.
    bound:          how far answers to golden rows may be apart, as the passport or the engine says; 0: equal bits.
    description:    of the graph.
    interface:      of what runs it.
    files:          name -> SHA-256 of the content.
    """

    format: int
    made_by: str
    predictor: str
    version: str
    wanted_engine: str
    engine: str
    numeric_class: NumericClass
    bound: float
    description: Description
    interface: Interface
    files: dict[str, str]


def hash_of(content: bytes) -> str:
    """What a content is known by."""
    return sha256(content).hexdigest()


def read_serving(folder: Path) -> Serving:
    """The document of a folder. Raises StateError if it is missing, torn, or of another version of unisono."""
    content = _read(folder, DOCUMENT)
    try:
        found = msgspec.json.decode(content, type=Serving)
    except msgspec.MsgspecError as error:
        raise _unsound(folder, DOCUMENT, one_line(error)) from error
    if (found.format, found.made_by) != (FORMAT, __version__):
        raise _unsound(folder, DOCUMENT, f"of format {found.format}, made by unisono {found.made_by}")
    return found


def read_files(folder: Path, serving: Serving) -> dict[str, bytes]:
    """The files that a document names. Raises StateError if one is not what was written."""
    files = {name: _read(folder, name) for name in serving.files}
    for name, content in files.items():
        if hash_of(content) != serving.files[name]:
            raise _unsound(folder, name, "changed since it was written")
    return files


def _read(folder: Path, name: str) -> bytes:
    try:
        return (folder / name).read_bytes()
    except OSError as error:
        raise _unsound(folder, name, f"not readable ({error.strerror})") from error


def _unsound(folder: Path, name: str, seen: str) -> StateError:
    allowed = f"a folder as unisono {__version__} prepares it"
    return StateError(f"{folder.name}/{name}: {seen}; allowed: {allowed}; prepare the version again")


def write_folder(folder: Path, serving: Serving, files: Mapping[str, bytes]) -> None:
    """Write the document and its files, which have to last before they are renamed into place."""
    contents = {**files, DOCUMENT: msgspec.json.encode(serving)}
    for name, content in contents.items():
        path = folder / name
        path.parent.mkdir(mode=0o700, exist_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())


@contextmanager
def aside(folder: Path) -> Iterator[Path]:
    """A new private folder, which takes the place of another as a whole once all is well; else it is removed.

    Raises StoreError if it cannot be written.
    """
    new = folder.with_name(f".{folder.name}.{os.getpid()}.partial")
    try:
        _remove(new)
        new.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        new.mkdir(mode=0o700)
        yield new
        _put(new, folder)
    except OSError as error:
        raise StoreError(f"{folder}: could not be written ({error.strerror}); make room and start again") from error
    finally:
        _remove(new)


def _put(new: Path, folder: Path) -> None:
    old = folder.with_name(f".{folder.name}.{os.getpid()}.old")
    if folder.exists():
        folder.rename(old)
    new.rename(folder)
    _remove(old)
    descriptor = os.open(folder.parent, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)


def remove_others(folder: Path, kept: Collection[str]) -> None:
    """Remove the folders of versions that nobody wants any more.

    folder: of all prepared versions.
    kept:   ids of those that stay.
    """
    for one in folder.iterdir() if folder.is_dir() else ():
        if one.name not in kept:
            _remove(one)
