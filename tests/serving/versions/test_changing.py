"""Versions that come and go: a new one is loaded before it answers, and no call is lost."""

from __future__ import annotations

import asyncio
import threading
import weakref

import pytest

import unisono as un
from tests.serving.calls.fakes import call_of, in_loop, until
from tests.serving.versions.library import Library, Part
from unisono.drivers.serving.calls import Answered, Outcome
from unisono.drivers.serving.refusals import RefusalError
from unisono.drivers.serving.versions import changing, shelf


def version(outcome: Outcome) -> str:
    assert isinstance(outcome, Answered), outcome
    return outcome.version


@in_loop
async def test_a_new_champion_is_loaded_first_and_the_old_one_answers_until_then(library: Library) -> None:
    part = Part(library)
    await part.route("risk", "one")
    assert library.loads == ["risk-one"]
    library.gate = threading.Event()
    switching = asyncio.ensure_future(part.route("risk", "two"))
    await until(lambda: library.loads == ["risk-one", "risk-two"])
    assert version(await part.ask("risk")) == "one"
    library.gate.set()
    await switching
    assert version(await part.ask("risk")) == "two"
    assert part.in_memory() == ["risk-two"]


@in_loop
async def test_who_hangs_is_not_ready_until_it_answers_again(library: Library) -> None:
    part = Part(library, model_s=0.1)
    await part.route("risk", "one")
    await part.route("late", "one")
    hanging, lane = library.given["risk-one"], part.lane("risk")
    hanging.gate = threading.Event()
    lane.pace.is_quick = False  # so that it has a thread
    given_up = await part.ask("risk")
    assert isinstance(given_up, RefusalError) and given_up.code == "deadline_exceeded"
    reasons = part.catalogue.reasons()
    assert (reasons["risk"], reasons["late"]) == ("risk: its model hangs", "")
    assert {one.name: one.state for one in part.catalogue.states()}["risk"] == "UNAVAILABLE"
    hanging.gate.set()
    await until(lambda: part.catalogue.reasons()["risk"] == "")
    assert version(await part.ask("risk")) == "one"


@in_loop
async def test_calls_in_the_lane_of_the_old_version_finish_there_and_then_it_leaves(library: Library) -> None:
    part = Part(library)
    await part.route("risk", "one")
    one, lane = library.given.pop("risk-one"), part.lane("risk")
    one.gate = threading.Event()
    lane.pace.is_quick = False  # so that it has a thread
    running, asked = part.ask("risk", 1.0), one.asked
    await until(lambda: asked == [[1.0]])
    waiting = part.ask("risk", 2.0)
    await part.route("risk", "two")
    assert version(await part.ask("risk", 3.0)) == "two"
    assert part.catalogue.shelf.loaded == 2
    one.gate.set()
    assert [version(await running), version(await waiting)] == ["one", "one"]
    await until(lambda: part.catalogue.shelf.loaded == 1)
    part.seen.batches.clear()
    assert lane.answers is None
    memory = weakref.ref(one)
    del one
    await until(lambda: memory() is None)


@in_loop
async def test_a_version_that_cannot_be_loaded_leaves_the_old_one_answering(
    library: Library, caplog: pytest.LogCaptureFixture
) -> None:
    library.broken = {"risk-two": un.ModelError("other bits on this machine"), "risk-three": OSError("gone")}
    part = Part(library)
    await part.route("risk", "one")
    with pytest.raises(un.ModelError, match="other bits"):
        await part.route("risk", "two")
    assert version(await part.ask("risk")) == "one"
    assert part.catalogue.reasons()["risk"] == ""
    states = [(one.version, one.state, one.reason) for one in part.catalogue.states() if one.name == "risk"]
    assert states == [("one", "READY", ""), ("two", "FAILED", "other bits on this machine")]
    with pytest.raises(un.StoreError, match=r"version three cannot be loaded \(OSError: gone\); see the server's log"):
        await part.route("risk", "three")
    assert version(await part.ask("risk")) == "one"
    assert "gone" in caplog.text
    await part.route("risk", "four")
    assert [one.version for one in part.catalogue.states()] == ["four"]


