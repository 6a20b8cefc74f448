"""Feature state in LMDB: one database a view, key -> kernel state, and with the states the position of the log.

What one commit wrote is seen whole or not at all: states, position and the length of the output go together. One
process writes; any number read, each from the snapshot of one commit.
"""

from __future__ import annotations

import fcntl
import os
import struct
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from hashlib import blake2b
from pathlib import Path
from typing import Literal, NamedTuple, Self

import lmdb
import msgspec

from unisono.spec.errors import StateError, StoreError

FORMAT = 1
MAP_BYTES = 1 << 34  # of address space, not of disk; doubled when it is full
MAX_KEY_BYTES = 500  # LMDB's limit is 511

_META, _ABOUT, _COMMIT = b"meta", b"about", b"commit"
_COMMIT_FIELDS = struct.Struct("<QQqQ")
_DIGESTED = b"\xc1"  # the one byte that msgpack never begins with

Changes = Mapping[str, Sequence[tuple[bytes, bytes]]]
Mode = Literal["read", "write", "temporary"]
Databases = Mapping[str, "lmdb._Database"]


class ViewIdentity(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a view's states were folded with.

    definition: content id of the view.
    plan:       id of the kernel's plan.
    """

    definition: str
    plan: int


class _About(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    format: int
    views: dict[str, ViewIdentity]


class Commit(NamedTuple):
    """What a transaction wrote beside the states.

    number:   how many commits there were; 0: the store is new.
    position: rows of the log that are folded in.
    time:     microseconds: the log's time there; states answer for this instant and later.
    output:   how many rows of the output count.
    """

    number: int
    position: int
    time: int
    output: int


NEW = Commit(0, 0, -(1 << 62), 0)


def encode_key(values: Sequence[str | int]) -> bytes:
    """An entity key as bytes, at most 500; a longer one by its digest."""
    packed = msgspec.msgpack.encode(values)
    return packed if len(packed) <= MAX_KEY_BYTES else _DIGESTED + blake2b(packed, digest_size=32).digest()


class Snapshot:
    """A store as one commit left it, as a context: what is read from it is valid until it is left."""

    __slots__ = ("_databases", "_transaction")

    def __init__(self, transaction: lmdb.Transaction, databases: Databases) -> None:
        self._transaction = transaction
        self._databases = databases

    def state(self, view: str, key: bytes) -> bytes | memoryview | None:
        """The state of one key, not copied; None if it has none."""
        return self._transaction.get(key, db=self._databases[view])

    @property
    def commit(self) -> Commit:
        """The commit that this is a snapshot of."""
        return _read_commit(self._transaction, self._databases[""])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._transaction.abort()


class StateStore:
    """The states of some views over one log.

    directory: of the store; made by a writer if it is not there.
    views:     name -> identity; a store folded with any other is refused.
    mode:      "read"; "write": alone; "temporary": alone, and gone or broken after a power cut.

    Raises StateError if the store is corrupt, truncated or of other views, StoreError if it is missing, full or in use.
    """

    def __init__(
        self, directory: Path, views: Mapping[str, ViewIdentity], *, mode: Mode = "read", map_bytes: int = MAP_BYTES
    ) -> None:
        self.directory = directory
        self._writes = mode != "read"
        self._lock = -1
        _check_file(directory / "data.mdb", must_exist=not self._writes)
        with _system(directory):
            if self._writes:
                directory.mkdir(parents=True, exist_ok=True)
                self._lock = _lock(directory)
            try:
                self._environment = _open(directory, len(views), mode, map_bytes)
                try:
                    self._databases = self._open_databases(views)
                except BaseException:
                    self._environment.close()
                    raise
            except BaseException:
                self._unlock()
                raise

    def _open_databases(self, views: Mapping[str, ViewIdentity]) -> Databases:
        meta = self._open_database(_META)
        with self._environment.begin(write=self._writes) as transaction:
            written = transaction.get(_ABOUT, db=meta)
            if written is not None:
                _check_views(self.directory, written, views)
            elif self._writes:
                transaction.put(_ABOUT, msgspec.json.encode(_About(FORMAT, dict(views))), db=meta)
            else:
                raise StoreError(f"{self.directory}: no state yet; run `unisono stream` first")
        return {"": meta, **{name: self._open_database(b"view:" + name.encode()) for name in views}}

    def _open_database(self, name: bytes) -> lmdb._Database:
        try:
            return self._environment.open_db(name, create=self._writes)
        except lmdb.NotFoundError as error:
            raise StoreError(f"{self.directory}: no state yet; run `unisono stream` first") from error

    def snapshot(self) -> Snapshot:
        """The store as it is now; another commit does not change what is read from it."""
        try:
            return Snapshot(self._environment.begin(buffers=True), self._databases)
        except lmdb.MapResizedError:
            self._environment.set_mapsize(0)  # the writer has grown the map: take its size over
            return Snapshot(self._environment.begin(buffers=True), self._databases)
        except lmdb.Error as error:
            raise StateError(f"{self.directory}: cannot be read ({error}); {_START_OVER}") from error

    @property
    def last(self) -> Commit:
        """The last commit."""
        with self.snapshot() as snapshot:
            return snapshot.commit

    def commit(self, changes: Changes, *, position: int, time: int, output: int = 0) -> Commit:
        """Write states, position and length of the output, all or nothing.

        changes: view -> (key bytes, state bytes).
        Raises StoreError if there is no space; the store is then as it was.
        """
        while True:
            try:
                with _system(self.directory):
                    return self._try_commit(changes, position, time, output)
            except lmdb.MapFullError:
                self._environment.set_mapsize(2 * int(self._environment.info()["map_size"]))

    def _try_commit(self, changes: Changes, position: int, time: int, output: int) -> Commit:
        meta = self._databases[""]
        with self._environment.begin(write=True) as transaction:
            commit = Commit(_read_commit(transaction, meta).number + 1, position, time, output)
            for view, pairs in changes.items():
                database = self._databases[view]
                for key, state in pairs:
                    transaction.put(key, state, db=database)
            transaction.put(_COMMIT, _COMMIT_FIELDS.pack(*commit), db=meta)
        return commit

    def close(self) -> None:
        """Let another writer in."""
        self._environment.close()
        self._unlock()

    def _unlock(self) -> None:
        if self._lock >= 0:
            os.close(self._lock)
        self._lock = -1


_START_OVER = "delete the folder and run `unisono stream` again: it is rebuilt from the log"


def _open(directory: Path, views: int, mode: Mode, map_bytes: int) -> lmdb.Environment:
    environment = lmdb.open(
        str(directory),
        map_size=map_bytes,
        max_dbs=views + 1,
        readonly=mode == "read",
        sync=mode != "temporary",
        metasync=mode != "temporary",
        # The kernel's states are large and read at random: reading ahead would only fill the cache with others.
        readahead=False,
        max_readers=512,
    )
    if mode != "read":
        environment.reader_check()  # forget readers that were killed, or their old pages would never be used again
    return environment


def _read_commit(transaction: lmdb.Transaction, meta: lmdb._Database) -> Commit:
    written = transaction.get(_COMMIT, db=meta)
    return NEW if written is None else Commit(*_COMMIT_FIELDS.unpack(written))


def _check_views(directory: Path, written: bytes, views: Mapping[str, ViewIdentity]) -> None:
    try:
        about = msgspec.json.decode(written, type=_About)
    except msgspec.DecodeError as error:
        raise StateError(f"{directory}: its description cannot be read ({error}); {_START_OVER}") from error
    if about.format != FORMAT:
        raise StateError(f"{directory}: format {about.format}; allowed: {FORMAT}; {_START_OVER}")
    if about.views == views:
        return
    names = sorted(name for name in {*about.views, *views} if about.views.get(name) != views.get(name))
    raise StateError(
        f"{directory}: folded with another definition of {', '.join(names)}; allowed: the same views, windows, "
        f"aggregations and transforms; go back to that definition, or {_START_OVER}"
    )


@contextmanager
def _system(directory: Path) -> Iterator[None]:
    try:
        yield
    except (lmdb.MapFullError, lmdb.NotFoundError):
        raise
    except (lmdb.CorruptedError, lmdb.InvalidError, lmdb.PageNotFoundError, lmdb.VersionMismatchError) as error:
        raise StateError(f"{directory}: not a sound LMDB store ({error}); {_START_OVER}") from error
    except (lmdb.Error, OSError) as error:
        raise StoreError(
            f"{directory}: the system refused ({error}); nothing was changed; make room (`df -h {directory}`) or give "
            "access, and run again"
        ) from error


def _lock(directory: Path) -> int:
    descriptor = os.open(directory / "writer", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        holder = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip() or "unknown"
        os.close(descriptor)
        raise StoreError(
            f"{directory} is open for writing in process {holder}; allowed: one writer; stop it, or wait for it"
        ) from error
    with suppress(OSError):
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
    return descriptor


_PAGE_HEADER_BYTES = 16
_MAGIC = 0xBEEFC0DE
# Magic, version, address, map size, two databases, last page, transaction.
_META_FIELDS = struct.Struct("<IIQQ48s48sQQ")


def _check_file(path: Path, *, must_exist: bool) -> None:
    """Refuse a file that was cut: LMDB maps it, and touching what is not there would kill the process."""
    if not path.exists():
        if must_exist:
            raise StoreError(f"{path.parent}: no state yet; run `unisono stream` first")
        return
    with path.open("rb") as file:
        head = file.read(2 << 16)
    size = path.stat().st_size
    if size == 0:
        return
    metas = [meta for meta in (_meta_page(head, 0), _meta_page(head, _page_bytes(head))) if meta is not None]
    if not metas:
        raise StateError(f"{path}: not a sound LMDB store (no meta page); {_START_OVER}")
    last_page, _ = max(metas, key=lambda meta: meta[1])
    needed = (last_page + 1) * _page_bytes(head)
    if size < needed:
        raise StateError(f"{path}: truncated: {size} bytes of {needed}; {_START_OVER}")


def _page_bytes(head: bytes) -> int:
    """LMDB keeps the page size in the first database's record of the first meta page."""
    at = _PAGE_HEADER_BYTES + 24
    pages = struct.unpack_from("<I", head, at)[0] if len(head) >= at + 4 else 0
    return pages or 4096


def _meta_page(head: bytes, at: int) -> tuple[int, int] | None:
    if len(head) < at + _PAGE_HEADER_BYTES + _META_FIELDS.size:
        return None
    magic, _, _, _, _, _, last_page, transaction = _META_FIELDS.unpack_from(head, at + _PAGE_HEADER_BYTES)
    return (last_page, transaction) if magic == _MAGIC else None
