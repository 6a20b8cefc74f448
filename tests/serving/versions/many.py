"""Serves many models in bounded memory, and looks at every answer; prints what it saw as JSON.

`python -m tests.serving.versions.many MODELS BYTES CALLS`: MODELS is what `models.write` wrote; BYTES what the process
may have, or, with a +, more than it has without models; CALLS how often it is asked.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.serving.versions.served import ROWS, Served, load_version, plan_of, read
from unisono.drivers.serving.calls import Answered, Call, Outcome
from unisono.drivers.serving.lanes import Bounds, Lanes
from unisono.drivers.serving.versions.changing import ChangingCatalogue
from unisono.drivers.serving.versions.memory import resident_bytes
from unisono.drivers.serving.versions.routes import Routes

CALLERS = 4


class Caller:
    """Asks one model after the other: half of the calls are about a tenth of them."""

    def __init__(self, catalogue: ChangingCatalogue, served: Sequence[Served], seed: int) -> None:
        self.catalogue = catalogue
        self.served = served
        self.chance = random.Random(seed)
        self.right = 0
        self.most_bytes = 0

    async def ask(self, calls: int) -> None:
        few = len(self.served) // 10
        for _ in range(calls):
            number = self.chance.randrange(few if self.chance.random() < 0.5 else len(self.served))
            await self._ask(self.served[number])

    async def _ask(self, one: Served) -> None:
        answer: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        place = self.chance.randrange(len(ROWS))
        call = Call(one.name, [ROWS[place]], answer.set_result)
        self.catalogue.predictor(one.name).submit(call)
        outcome = await answer
        assert isinstance(outcome, Answered), outcome
        assert outcome.version == one.version
        self.right += outcome.outputs["probability"].tolist() == [one.scores[place]]
        self.most_bytes = max(self.most_bytes, resident_bytes())


async def serve(served: Sequence[Served], budget_bytes: int, calls: int) -> dict[str, int]:
    """Route all of them, ask, and say what was seen."""
    lanes = Lanes(Bounds(wait_s=60.0))
    plans = [plan_of(one.name) for one in served]
    catalogue = ChangingCatalogue(plans, lanes, load_version, budget_bytes=budget_bytes)
    for one in served:
        await catalogue.apply(Routes(one.name, {one.version: one.folder}, {"champion": one.version}, revision=1))
    callers = [Caller(catalogue, served, seed) for seed in range(CALLERS)]
    await asyncio.gather(*(one.ask(calls // CALLERS) for one in callers))
    shelf = catalogue.shelf
    return {
        "right": sum(one.right for one in callers),
        "asked": calls // CALLERS * CALLERS,
        "budget": budget_bytes,
        "most": max(one.most_bytes for one in callers),
        "loaded": shelf.loaded,
        "evictions": shelf.evictions,
        "failed": sum(reason != "" for reason in catalogue.reasons().values()),
    }


if __name__ == "__main__":
    models = read(Path(sys.argv[1]))
    load_version(models[0].name, Path(models[0].folder))  # onnxruntime is there from now on
    allowed = int(sys.argv[2]) + (resident_bytes() if sys.argv[2].startswith("+") else 0)
    print(json.dumps(asyncio.run(serve(models, allowed, int(sys.argv[3])))))
