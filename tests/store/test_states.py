"""The state store: all of a commit or nothing, snapshots that do not move, one writer."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import unisono as un
from unisono.store.states import NEW, Commit, StateStore, ViewIdentity, encode_key

VIEWS = {"a": ViewIdentity("0" * 32, 1), "b": ViewIdentity("1" * 32, -2)}


def test_what_is_committed_is_read_back_together(tmp_path: Path) -> None:
    store = StateStore(tmp_path, VIEWS, mode="write")
    assert store.last == NEW
    assert store.commit({"a": [(b"k", b"one")]}, position=7, time=-5, output=3) == Commit(1, 7, -5, 3)
    with store.snapshot() as snapshot:
        assert bytes(snapshot.state("a", b"k") or b"") == b"one"
        assert snapshot.state("b", b"k") is None
        assert snapshot.commit == Commit(1, 7, -5, 3)
    store.close()
    reopened = StateStore(tmp_path, VIEWS)
    assert reopened.last == Commit(1, 7, -5, 3)
    reopened.close()


def test_a_snapshot_does_not_move(tmp_path: Path) -> None:
    store = StateStore(tmp_path, VIEWS, mode="temporary")
    store.commit({"a": [(b"k", b"one")]}, position=1, time=1)
    with store.snapshot() as before:
        store.commit({"a": [(b"k", b"two")]}, position=2, time=2)
        with store.snapshot() as after:
            assert bytes(before.state("a", b"k") or b"") == b"one" and before.commit.position == 1
            assert bytes(after.state("a", b"k") or b"") == b"two" and after.commit.position == 2
    store.close()


def test_the_map_grows_and_readers_elsewhere_follow(tmp_path: Path) -> None:
    """A reader of another process was there before; it takes the new size over."""
    script = (
        "import sys; from pathlib import Path\n"
        "from unisono.store.states import StateStore, ViewIdentity\n"
        "views = {'a': ViewIdentity('0' * 32, 1), 'b': ViewIdentity('1' * 32, -2)}\n"
        "store = StateStore(Path(sys.argv[1]), views)\n"
        "print(store.last.position, flush=True); sys.stdin.readline(); print(store.last.position)\n"
        "with store.snapshot() as snapshot: print(len(snapshot.state('a', b'9')))\n"
    )
    store = StateStore(tmp_path, VIEWS, mode="write", map_bytes=1 << 16)
    store.commit({}, position=1, time=1)
    with subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as reader:
        assert reader.stdout is not None and reader.stdout.readline() == "1\n"
        store.commit({"a": [(b"%d" % number, b"x" * 100_000) for number in range(20)]}, position=2, time=2)
        assert reader.communicate("\n")[0] == "2\n100000\n"
    store.close()


def test_keys_are_told_apart_and_long_ones_fit() -> None:
    keys = [("a", "b"), ("a b",), ("", "ab"), (1,), ("1",), (-1,), (2**63 - 1,), ("x" * 10_000,), ("x" * 10_001,)]
    packed = [encode_key(key) for key in keys]
    assert len(set(packed)) == len(keys)
    assert max(map(len, packed)) <= 500


def test_there_is_no_state_before_a_stream_ran(tmp_path: Path) -> None:
    with pytest.raises(un.StoreError, match="no state yet; run `unisono stream` first"):
        StateStore(tmp_path / "nowhere", VIEWS)
    (tmp_path / "empty").mkdir()
    with pytest.raises(un.StoreError, match="no state yet"):
        StateStore(tmp_path / "empty", VIEWS)
