"""States as they are served, whatever becomes of the store."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import unisono as un
from unisono.drivers.serving.states import LOOK_S, LiveStates, states_of
from unisono.store.states import NEW, StateStore, ViewIdentity, encode_key

VIEWS = {"by_user": ViewIdentity("d", 1)}
KEY = encode_key(["ada"])


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def write(directory: Path, state: bytes, position: int) -> None:
    store = StateStore(directory, VIEWS, mode="write")
    store.commit({"by_user": [(KEY, state)]}, position=position, time=5)
    store.close()


def read(states: LiveStates) -> bytes:
    with states.snapshot() as snapshot:
        return bytes(snapshot.state("by_user", KEY) or b"")


def test_a_store_that_comes_later_is_found(tmp_path: Path, clock: Clock) -> None:
    states = LiveStates(tmp_path / "state", VIEWS, clock=clock)
    with pytest.raises(un.StoreError, match="unisono stream"):
        states.snapshot()
    write(tmp_path / "state", b"first", 3)
    with pytest.raises(un.StoreError, match="unisono stream"):  # it was looked at a moment ago
        states.snapshot()
    clock.now += LOOK_S
    assert read(states) == b"first"
    assert states.last.position == 3


def test_a_store_that_is_removed_is_refused_and_one_in_its_place_is_read(tmp_path: Path, clock: Clock) -> None:
    write(tmp_path / "state", b"first", 3)
    states = LiveStates(tmp_path / "state", VIEWS, clock=clock)
    with states.snapshot() as kept:
        shutil.rmtree(tmp_path / "state")
        clock.now += LOOK_S
        with pytest.raises(un.StoreError, match="unisono stream"):
            states.snapshot()
        write(tmp_path / "state", b"another", 1)
        clock.now += LOOK_S
        assert read(states) == b"another"
        assert bytes(kept.state("by_user", KEY) or b"") == b"first"  # who reads is not disturbed


def test_a_store_that_was_cut_is_refused_with_the_reason(tmp_path: Path, clock: Clock) -> None:
    write(tmp_path / "state", b"first", 3)
    file = tmp_path / "state" / "data.mdb"
    content = file.read_bytes()
    file.unlink()
    file.write_bytes(content[: len(content) // 2])
    states = LiveStates(tmp_path / "state", VIEWS, clock=clock)
    for _ in range(2):
        with pytest.raises(un.StateError, match="truncated"):
            states.snapshot()


def test_a_predictor_without_views_needs_no_store(tmp_path: Path) -> None:
    states = states_of(tmp_path / "nothing", {})
    with states.snapshot() as snapshot:
        assert snapshot.commit == NEW == states.last
        assert snapshot.state("any", KEY) is None
