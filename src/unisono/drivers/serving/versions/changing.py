"""What is served while it changes: the versions of each predictor, and which of them answers whom."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from unisono.drivers.online.plan import OnlinePlan
from unisono.drivers.online.requests import RequestDecoder
from unisono.drivers.scores import Row
from unisono.drivers.serving.calls import Call
from unisono.drivers.serving.lanes import Lanes
from unisono.drivers.serving.refusals import RefusalError
from unisono.drivers.serving.repository import ModelState
from unisono.drivers.serving.versions.catalogue import Catalogue
from unisono.drivers.serving.versions.memory import Resident
from unisono.drivers.serving.versions.routes import Routes
from unisono.drivers.serving.versions.sharing import Sticky, shares
from unisono.drivers.serving.versions.shelf import Shelf
from unisono.drivers.serving.versions.slots import Loader, Slot
from unisono.spec.errors import UnisonoError
from unisono.spec.wording import listing, quoted

_LOGGER = logging.getLogger(__name__)

CHAMPION = "champion"
AGAIN_S = 30.0
"""A new champion that could not be loaded is tried again after so long, unless another is wanted by then."""

_DIGITS = 12  # of an id, in messages


@dataclass(frozen=True, slots=True)
class _Route:
    """Who answers.

    revision: of the routes that it is made of; 0 is none.
    slots:    id -> version.
    aliases:  alias -> version.
    shared:   the place up to which a version other than the champion answers, and it, in order.
    shadows:  versions that get copies.
    """

    revision: int = 0
    slots: Mapping[str, Slot] = field(default_factory=dict)
    aliases: Mapping[str, Slot] = field(default_factory=dict)
    shared: Sequence[tuple[float, Slot]] = ()
    shadows: Sequence[Slot] = ()

    @property
    def champion(self) -> Slot | None:
        """The version that answers who asks for none."""
        return self.aliases.get(CHAMPION)


class ChangingPredictor:
    """One predictor whose versions come and go.

    plan:  of the predictor.
    lanes: all of the worker.
    shelf: its versions in memory.
    """

    def __init__(self, plan: OnlinePlan, lanes: Lanes, shelf: Shelf) -> None:
        self.plan = plan
        self._lanes = lanes
        self._shelf = shelf
        self._route = _Route()
        self._refused: Slot | None = None  # that was to be the champion, and cannot be
        self._turn = asyncio.Lock()
        self._newest = 0
        self._trying: asyncio.Task[None] | None = None  # the loop alone would forget it

    @cached_property
    def decoder(self) -> RequestDecoder:
        """Of its requests as JSON."""
        return RequestDecoder(self.plan)

    @cached_property
    def _sticky(self) -> Sticky:
        return Sticky(self.plan)

    def submit(self, call: Call) -> None:
        """Let a call wait for the version that answers it. Raises RefusalError if it cannot be answered in time."""
        try:
            self._submit(call)
        except Exception:
            call.cancel()  # it lets go of who made it, who holds it: a circle that only the collector would find
            raise

    def _submit(self, call: Call) -> None:
        slot = self._chosen(call.version, call.rows)
        if slot.lane.answers is not None:
            self._lanes.submit(slot.lane, call)
            return
        self._shelf.check(slot, call)
        self._lanes.submit(slot.lane, call)
        self._shelf.want(slot, is_called=True)
        for shadow in self._route.shadows:
            self._shelf.want(shadow)

    def _chosen(self, version: str | None, rows: Sequence[Row]) -> Slot:
        route = self._route
        champion = route.champion
        if champion is None:
            raise self._not_served()
        if version is not None:
            return self._named(version)
        if route.shared:
            place = self._sticky.place(rows)
            for upto, slot in route.shared:
                if place < upto:
                    return slot
        return champion

    def _named(self, version: str) -> Slot:
        route = self._route
        slot = route.aliases.get(version) or route.slots.get(version)
        if slot is None:
            known = listing([*route.aliases, *(one[:_DIGITS] + "..." for one in route.slots)])
            raise RefusalError(
                "no_such_version",
                f"{self.plan.name}: version {quoted(version)} is not served; allowed: {known}; name an alias, or a "
                "whole id",
            )
        return slot

    def _not_served(self) -> RefusalError:
        return RefusalError(
            "not_available",
            f"{self.plan.name}: no version of it is served; allowed: predictors with one; register or promote one, or "
            "load it if it was unloaded",
            retry_after_s=1.0,
        )

    # Changing ---------------------------------------------------------------------------------------------------------

    async def apply(self, routes: Routes) -> None:
        """See `ChangingCatalogue.apply`."""
        self._newest = max(self._newest, routes.revision)
        async with self._turn:
            if routes.revision == self._newest and routes.revision > self._route.revision:
                try:
                    await self._switch(routes)
                finally:
                    if routes.revision > self._route.revision:
                        asyncio.get_running_loop().call_later(AGAIN_S, self._try_again, routes)

    def _try_again(self, routes: Routes) -> None:
        """What could not be had may have been a moment's trouble of this worker alone; others may have it."""
        self._trying = asyncio.ensure_future(self._apply_quietly(routes))

    async def _apply_quietly(self, routes: Routes) -> None:
        with suppress(UnisonoError):  # it is in the log
            await self.apply(routes)

    async def _switch(self, routes: Routes) -> None:
        """Load what has to answer, then switch in one step."""
        before = self._route
        slots = {identity: self._slot(identity, path, routes) for identity, path in routes.versions.items()}
        aliases = {alias: slots[identity] for alias, identity in routes.aliases.items() if identity in slots}
        fault = await self._load_champion(aliases.get(CHAMPION), before.champion)
        if fault is not None and before.champion is not None:
            self._leave(slots, before.slots)
            raise fault
        others = [alias for alias in dict.fromkeys((*routes.split, *routes.shadow)) if alias in aliases]
        heard = {alias: aliases[alias] for alias in others if await self._fault_of(aliases[alias]) is None}
        self._route = _route(routes, slots, aliases, heard)
        self._leave(before.slots, slots)
        if fault is not None:  # there is nothing better; it is tried again when it is asked for
            raise fault

    def _slot(self, identity: str, path: str, routes: Routes) -> Slot:
        slot = self._route.slots.get(identity)
        if slot is None or str(slot.path) != path:
            slot = Slot(self.plan.name, identity, Path(path))
        slot.is_pinned = routes.pinned
        return slot

    async def _load_champion(self, champion: Slot | None, before: Slot | None) -> UnisonoError | None:
        """Have the new champion in memory, or, if there was none before and it is short, when it is first asked for."""
        self._refused = None
        if champion is None or champion is before:
            return None
        if before is None and not champion.is_pinned and not self._shelf.has_room(champion):
            return None
        fault = await self._fault_of(champion)
        self._refused = champion if fault else None
        return fault

    async def _fault_of(self, slot: Slot) -> UnisonoError | None:
        """Why a version cannot be in memory; None once it is."""
        try:
            await self._shelf.want(slot)
        except UnisonoError as error:
            _LOGGER.error("%s: %s", self.plan.name, error)
            return error
        return None

    def _leave(self, leaving: Mapping[str, Slot], staying: Mapping[str, Slot]) -> None:
        kept = set(staying.values())
        for slot in leaving.values():
            if slot not in kept:
                self._shelf.give_up(slot)

    # Looking ----------------------------------------------------------------------------------------------------------

    @property
    def reason(self) -> str:
        """Why it cannot answer; "" if it can."""
        champion = self._route.champion
        if champion is None:
            return str(self._not_served())
        if champion.lane.is_stuck:
            return f"{self.plan.name}: its model hangs"
        return champion.reason if champion.state == "FAILED" else ""

    @property
    def slots(self) -> Collection[Slot]:
        """Its versions, in memory or not."""
        return self._route.slots.values()

    def states(self) -> list[ModelState]:
        """Of its versions, the champion first; one that could not take its place, too."""
        route = self._route
        slots = dict.fromkeys((*route.aliases.values(), *route.slots.values()))
        if self._refused is not None:
            slots[self._refused] = None
        champion = route.champion
        return [self._state(slot) for slot in sorted(slots, key=lambda slot: slot is not champion)]

    def _state(self, slot: Slot) -> ModelState:
        aliases = tuple(sorted(alias for alias, one in self._route.aliases.items() if one is slot))
        if slot.lane.is_stuck:
            return ModelState(self.plan.name, slot.version, "UNAVAILABLE", "it hangs", aliases, slot.outputs)
        return ModelState(self.plan.name, slot.version, slot.state, slot.reason, aliases, slot.outputs)


