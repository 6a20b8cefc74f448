"""Processes that change a registry: many at once, or one after the other, each killed.

`python -m tests.store.registry_actors URL ARTIFACTS KILLS` does the latter.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from collections import Counter
from contextlib import suppress
from itertools import count
from multiprocessing.synchronize import Barrier

from tests.store.registries import Place, artifact, look, look_at_artifacts, numbered
from unisono.store.database import open_database
from unisono.store.registry import AliasMovedError, Change, Registry

_all_are_there: Barrier


def meet(barrier: Barrier) -> None:
    """What a process does first: take what it waits at before its turn."""
    global _all_are_there
    _all_are_there = barrier


def act(place: Place, actor: int, rounds: int) -> list[Change]:
    """Register and switch versions while others do; returns the changes that it made, but for versions added."""
    chance, name = random.Random(actor), f"actor {actor}"
    everybodys, own = artifact(), [numbered(1000 * actor + number) for number in range(rounds)]
    _all_are_there.wait(timeout=120)
    registry = Registry(*place)
    made: list[Change | None] = []
    for one in own:
        registry.add(everybodys, by=name)
        version = registry.add(one, by=name)
        made.append(registry.promote(version, by=name))
        made.append(registry.tag(version, "tried", by=name))
        champion = registry.active("risk")
        others = [entry.version for entry in registry.versions("risk") if entry.version != champion]
        with suppress(AliasMovedError):  # decided on what may be overtaken by now
            made.append(registry.promote(chance.choice(others), expected=champion, by=name))
        made.append(registry.promote(version, alias="challenger", by=name))
    registry.close()
    return [change for change in made if change is not None]


def kill_often(place: Place, kills: int) -> None:
    """Kill a process while it registers and switches versions, and look at what is left; again and again."""
    chance = random.Random(11)
    Registry(*place).close()
    numbered(0)  # what it takes to make versions is there before the first fork
    stopped = Counter[str]()
    for _ in range(kills):
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            change_for_ever(place, writing)
        for _ in range(chance.randint(1, 8)):
            assert os.read(reading, 1) == b"."
        time.sleep(chance.random() * 0.01)
        os.kill(child, signal.SIGKILL)
        assert os.waitpid(child, 0)[1] == signal.SIGKILL
        database = open_database(place.url)
        changes = look(database)
        database.close()
        look_at_artifacts(place, changes)
        stopped.update(change.what for change in changes[-1:])
        for end in (reading, writing):
            os.close(end)
    assert len(stopped) > 1, stopped  # it was stopped after changes of more than one kind


def change_for_ever(place: Place, done: int) -> None:
    """Register new versions and switch to each.

    done: file descriptor that gets a byte after each change.
    """
    registry = Registry(*place)
    for number in count(1000 * os.getpid()):
        version = registry.add(numbered(number))
        os.write(done, b".")
        registry.promote(version)
        os.write(done, b".")
        registry.tag(version, "tried")
        os.write(done, b".")


if __name__ == "__main__":
    kill_often(Place(*sys.argv[1:3]), int(sys.argv[3]))
