"""Which layer gets which rank, when all of them together may cost so much."""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from unisono.spec.errors import ModelError


@dataclass(frozen=True, slots=True)
class Option:
    """What a layer can be.

    rank: None: as it is.
    cost: parameters, or milliseconds.
    loss: what it costs in quality, in a unit that all layers share; 0 as it is.
    """

    rank: int | None
    cost: float
    loss: float


def allocated(options: Mapping[str, Sequence[Option]], budget: float, unit: str) -> dict[str, Option]:
    """One option a layer: the least loss for a cost that all of them together keep to.

    On the lower convex hull of each layer's options, the steps that lose least for what they save are the best that
    there is, but for the last one (Shoham, Gersho 1988: a Lagrangian's solutions lie on the hull).

    unit: of the costs, for an error.

    Raises ModelError if the cheapest options cost more.
    """
    hulls = {name: _hull(one) for name, one in options.items()}
    places = dict.fromkeys(hulls, 0)
    cost = sum(hull[0].cost for hull in hulls.values())
    if cost > budget:
        raise _out_of_reach(cost, budget, unit)
    waiting = [step for name, hull in hulls.items() if (step := _step(hull, 0, name))]
    heapq.heapify(waiting)
    while waiting:
        _, name = heapq.heappop(waiting)
        hull, place = hulls[name], places[name]
        more = hull[place + 1].cost - hull[place].cost
        if cost + more > budget:
            continue
        cost += more
        places[name] = place + 1
        if (step := _step(hull, place + 1, name)) is not None:
            heapq.heappush(waiting, step)
    return {name: hull[places[name]] for name, hull in hulls.items()}


def equal_shares(options: Mapping[str, Sequence[Option]], budget: float, unit: str) -> dict[str, Option]:
    """One option a layer: each layer keeps the same share of its cost, as near as its options allow.

    Raises ModelError if the cheapest options cost more than all together may.
    """
    shares = sorted({one.cost / _dearest(layer) for layer in options.values() for one in layer}, reverse=True)
    for share in shares:
        found = {name: _within(layer, share) for name, layer in options.items()}
        if sum(one.cost for one in found.values()) <= budget:
            return found
    raise _out_of_reach(sum(min(one.cost for one in layer) for layer in options.values()), budget, unit)


def _dearest(options: Sequence[Option]) -> float:
    return max(one.cost for one in options)


def _within(options: Sequence[Option], share: float) -> Option:
    """The dearest option up to a share of the dearest of all; the cheapest, if all are above."""
    cheapest = min(options, key=lambda one: one.cost)
    fitting = [one for one in options if one.cost / _dearest(options) <= share]
    return max(fitting or [cheapest], key=lambda one: (one.cost, -one.loss))


def _out_of_reach(cost: float, budget: float, unit: str) -> ModelError:
    return ModelError(
        f"low_rank: the lowest ranks cost {cost:,.6g} {unit}; allowed: {max(budget, 0):,.6g}, which is left for them; "
        "ask for less, include more layers, or lower multiple"
    )


def _step(hull: Sequence[Option], place: int, name: str) -> tuple[float, str] | None:
    """What the next step gains for its cost, negative, so that the most comes first."""
    if place + 1 == len(hull):
        return None
    now, then = hull[place], hull[place + 1]
    return -(now.loss - then.loss) / (then.cost - now.cost), name


def _hull(options: Sequence[Option]) -> list[Option]:
    """Options from the cheapest on, each worth its cost: the lower convex hull of loss over cost."""
    kept: list[Option] = []
    for one in sorted(options, key=lambda option: (option.cost, option.loss)):
        if kept and (one.cost == kept[-1].cost or one.loss >= kept[-1].loss):
            continue
        while len(kept) > 1 and _is_above(kept[-2], kept[-1], one):
            kept.pop()
        kept.append(one)
    return kept


def _is_above(left: Option, middle: Option, right: Option) -> bool:
    """Whether a straight line between its neighbours is as good as an option."""
    slope = (right.loss - left.loss) / (right.cost - left.cost)
    return middle.loss >= left.loss + slope * (middle.cost - left.cost)
