"""Artifacts as files: in a folder, or wherever fsspec reaches. A file is there whole, or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

from fsspec.core import url_to_fs
from fsspec.implementations.local import LocalFileSystem

from unisono.spec.errors import StoreError
from unisono.spec.wording import one_line

# What is put there appears in one step; elsewhere it is put beside its place first, then moved.
_PUTS_WHOLE = {"memory", "s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "oss"}


class ArtifactFiles:
    """A place for artifacts.

    where: a folder, or a URL of fsspec (`s3://bucket/folder`, `memory://...`).

    Raises StoreError if nothing here can reach such a place.
    """

    def __init__(self, where: str) -> None:
        self._secret = urlsplit(where).password if "://" in where else None
        with self._told(
            where.partition("://")[0] + "://..." if "://" in where else where, "correct [registry] artifacts"
        ):
            self._system, root = url_to_fs(where)
        self._root = str(root).rstrip("/")

    def place(self, key: str) -> str:
        """Where a file is, as people see it: a path, or a URL without user and password."""
        path = f"{self._root}/{key}"
        return path if self._is_local else str(self._system.unstrip_protocol(path))

    def read(self, key: str, *, most: int) -> bytes | None:
        """A file, at most one byte more than `most`; None if there is none. Raises StoreError if it is unreachable."""
        with self._told(self.place(key), "see that it can be read, then run again"):
            try:
                content: bytes = self._system.cat_file(f"{self._root}/{key}", start=0, end=most + 1)
            except (FileNotFoundError, NotADirectoryError):
                return None
            return content

    def write(self, key: str, content: bytes) -> None:
        """Write a file in one step: a reader, or whoever is killed, never sees a part. Raises StoreError."""
        with self._told(
            self.place(key), "nothing was registered; make room, or correct who may write there, and run again"
        ):
            if self._is_local:
                _write_local(Path(self._root) / key, content)
            else:
                self._write_remote(f"{self._root}/{key}", content)

    def _write_remote(self, path: str, content: bytes) -> None:
        if _PUTS_WHOLE.intersection(_protocols(self._system.protocol)):
            self._system.pipe_file(path, content)
            return
        self._system.makedirs(path.rpartition("/")[0], exist_ok=True)
        partial = f"{path}.{uuid4().hex}.partial"
        self._system.pipe_file(partial, content)
        self._system.mv(partial, path)

    @property
    def _is_local(self) -> bool:
        return isinstance(self._system, LocalFileSystem)

    @contextmanager
    def _told(self, place: str, step: str) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # file systems of fsspec raise whatever their clients do
            said = one_line(getattr(error, "strerror", None) or str(error) or type(error).__name__)
            said = said.replace(self._secret, "***") if self._secret else said
            raise StoreError(f"{place}: {said}; {step}") from error


def _protocols(named: str | tuple[str, ...]) -> tuple[str, ...]:
    return (named,) if isinstance(named, str) else named


def _write_local(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{uuid4().hex}.partial")
    try:
        with partial.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    for folder in (path.parent, path.parent.parent):
        _sync_folder(folder)


def _sync_folder(folder: Path) -> None:
    """See to it that a new name in a folder outlives a power cut; Windows has no such call and needs none."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
