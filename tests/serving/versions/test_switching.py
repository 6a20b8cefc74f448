"""Fifty switches while requests flow: none fails, and each answer is that of the version that it names."""

from __future__ import annotations

import asyncio
import random

from tests.serving.calls.fakes import in_loop
from tests.serving.versions.library import NAMES, Library, Part
from unisono.drivers.serving.calls import Answered

SWITCHES, CALLERS = 50, 8


class Flow:
    """Callers who ask one after the other until they are told to stop, and look at each answer."""

    def __init__(self, part: Part) -> None:
        self.part = part
        self.answered = 0
        self.versions: set[tuple[str, str]] = set()
        self.is_over = False

    async def ask(self, seed: int) -> None:
        chance = random.Random(seed)
        while not self.is_over:
            name, row = chance.choice(NAMES), chance.random()
            outcome = await self.part.ask(name, row)
            assert isinstance(outcome, Answered), outcome
            fake = self.part.library.given[f"{name}-{outcome.version}"]
            assert outcome.outputs["prediction"].tolist() == [fake.factor * row]
            self.versions.add((name, outcome.version))
            self.answered += 1


@in_loop
async def test_no_request_fails_while_versions_change(library: Library) -> None:
    part = Part(library)
    for name in NAMES:
        await part.route(name, "v0")
    flow = Flow(part)
    callers = [asyncio.ensure_future(flow.ask(seed)) for seed in range(CALLERS)]
    for number in range(1, SWITCHES + 1):
        await part.route("risk", f"v{number}")
        while ("risk", f"v{number}") not in flow.versions:
            await asyncio.sleep(0)
    flow.is_over = True
    await asyncio.gather(*callers)
    assert {version for name, version in flow.versions if name != "risk"} == {"v0"}
    assert part.catalogue.shelf.loaded == len(NAMES)


@in_loop
async def test_no_request_fails_while_versions_change_and_there_is_room_for_two(library: Library) -> None:
    part = Part(library, budget=2500)
    for name in NAMES:
        await part.route(name, "v0")
    flow = Flow(part)
    callers = [asyncio.ensure_future(flow.ask(seed)) for seed in range(3)]
    for number in range(1, 11):
        await part.route("risk", f"v{number}")
        while ("risk", f"v{number}") not in flow.versions:
            await asyncio.sleep(0.001)
    flow.is_over = True
    await asyncio.gather(*callers)
    assert part.catalogue.shelf.evictions > 10
    assert part.catalogue.shelf.loaded_bytes <= 2500