def _route(routes: Routes, slots: Mapping[str, Slot], aliases: Mapping[str, Slot], heard: Mapping[str, Slot]) -> _Route:
    """What is made of routes; `heard` are the aliases of the split and of shadows that are in memory."""
    champion = aliases.get(CHAMPION)
    shared = [(upto, heard[alias]) for upto, alias in shares(routes.split, CHAMPION) if alias in heard]
    shadows = tuple({heard[alias]: None for alias in routes.shadow if alias in heard})
    answering = {champion, *(slot for _, slot in shared)}
    for slot in slots.values():
        copies = [shadow.lane for shadow in shadows if shadow is not slot]
        slot.lane.shadows = tuple(copies) if slot in answering else ()
    return _Route(routes.revision, slots, aliases, shared, shadows)


class ChangingCatalogue(Catalogue):
    """The predictors of a worker, whose versions come and go without a call lost.

    plans:        of all predictors that may be served.
    lanes:        all of the worker.
    loader:       loads a version.
    budget_bytes: what the process may have in memory; `shelf.budget_bytes` may be replaced.
    resident:     what it has; None: as the system says.

    For the thread of one loop.
    """

    def __init__(
        self,
        plans: Iterable[OnlinePlan],
        lanes: Lanes,
        loader: Loader,
        *,
        budget_bytes: int,
        resident: Callable[[], int] | None = None,
    ) -> None:
        self.shelf = Shelf(lanes, loader, budget_bytes, resident=resident or Resident())
        self._predictors = {plan.name: ChangingPredictor(plan, lanes, self.shelf) for plan in plans}
        super().__init__(self._predictors)

    async def apply(self, routes: Routes) -> None:
        """Let a predictor's versions be these from now on.

        The new champion is loaded, verified and warm before it answers. Then the switch is one step: who came before
        is answered by the version before, which leaves the memory after its last answer. While there is no champion
        yet, one that does not fit beside the others is only loaded when it is asked for.

        Returns once it is so, or a later revision is on its way. Raises UnisonoError if the new champion cannot be
        loaded: all stays as it was. What else cannot be loaded gets no part of the split, and no copies.
        """
        await self._predictors[routes.predictor].apply(routes)

    def reasons(self) -> dict[str, str]:
        """Predictor -> why it cannot answer; "" if it can."""
        return {name: one.reason for name, one in self._predictors.items()}

    @property
    def slots(self) -> Mapping[str, Collection[Slot]]:
        """Predictor -> its versions, in memory or not."""
        return {name: one.slots for name, one in self._predictors.items()}

    def states(self) -> list[ModelState]:
        """Of all versions, predictor by predictor, champions first."""
        return [state for one in self._predictors.values() for state in one.states()]
