"""What the registry says, as routes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from queue import Queue

import pytest
from msgspec.structs import replace

import unisono as un
from tests.drivers.streams import ready
from tests.store.registries import add
from unisono.drivers.online.plan import OnlinePlan, plan_of
from unisono.drivers.serving.versions.routes import Routes
from unisono.drivers.serving.workers.reports import Event
from unisono.drivers.serving.workers.watching import Watcher, WatchThread
from unisono.spec.active import Version
from unisono.store.registry import Registry

pytestmark = pytest.mark.slow


class Preparing:
    """Prepares nothing; fails where it is told to."""

    def __init__(self) -> None:
        self.prepared: list[str] = []
        self.broken: set[str] = set()

    def __call__(self, registry: Registry, version: Version, plan: OnlinePlan) -> Path:
        if version.id in self.broken:
            raise un.StateError(f"{version.artifact}: it was damaged; restore it")
        self.prepared.append(version.id)
        return Path("prepared") / version.id


class Watched:
    """A watcher over a registry of its own."""

    def __init__(self, folder: Path) -> None:
        self.registry = Registry(str(folder / "registry.sqlite"), str(folder / "artifacts"))
        self.away: Exception | None = None
        self.preparing = Preparing()
        self.events: list[Event] = []
        self.watcher = Watcher(self.open, {"risk": plan_of(ready())}, self.preparing, report=self.events.append)

    def open(self) -> Registry:
        if self.away is not None:
            raise self.away
        return self.registry

    def messages(self) -> list[str]:
        return [event.message for event in self.events]


@pytest.fixture
def watched(tmp_path: Path) -> Watched:
    return Watched(tmp_path)


def prepared(*versions: Version) -> dict[str, str]:
    return {one.id: f"prepared/{one.id}" for one in versions}


def test_a_predictor_is_served_once_it_has_a_champion(watched: Watched) -> None:
    first, _ = add(watched.registry, 1.0, 2.0)
    assert watched.watcher.look() == []
    watched.registry.promote(first)
    assert watched.watcher.look() == [Routes("risk", prepared(first), {"champion": first.id}, revision=1)]
    assert watched.watcher.look() == []


def test_what_is_not_defined_is_not_served(watched: Watched) -> None:
    (other,) = add(watched.registry, 1.0, predictor="other")
    watched.registry.promote(other)
    assert watched.watcher.look() == []


def test_a_change_is_a_new_revision_and_prepares_only_what_is_new(watched: Watched) -> None:
    first, second = add(watched.registry, 1.0, 2.0)
    watched.registry.promote(first)
    watched.watcher.look()
    watched.registry.promote(second, alias="challenger")
    (found,) = watched.watcher.look()
    assert found == Routes("risk", prepared(first, second), {"champion": first.id, "challenger": second.id}, revision=2)
    watched.registry.promote(second)
    (found,) = watched.watcher.look()
    assert (found.aliases["champion"], found.revision) == (second.id, 3)
    assert watched.preparing.prepared == [first.id, second.id]


def test_a_registry_that_goes_away_changes_nothing_and_is_reported_once(watched: Watched, tmp_path: Path) -> None:
    watched.away = un.StoreError("postgresql://shop: nobody answers; start the server")
    assert watched.watcher.look() == watched.watcher.look() == []
    watched.away = None
    (first,) = add(watched.registry, 1.0)
    watched.registry.promote(first)
    assert len(watched.watcher.look()) == 1
    away, back = watched.messages()
    assert "nobody answers" in away
    assert "stays as it is" in away
    assert back == "the registry answers again"


def test_a_champion_that_cannot_be_prepared_leaves_the_one_before(watched: Watched) -> None:
    first, second = add(watched.registry, 1.0, 2.0)
    watched.registry.promote(first)
    watched.watcher.look()
    watched.preparing.broken.add(second.id)
    watched.registry.promote(second)
    assert watched.watcher.look() == watched.watcher.look() == []
    assert len(watched.events) == 1
    assert watched.events[0].level == "error"
    assert "was damaged" in watched.messages()[0]
    watched.registry.promote(first)
    watched.watcher.look()
    assert watched.messages()[-1] == "risk: it can be served as the registry says"


def test_another_version_that_cannot_be_prepared_costs_only_its_alias(watched: Watched) -> None:
    first, second = add(watched.registry, 1.0, 2.0)
    watched.registry.promote(first)
    watched.registry.promote(second, alias="challenger")
    watched.preparing.broken.add(second.id)
    (found,) = watched.watcher.look()
    assert found.aliases == {"champion": first.id}
    assert "challenger" in watched.messages()[0]


def test_what_was_damaged_is_tried_again_at_once_when_it_is_asked_to_load(watched: Watched) -> None:
    (first,) = add(watched.registry, 1.0)
    watched.registry.promote(first)
    watched.preparing.broken.add(first.id)
    watched.watcher.look()
    watched.preparing.broken.clear()
    assert watched.watcher.look() == []
    watched.watcher.load("risk")
    assert len(watched.watcher.look()) == 1


def test_unloading_empties_the_routes_and_loading_brings_them_back(watched: Watched) -> None:
    (first,) = add(watched.registry, 1.0)
    watched.registry.promote(first)
    watched.watcher.look()
    watched.watcher.unload("risk")
    assert watched.watcher.look() == [Routes("risk", {}, {}, revision=2)]
    watched.watcher.load("risk")
    assert watched.watcher.look() == [Routes("risk", prepared(first), {"champion": first.id}, revision=3)]


def test_rolling_back_lets_the_version_before_answer(watched: Watched) -> None:
    first, second = add(watched.registry, 1.0, 2.0)
    watched.registry.promote(first)
    with pytest.raises(un.StoreError, match="no version was the champion before"):
        watched.watcher.roll_back("risk")
    watched.registry.promote(second)
    watched.watcher.look()
    watched.watcher.roll_back("risk")
    (found,) = watched.watcher.look()
    assert found.aliases == {"champion": first.id}


def test_settings_shape_the_routes_and_a_wrong_one_changes_nothing(watched: Watched) -> None:
    (first,) = add(watched.registry, 1.0)
    watched.registry.promote(first)
    watched.watcher.look()
    watched.watcher.shape = lambda routes: replace(routes, pinned=True)
    (found,) = watched.watcher.look()
    assert (found.pinned, found.revision) == (True, 2)

    def refuse(routes: Routes) -> Routes:
        raise un.InputError("split: nobody has the alias canary")

    watched.watcher.shape = refuse
    assert watched.watcher.look() == []
    assert "nobody has the alias canary" in watched.messages()[-1]


def test_the_thread_looks_by_itself_and_after_each_job(watched: Watched) -> None:
    found: Queue[list[Routes]] = Queue()
    done: Queue[Exception | None] = Queue()
    first, second = add(watched.registry, 1.0, 2.0)
    thread = WatchThread(watched.watcher, found.put)
    thread.start()
    try:
        watched.registry.promote(first)
        assert found.get(timeout=20)[0].aliases == {"champion": first.id}
        thread.do(lambda: promote(watched.registry, second), done.put)
        assert done.get(timeout=20) is None
        assert found.get_nowait()[0].aliases == {"champion": second.id}  # before it was said to be done
        error = un.StoreError("no")
        thread.do(raising(error), done.put)
        assert done.get(timeout=20) is error
    finally:
        thread.stop()


def promote(registry: Registry, version: Version) -> None:
    registry.promote(version)


def raising(error: Exception) -> Callable[[], None]:
    def work() -> None:
        raise error

    return work
