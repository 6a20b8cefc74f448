"""Many versions in bounded memory: loaded when they are asked for; the least recently used leave."""

from __future__ import annotations

import asyncio
import threading
from mmap import PROT_READ, mmap
from pathlib import Path

import pytest

import unisono as un
from tests.serving.calls.fakes import in_loop, until, values
from tests.serving.versions.library import NAMES, Library, Part
from unisono.drivers.serving.calls import Answered
from unisono.drivers.serving.refusals import RefusalError
from unisono.drivers.serving.versions.memory import Resident, folder_bytes, resident_bytes, trim


async def all_routed(part: Part, **options: object) -> None:
    for name in NAMES:
        await part.route(name, "one", **options)


@in_loop
async def test_what_does_not_fit_is_loaded_when_it_is_asked_for_and_others_leave(
    library: Library,
) -> None:
    part = Part(library, budget=2500)
    await all_routed(part)
    assert part.in_memory() == ["risk-one", "late-one"]
    assert part.catalogue.reasons() == dict.fromkeys(NAMES, "")
    await part.ask("risk")
    assert isinstance(await part.ask("rent", 4.0), Answered)
    assert part.in_memory() == ["risk-one", "rent-one"]
    await part.ask("wait")
    assert part.in_memory() == ["rent-one", "wait-one"]
    assert (part.catalogue.shelf.evictions, part.catalogue.shelf.loaded_bytes) == (2, 2000)
    assert library.loads == ["risk-one", "late-one", "rent-one", "wait-one"]


@in_loop
async def test_many_callers_wait_for_one_load(library: Library) -> None:
    part = Part(library, budget=1500)
    await part.route("late", "one")
    library.loads.clear()
    library.gate = threading.Event()
    await part.route("risk", "one")
    assert library.loads == []
    answers = [part.ask("risk", float(row)) for row in range(20)]
    library.gate.set()
    assert [values(await one) for one in answers] == [[10.0 * row] for row in range(20)]
    assert library.loads == ["risk-one"]


@in_loop
async def test_what_callers_wait_for_is_loaded_before_what_may_be_needed(library: Library) -> None:
    part = Part(library)
    await part.route("risk", "one", kept=["two"])
    library.gate = threading.Event()
    routing = [asyncio.ensure_future(part.route(name, "one")) for name in NAMES[1:]]
    await until(lambda: library.loads == ["risk-one", "late-one"])
    answer = part.ask("risk", version="two")
    library.gate.set()
    await asyncio.gather(answer, *routing)
    assert library.loads == ["risk-one", "late-one", "risk-two", "rent-one", "wait-one"]


@in_loop
async def test_a_version_that_is_busy_or_pinned_does_not_leave(library: Library) -> None:
    part = Part(library, budget=2500)
    await part.route("risk", "one", pinned=True)
    await part.route("late", "one")
    late = library.given["late-one"]
    late.gate = threading.Event()
    part.lane("late").pace.is_quick = False
    busy = part.ask("late")
    await until(lambda: bool(late.asked))
    await part.route("rent", "one")
    waiting = part.ask("rent", 2.0)
    hasty = part.ask("rent", 3.0, timeout_s=0.05)
    outcome = await hasty
    assert isinstance(outcome, RefusalError) and outcome.code == "deadline_exceeded"
    assert library.loads == ["risk-one", "late-one"]
    late.gate.set()
    assert isinstance(await busy, Answered)
    assert values(await waiting) == [20.0]
    assert part.in_memory() == ["risk-one", "rent-one"]


@in_loop
async def test_a_load_that_nobody_waits_for_any_more_is_left_undone(library: Library) -> None:
    part = Part(library, budget=1500)
    await part.route("risk", "one")
    await part.route("late", "one")
    await part.route("rent", "one")
    library.gate = threading.Event()
    first, hasty = part.ask("late"), part.ask("rent", timeout_s=0.05)
    await hasty
    library.gate.set()
    assert isinstance(await first, Answered)
    assert library.loads == ["risk-one", "late-one"]
    assert part.in_memory() == ["late-one"]


@in_loop
async def test_a_version_that_is_larger_than_the_budget_is_refused_with_the_reason(library: Library) -> None:
    library.sizes = {"risk-one": 3000}
    part = Part(library, budget=2500)
    too_large = (
        r"risk: version one takes 3000 bytes of memory; allowed: 2425, what \[serve.memory\] bytes leaves a worker"
    )
    with pytest.raises(un.StoreError, match=too_large):
        await part.route("risk", "one")
    assert "takes 3000 bytes" in part.catalogue.reasons()["risk"]
    await part.route("late", "one")
    assert isinstance(await part.ask("late"), Answered)


@in_loop
async def test_what_pinned_versions_leave_no_room_for_is_refused_with_the_reason(library: Library) -> None:
    part = Part(library, budget=2500)
    await part.route("risk", "one", pinned=True)
    await part.route("late", "one", pinned=True)
    with pytest.raises(un.StoreError, match=r"rent: version one takes .* pinned versions leave no room for it"):
        await part.route("rent", "one", pinned=True)
    assert part.in_memory() == ["risk-one", "late-one"]


@in_loop
async def test_who_would_wait_too_long_for_loads_before_is_refused_at_once(library: Library) -> None:
    part = Part(library, budget=1500)
    await all_routed(part)
    library.gate = threading.Event()
    answers = [part.ask(name) for name in ("late", "rent")]
    part.catalogue.shelf._load_s = 10.0
    with pytest.raises(RefusalError, match=r"wait: version one would be loaded in about 10\.000 s, after others") as no:
        part.ask("wait", timeout_s=5.0)
    assert (no.value.code, no.value.retry_after_s) == ("overloaded", 10.0)
    library.gate.set()
    assert all(isinstance(one, Answered) for one in await asyncio.gather(*answers))


@in_loop
async def test_memory_that_is_used_by_anything_makes_versions_leave(library: Library) -> None:
    part = Part(library, budget=10_000)
    await part.route("risk", "one")
    await part.route("late", "one")
    await part.ask("late")
    await part.ask("risk")
    part.other_bytes = 6500
    await part.route("rent", "one")
    assert part.in_memory() == ["risk-one", "rent-one"]


def test_memory_is_seen_and_given_back() -> None:
    before = resident_bytes()
    block = bytearray(b"x") * (64 << 20)
    assert resident_bytes() - before > 32 << 20
    del block
    trim()
    assert resident_bytes() - before < 32 << 20


def test_pages_of_files_that_are_mapped_later_are_not_the_process_s_own(tmp_path: Path) -> None:
    (tmp_path / "states").write_bytes(bytes(64 << 20))
    own, all_bytes = Resident(), resident_bytes()
    own_before = own()
    with (tmp_path / "states").open("rb") as file, mmap(file.fileno(), 0, prot=PROT_READ) as mapped:
        assert sum(mapped[:: 1 << 12]) == 0
        assert resident_bytes() - all_bytes > 32 << 20
        assert own() - own_before < 16 << 20


def test_a_folder_is_as_large_as_its_files(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a").write_bytes(b"abc")
    (tmp_path / "b").write_bytes(b"de")
    assert (folder_bytes(tmp_path), folder_bytes(tmp_path / "none")) == (5, 0)
