"""What a read costs if nothing is evaluated: features computed before, as 120 bytes by key, in SQLite and in LMDB."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable
from pathlib import Path

import lmdb

Rows = Iterable[tuple[int, bytes]]
Get = Callable[[int], bytes | None]


def sqlite_floor(path: Path, rows: Rows) -> Get:
    """One prepared statement, the key as row id, write-ahead log, the file mapped."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("pragma journal_mode = wal")
    connection.execute("pragma mmap_size = 1073741824")
    connection.execute("create table features (key integer primary key, row blob)")
    connection.execute("begin")
    connection.executemany("insert into features values (?, ?)", rows)
    connection.execute("commit")
    execute = connection.execute

    def get(key: int) -> bytes | None:
        found: tuple[bytes] | None = execute("select row from features where key = ?", (key,)).fetchone()
        return found[0] if found else None

    return get


def lmdb_floor(path: Path, rows: Rows) -> Get:
    """One read transaction a call, as a server has it that wants to see the last commit."""
    environment = lmdb.open(str(path), map_size=1 << 30, sync=False, metasync=False)
    with environment.begin(write=True) as transaction:
        for key, row in rows:
            transaction.put(key.to_bytes(8, "big"), row)
    begin = environment.begin

    def get(key: int) -> bytes | None:
        with begin() as transaction:
            found: bytes | None = transaction.get(key.to_bytes(8, "big"))
            return found

    return get
