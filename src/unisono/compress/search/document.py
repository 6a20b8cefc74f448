"""A search as data: its trials, its front, and how far its predictors could be trusted."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from unisono.compress.search.figures import Figures

FORMAT = 1

Outcome = Literal["measured", "stopped", "skipped", "failed"]
"""measured: carried out as a whole; stopped: after the quick look, since it was sure to be dominated; skipped: before
it, for the same reason; failed: the recipe gives no model."""


class TrialJson(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One recipe that was tried.

    number:  from 0.
    outcome: see `Outcome`.
    chosen:  what was chosen, by name.
    recipe:  with every setting; the same gives the same model.
    quick:   of the quick look; None: there was none, since nothing in the recipe only recovers.
    figures: of the whole recipe; None: it was not carried out.
    over:    by how much each limit of the budget is exceeded; none is above 0: it holds.
    reason:  why it failed, was stopped or skipped.
    """

    number: int
    outcome: Outcome
    chosen: dict[str, Any]
    recipe: dict[str, Any] | None
    quick: Figures | None = None
    figures: Figures | None = None
    over: dict[str, float] = {}
    reason: str = ""

    @property
    def holds(self) -> bool:
        """Whether it was measured and the budget holds."""
        return self.outcome == "measured" and all(value <= 0 for value in self.over.values())


class ValidationJson(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """See `predictor.Validation`.

    when: "settings": before anything is carried out; "quick": after the quick look.
    """

    objective: str
    when: Literal["settings", "quick"]
    trials: int
    error: float
    margin: float
    correlation: float


class SearchJson(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A search.

    objectives: that were to be good together.
    sampler:    what chose: tpe, nsga2 or random.
    seed:       of it.
    trials:     in order.
    front:      numbers of the trials within the budget that no other beats in everything, the most accurate first.
    reference:  from which the volume is measured, objective by objective, accuracy as what lacks to 1.
    volumes:    hypervolume that the front covers after each trial, as a share of the box below the reference.
    predictors: what was known of them at the end.
    """

    format: int
    objectives: list[str]
    sampler: str
    seed: int
    trials: list[TrialJson]
    front: list[int]
    reference: list[float]
    volumes: list[float]
    predictors: list[ValidationJson]

    def best(self) -> list[TrialJson]:
        """The trials of the front."""
        return [self.trials[number] for number in self.front]
