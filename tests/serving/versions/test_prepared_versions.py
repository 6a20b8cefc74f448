"""Real versions, prepared as a keeper does: switched under load, and refused if they are not what was prepared."""

from __future__ import annotations

import asyncio
import random
import shutil
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import msgspec
import pytest

import unisono as un
from tests.serving.calls.fakes import in_loop
from tests.serving.versions.models import versions
from tests.serving.versions.served import ROWS, Served, load_version, plan_of
from unisono.drivers.serving.calls import Answered, Call, Outcome
from unisono.drivers.serving.lanes import Bounds, Lanes
from unisono.drivers.serving.versions.changing import ChangingCatalogue
from unisono.drivers.serving.versions.routes import Routes

pytestmark = pytest.mark.slow

SWITCHES, CALLERS = 50, 6
GB = 1 << 30


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> list[Served]:
    """Three versions of m0 that answer differently."""
    made = versions(tmp_path_factory.mktemp("three"), 3)
    assert len({str(one.scores) for one in made}) == 3
    return made


class Worker:
    """What a worker has of one predictor."""

    def __init__(self) -> None:
        self.lanes = Lanes(Bounds(wait_s=60.0))
        self.catalogue = ChangingCatalogue([plan_of("m0")], self.lanes, load_version, budget_bytes=4 * GB)
        self._revisions = iter(range(1, 1000))

    async def route(self, version: str, folder: str | Path) -> None:
        routes = Routes("m0", {version: str(folder)}, {"champion": version}, revision=next(self._revisions))
        await self.catalogue.apply(routes)

    async def ask(self, *places: int) -> Answered:
        answer: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self.catalogue.predictor("m0").submit(Call("m0", [ROWS[place] for place in places], answer.set_result))
        outcome = await answer
        assert isinstance(outcome, Answered), outcome
        return outcome


@in_loop
async def test_fifty_switches_under_load_fail_no_request_and_every_answer_is_that_of_its_version(
    three: list[Served],
) -> None:
    worker, by_version = Worker(), {one.version: one for one in three}
    await worker.route(three[0].version, three[0].folder)
    seen: list[str] = []
    is_over = False

    async def call(seed: int) -> None:
        chance = random.Random(seed)
        while not is_over:
            places = [chance.randrange(len(ROWS)) for _ in range(chance.choice((1, 1, 1, 3)))]
            answered = await worker.ask(*places)
            scores = by_version[answered.version].scores
            assert answered.outputs["probability"].tolist() == [scores[place] for place in places]
            seen.append(answered.version)

    callers = [asyncio.ensure_future(call(seed)) for seed in range(CALLERS)]
    for number in range(1, SWITCHES + 1):
        one, before = three[number % 3], len(seen)
        await worker.route(one.version, one.folder)
        while one.version not in seen[before:]:
            await asyncio.sleep(0)
    is_over = True
    await asyncio.gather(*callers)
    assert set(seen) == set(by_version)
    assert worker.catalogue.shelf.loaded == 1


@pytest.fixture
def other(three: list[Served], tmp_path: Path) -> Iterator[Path]:
    """A copy of the second version's folder, for a test to spoil."""
    yield Path(shutil.copytree(three[1].folder, tmp_path / Path(three[1].folder).name))


async def refused(three: list[Served], other: Path, error: type[un.UnisonoError], message: str) -> None:
    """The first version goes on answering, and it is said why the second does not."""
    worker = Worker()
    await worker.route(three[0].version, three[0].folder)
    with pytest.raises(error, match=message):
        await worker.route(three[1].version, other)
    assert (await worker.ask(0)).version == three[0].version
    assert worker.catalogue.reasons() == {"m0": ""}
    states = {one.version: one.state for one in worker.catalogue.states()}
    assert states == {three[0].version: "READY", three[1].version: "FAILED"}


@in_loop
async def test_a_prepared_version_that_was_changed_is_not_switched_to(three: list[Served], other: Path) -> None:
    largest = max(other.iterdir(), key=lambda file: file.stat().st_size)
    content = bytearray(largest.read_bytes())
    content[len(content) // 2] ^= 1
    largest.write_bytes(content)
    await refused(three, other, un.StateError, "prepare the version again")


@in_loop
async def test_a_prepared_version_that_is_gone_is_not_switched_to(three: list[Served], other: Path) -> None:
    shutil.rmtree(other)
    await refused(three, other, un.StateError, "prepare the version again")


@in_loop
async def test_a_version_that_fails_its_golden_rows_is_not_switched_to(three: list[Served], other: Path) -> None:
    """As on a machine that answers otherwise: here it is given the golden rows of another version."""
    golden = (Path(three[0].folder) / "golden.json").read_bytes()
    (other / "golden.json").write_bytes(golden)
    document = msgspec.json.decode((other / "serving.json").read_bytes())
    document["files"]["golden.json"] = sha256(golden).hexdigest()
    (other / "serving.json").write_bytes(msgspec.json.encode(document))
    await refused(three, other, un.ModelError, "golden")
