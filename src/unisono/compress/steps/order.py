"""In which order steps may stand in a recipe."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from unisono.compress.kinds import Kind
from unisono.compress.steps.base import Stage, Step
from unisono.spec.wording import listing

ORDER: dict[Stage, int] = {"student": 0, "structure": 1, "weights": 2, "recovery": 2, "bits": 3, "storage": 4}
"""A step never comes after one of a later stage: another student would throw away what was done to the last one, a
change of structure the zeros among the weights, and weights that move their quantised values. Recovery may come
wherever there is still a module, and keeps the zeros."""

_WHY: dict[Stage, str] = {
    "student": "another student throws away what was done to the model before",
    "structure": "layers that change their shape lose the zeros and the bits that were chosen for them",
    "weights": "weights that become zero change what was chosen for their bits",
    "recovery": "weights that move lose the bits that were chosen for them",
    "bits": "what is stored in fewer bytes cannot be quantised any more",
    "storage": "",
}


def order_faults(steps: Sequence[Step], kind: Kind) -> Iterator[str]:
    """What is wrong with the order of some steps, one line each.

    kind: of the model that goes in.
    """
    given: Kind = kind
    for place, step in enumerate(steps):
        where = f"steps[{place}] {step.NAME}"
        if given not in step.TAKES:
            if "graph" not in step.TAKES:
                yield _wrong_kind(where, step, given, steps[:place])
                return
            given = "graph"
        given = step.gives(given)
        yield from _too_late(where, step, steps[:place])


def _wrong_kind(where: str, step: Step, given: Kind, before: Sequence[Step]) -> str:
    article = "an" if given == "ensemble" else "a"
    place = f"after {before[-1].NAME} the model" if before else "the model"
    seen = f"{place} is {article} {given}"
    return f"{where}: {seen}; allowed: {listing(step.TAKES)}; " + (
        "move it before" if before else "give the fitted model, not its graph, or leave the step out"
    )


def _too_late(where: str, step: Step, before: Sequence[Step]) -> Iterator[str]:
    later = [one for one in before if one.STAGE != "recovery" and ORDER[one.STAGE] > ORDER[step.STAGE]]
    if later:
        yield (
            f"{where}: stands after {listing(one.NAME for one in later)}; allowed: before, since {_WHY[step.STAGE]}; "
            "move it up"
        )
