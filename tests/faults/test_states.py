"""A state store that is broken, cut, full, of another definition or fought over."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import unisono as un
from tests.faults.logs import flip
from unisono.kernel import Column, Output, Plan, States, read
from unisono.store.states import Mode, StateStore, ViewIdentity

MODES: tuple[Mode, ...] = ("read", "write")
VIEWS = {"a": ViewIdentity("0" * 32, 1)}


def fill(directory: Path, count: int = 50) -> StateStore:
    store = StateStore(directory, VIEWS, mode="write")
    store.commit({"a": [(b"%d" % number, b"x" * 1000) for number in range(count)]}, position=count, time=1)
    return store


def test_a_store_folded_with_another_definition_is_refused(tmp_path: Path) -> None:
    fill(tmp_path).close()
    for views in ({"a": ViewIdentity("0" * 32, 2)}, {"a": ViewIdentity("1" * 32, 1)}, {**VIEWS, "b": VIEWS["a"]}, {}):
        for mode in MODES:
            with pytest.raises(un.StateError, match=r"folded with another definition of [ab]"):
                StateStore(tmp_path, views, mode=mode)
    fill(tmp_path).close()


def test_a_state_of_another_plan_is_refused() -> None:
    plan = Plan((Column("fixed"),), (10,), (Output("sum", 0, 0),))
    other = Plan((Column("fixed"),), (20,), (Output("sum", 0, 0),))
    import numpy as np

    from unisono.kernel import Events

    one = np.ones(1, np.int64)
    states = States(plan, 1)
    states.replay(Events(np.zeros(1, np.int32), one, one, [one]), emit="none")
    state = states.export(0)
    for damaged, reader in ((state, other), (state[:-8], plan), (b"\0" * 200, plan)):
        with pytest.raises(un.StateError):
            read(reader, damaged, 5)
        with pytest.raises(un.StateError):
            States(reader, 1).load(0, damaged)


def test_a_store_that_was_cut_is_refused_and_does_not_kill_the_process(tmp_path: Path) -> None:
    fill(tmp_path, 1000).close()
    size = (tmp_path / "data.mdb").stat().st_size
    for left in (size - 4096, size // 2, 5000, 100):
        os.truncate(tmp_path / "data.mdb", left)
        for mode in MODES:
            with pytest.raises(un.StateError, match=r"data.mdb: (truncated|not a sound)"):
                StateStore(tmp_path, VIEWS, mode=mode)


def test_a_file_that_is_no_store_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data.mdb").write_bytes(os.urandom(20_000))
    with pytest.raises(un.StateError, match="not a sound LMDB store"):
        StateStore(tmp_path, VIEWS)
    fill(tmp_path / "b").close()
    for page in (0, 4096):
        flip(tmp_path / "b" / "data.mdb", page + 16)
    with pytest.raises(un.StateError, match="not a sound LMDB store"):
        StateStore(tmp_path / "b", VIEWS)


def test_a_second_writer_is_refused_and_readers_are_not(tmp_path: Path) -> None:
    store = fill(tmp_path)
    script = (
        "import sys; from pathlib import Path\n"
        "from unisono.store.states import StateStore, ViewIdentity\n"
        "print(StateStore(Path(sys.argv[1]), {'a': ViewIdentity('0' * 32, 1)}, mode=sys.argv[2]).last.position)"
    )

    def other(mode: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([sys.executable, "-c", script, str(tmp_path), mode], capture_output=True, text=True)

    assert other("read").stdout == "50\n"
    refused = other("write")
    assert refused.returncode == 1 and f"open for writing in process {os.getpid()}" in refused.stderr
    store.close()
    assert other("write").stdout == "50\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk")
def test_a_full_disk_leaves_the_store_as_it_was(small_disk: Path) -> None:
    store = fill(small_disk / "state")
    with pytest.raises(un.StoreError, match="nothing was changed; make room"):
        store.commit({"a": [(b"new", b"y" * 2_000_000)]}, position=99, time=9)
    assert store.last.position == 50
    with store.snapshot() as snapshot:
        assert snapshot.state("a", b"new") is None
        assert bytes(snapshot.state("a", b"7") or b"") == b"x" * 1000
    assert store.commit({"a": [(b"new", b"y")]}, position=51, time=9).position == 51
    store.close()