@in_loop
async def test_a_first_version_that_cannot_be_loaded_is_tried_again_when_it_is_asked_for(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    library.broken = {"risk-one": un.StateError("torn")}
    part = Part(library)
    with pytest.raises(un.StateError, match="torn"):
        await part.route("risk", "one")
    assert part.catalogue.reasons()["risk"] == "torn"
    with pytest.raises(RefusalError, match="version one cannot be loaded; allowed: versions that can; see") as refused:
        part.ask("risk")
    assert refused.value.code == "not_available"
    assert refused.value.retry_after_s is not None and 0 < refused.value.retry_after_s <= shelf.AGAIN_S
    assert library.loads == ["risk-one"]
    monkeypatch.setattr(shelf, "AGAIN_S", 0.0)
    outcome = await part.ask("risk")
    assert isinstance(outcome, RefusalError) and outcome.code == "not_available"
    library.broken.clear()
    assert version(await part.ask("risk")) == "one"
    assert part.catalogue.reasons()["risk"] == ""


@in_loop
async def test_a_new_champion_that_could_not_be_loaded_is_tried_again_after_a_while(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changing, "AGAIN_S", 0.01)
    library.broken = {"risk-two": un.StoreError("a moment's trouble")}
    part = Part(library)
    await part.route("risk", "one")
    with pytest.raises(un.StoreError, match="a moment's trouble"):
        await part.route("risk", "two")
    await until(lambda: library.loads.count("risk-two") >= 3)
    assert version(await part.ask("risk")) == "one"
    library.broken.clear()
    await until(lambda: part.in_memory() == ["risk-two"])
    assert version(await part.ask("risk")) == "two"


@in_loop
async def test_of_several_revisions_the_last_one_counts(library: Library) -> None:
    part = Part(library)
    await part.route("risk", "one")
    library.gate = threading.Event()
    routes = [part.routes("risk", name) for name in ("two", "three", "four")]
    switching = [asyncio.ensure_future(part.catalogue.apply(one)) for one in routes]
    await until(lambda: len(library.loads) == 2)
    library.gate.set()
    await asyncio.gather(*switching)
    assert version(await part.ask("risk")) == "four"
    assert library.loads == ["risk-one", "risk-two", "risk-four"]
    await part.catalogue.apply(routes[0])
    assert version(await part.ask("risk")) == "four"


@in_loop
async def test_a_caller_may_name_a_version_or_an_alias(library: Library) -> None:
    part = Part(library)
    await part.route("risk", "one", aliases={"challenger": "two"}, kept=["three"])
    for name, wanted in ((None, "one"), ("champion", "one"), ("challenger", "two"), ("two", "two"), ("three", "three")):
        assert version(await part.ask("risk", version=name)) == wanted
    allowed = r"allowed: champion, challenger, one\.\.\., two\.\.\., three"
    with pytest.raises(RefusalError, match=rf'risk: version "four" is not served; {allowed}') as refused:
        part.ask("risk", version="four")
    assert refused.value.code == "no_such_version"
    with pytest.raises(RefusalError, match="rusk: no such predictor is served"):
        part.ask("rusk")


@in_loop
async def test_a_call_that_is_refused_holds_nobody(library: Library) -> None:
    answer: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
    call = call_of(1.0, done=answer.set_result)
    with pytest.raises(RefusalError):
        Part(library).catalogue.predictor("risk").submit(call)
    assert call.is_over and call.done != answer.set_result


@in_loop
async def test_a_predictor_without_a_version_is_not_served_until_it_has_one_again(library: Library) -> None:
    part = Part(library)
    missing = "risk: no version of it is served"
    for _ in range(2):
        assert part.catalogue.reasons()["risk"].startswith(missing)
        with pytest.raises(RefusalError, match=missing) as refused:
            part.ask("risk")
        assert refused.value.code == "not_available"
        await part.route("risk", "one")
        assert version(await part.ask("risk")) == "one"
        await part.route("risk")  # unloaded
        assert part.in_memory() == []
    assert set(part.catalogue.names) >= {"risk", "late"}


@in_loop
async def test_a_split_gives_each_version_its_share_and_keeps_callers_where_they_are(library: Library) -> None:
    part = Part(library)

    async def answered() -> dict[float, str]:
        rows = [float(row) for row in range(2000)]
        outcomes = await asyncio.gather(*(part.ask("risk", row) for row in rows))
        return {row: version(one) for row, one in zip(rows, outcomes, strict=True)}

    aliases = {"challenger": "two"}
    await part.route("risk", "one", aliases=aliases, split={"champion": 0.9, "challenger": 0.1})
    before = await answered()
    assert await answered() == before
    few = [row for row, one in before.items() if one == "two"]
    assert 150 < len(few) < 250  # 0.1 of 2000, within 3.7 standard deviations
    await part.route("risk", "one", aliases=aliases, split={"challenger": 0.3})
    after = await answered()
    assert 520 < sum(one == "two" for one in after.values()) < 680
    assert all(after[row] == "two" for row in few)
    assert version(await part.ask("risk", few[0], version="champion")) == "one"


@in_loop
async def test_a_challenger_that_cannot_be_loaded_gets_no_share_and_no_copies(library: Library) -> None:
    library.broken = {"risk-two": un.ModelError("other bits")}
    part = Part(library)
    split = {"champion": 0.5, "challenger": 0.5}
    await part.route("risk", "one", aliases={"challenger": "two"}, split=split, shadow=["challenger"])
    outcomes = await asyncio.gather(*(part.ask("risk", float(row)) for row in range(50)))
    assert {version(one) for one in outcomes} == {"one"}
    assert [(one.version, one.state) for one in part.catalogue.states()] == [("one", "READY"), ("two", "FAILED")]
    assert part.lanes.dropped == 0


@in_loop
async def test_a_shadow_sees_what_callers_ask_until_it_is_none_any_more(library: Library) -> None:
    part = Part(library)
    await part.route("risk", "one", aliases={"challenger": "two"}, shadow=["challenger"])
    assert version(await part.ask("risk", 3.0)) == "one"
    await until(lambda: library.given["risk-two"].asked == [[3.0]])
    assert [(batch.answers.id, batch.shadow) for batch in part.seen.batches] == [("one", False), ("two", True)]
    await part.route("risk", "one", aliases={"challenger": "two"})
    assert version(await part.ask("risk", 4.0)) == "one"
    assert version(await part.ask("risk", 5.0, version="challenger")) == "two"
    assert library.given["risk-two"].asked == [[3.0], [5.0]]
    assert library.loads == ["risk-one", "risk-two"]  # neither was loaded again
