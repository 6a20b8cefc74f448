"""Many processes change one registry at once, and processes are killed while they do: nothing is lost or half done.

UNISONO_ROUNDS: quick and test go 6 rounds in each of 8 processes and kill 15 times, soak 100 rounds and 500 kills.
"""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest

from tests.store import registry_actors
from tests.store.registries import Place, look, look_at_artifacts
from unisono.store.database import open_database
from unisono.store.registry import Registry

ACTORS = 8
IS_SOAK = os.environ.get("UNISONO_ROUNDS") == "soak"
ROUNDS, KILLS = (100, 500) if IS_SOAK else (6, 15)

pytestmark = pytest.mark.slow


def test_eight_processes_at_once_leave_every_change_once_and_one_champion(place: Place) -> None:
    context = get_context("forkserver")  # loads what all of them need once
    context.set_forkserver_preload([registry_actors.__name__])
    meeting = context.Barrier(ACTORS)
    database = open_database(place.url)
    Registry(*place).close()
    looks = 0
    with ProcessPoolExecutor(ACTORS, context, registry_actors.meet, (meeting,)) as pool:
        acts = [pool.submit(registry_actors.act, place, actor, ROUNDS) for actor in range(ACTORS)]
        while not all(one.done() for one in acts):
            seen = look(database)  # one champion, and no change half made, at any instant
            looks += bool(seen)
        made = [change for one in acts for change in one.result()]
    history = look(database)
    database.close()
    look_at_artifacts(place, history)
    assert looks > 5
    assert sorted(made, key=lambda one: one.number) == [one for one in history if one.what != "added"]
    added = [change.version for change in history if change.what == "added"]
    assert len(added) == len({*added}) == ACTORS * ROUNDS + 1
    switches = [change for change in history if change.alias == "champion"]
    assert len({change.by for change in switches}) == ACTORS
    assert len(switches) > ACTORS * ROUNDS


def test_whoever_is_killed_leaves_no_half_change_and_no_half_version(place: Place) -> None:
    command = [sys.executable, "-m", "tests.store.registry_actors", *place, str(KILLS)]
    done = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
