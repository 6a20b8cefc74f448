"""The search itself: recipes are proposed, looked at quickly, carried out, and the best are kept.

Some recipes are not carried out. After a quick look, without the steps that only recover, size and speed are known;
where a predictor that has proved itself is sure that another recipe will be better in everything, the search stops
there. Before it, where it is sure by the settings alone, the recipe is skipped, which is no trial.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path

from msgspec.structs import replace

from unisono.compress.recipe import Recipe, recipe_of
from unisono.compress.search.document import FORMAT, SearchJson, TrialJson
from unisono.compress.search.figures import OBJECTIVES, Evaluate, Figures, Objective, over_budget
from unisono.compress.search.foresight import Foresight, values_of
from unisono.compress.search.pareto import front, hypervolume
from unisono.compress.search.space import Space
from unisono.compress.search.study import Proposal, Sampler, Study
from unisono.spec.errors import UnisonoError
from unisono.spec.progress import Progress

_MOST_SKIPPED = 5  # one after the other
_KNOWN = ("measured", "failed")  # outcomes that another try of the same recipe would repeat


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """What is searched, and how.

    space:      recipes.
    evaluate:   carries one out and measures it.
    objectives: that are to be good together.
    sampler:    what proposes.
    seed:       the same gives the same proposals, as far as the figures are the same; latencies differ a little from
                run to run.
    saves:      whether trials may be stopped or skipped.
    """

    space: Space
    evaluate: Evaluate
    objectives: tuple[Objective, ...] = OBJECTIVES
    sampler: Sampler = "tpe"
    seed: int = 0
    saves: bool = True

    def run(
        self, trials: int, folder: Path, progress: Progress, reference: Sequence[float] | None = None
    ) -> SearchJson:
        """So many trials, those of an earlier run with the same settings included.

        folder:    keeps the trials.
        reference: see `SearchJson`; None: the worst that was measured.
        """
        study = Study(folder, self.space, objectives=self.objectives, sampler=self.sampler, seed=self.seed)
        done = study.done()
        foresight, skipped = Foresight(self.objectives, self.seed), 0
        while _count(done) < trials:
            progress("searching", _count(done), trials)
            proposal = study.propose(len(done))
            if self.saves:
                foresight.learn(done)
            made = self._made(proposal, done, foresight, may_skip=skipped < _MOST_SKIPPED)
            skipped = skipped + 1 if made.outcome == "skipped" else 0
            study.tell(proposal, made, self._values(made, foresight))
            done.append(made)
        progress("searching", trials, trials)
        foresight.learn(done)
        return self._document(done, foresight, reference)

    def _made(
        self, proposal: Proposal, done: Sequence[TrialJson], foresight: Foresight, *, may_skip: bool
    ) -> TrialJson:
        trial = TrialJson(number=len(done), outcome="failed", chosen=proposal.chosen, recipe=proposal.document)
        try:
            recipe = recipe_of(proposal.document, self.space.place)
            trial = replace(trial, recipe=recipe.document())
            same = next((one for one in done if one.outcome in _KNOWN and one.recipe == trial.recipe), None)
            if same is not None:
                return replace(same, number=trial.number, chosen=trial.chosen)
            if may_skip and foresight.is_surely_beaten(trial):
                return replace(trial, outcome="skipped", reason="by its settings another is better in everything")
            return self._carried_out(trial, recipe, foresight)
        except UnisonoError as error:
            return replace(trial, reason=str(error))

    def _carried_out(self, trial: TrialJson, recipe: Recipe, foresight: Foresight) -> TrialJson:
        """As far as it is worth it."""
        if self.saves and any(step.STAGE == "recovery" for step in recipe.steps):
            quick = self.evaluate(recipe, "quick")
            trial = replace(trial, quick=quick)
            reason = _stopped(trial, quick, recipe, foresight)
            if reason:
                return replace(trial, outcome="stopped", reason=reason, over=over_budget(quick, recipe.budget))
        full = self.evaluate(recipe, "full")
        return replace(trial, outcome="measured", figures=full, over=over_budget(full, recipe.budget))

    def _values(self, made: TrialJson, foresight: Foresight) -> list[float] | None:
        """What the sampler is told; of a recipe that was not carried out what is expected of it."""
        if made.figures is not None:
            return values_of(made.figures, self.objectives)
        if made.outcome == "failed":
            return None
        expected = foresight.expected(made)
        if expected is None and made.quick is not None:
            return values_of(made.quick, self.objectives)
        return expected

    def _document(self, done: list[TrialJson], foresight: Foresight, reference: Sequence[float] | None) -> SearchJson:
        points = {
            one.number: values_of(one.figures, self.objectives) for one in done if one.holds and one.figures is not None
        }
        numbers = list(points)
        best = sorted((numbers[place] for place in front(list(points.values()))), key=lambda number: points[number])
        worst = [max(column) for column in zip(*points.values(), strict=True)] if points else []
        chosen = list(worst if reference is None else reference)
        return SearchJson(
            format=FORMAT,
            objectives=list(self.objectives),
            sampler=self.sampler,
            seed=self.seed,
            trials=done,
            front=best,
            reference=chosen,
            volumes=_volumes(done, points, chosen),
            predictors=foresight.validations(),
        )


def _count(done: Sequence[TrialJson]) -> int:
    """Trials; what was skipped cost nothing, and is none."""
    return sum(one.outcome != "skipped" for one in done)


_SURE_LIMITS = ("size_bytes", "parameters")  # that recovery does not change, and that are measured without noise


def _stopped(trial: TrialJson, quick: Figures, recipe: Recipe, foresight: Foresight) -> str:
    """Why it is not worth to be carried out as a whole; "" if it is."""
    over = [name for name, value in over_budget(quick, recipe.budget).items() if value > 0 and name in _SURE_LIMITS]
    if over:
        return f"over the budget whatever recovers: {', '.join(over)}"
    return "recovered, another is better in everything" if foresight.is_surely_beaten(trial) else ""


def _volumes(
    done: Sequence[TrialJson], points: Mapping[int, Sequence[float]], reference: Sequence[float]
) -> list[float]:
    """After each trial that is one. More points never cover less, which the rounding of the sums must not hide."""
    found: list[Sequence[float]] = []
    volumes: list[float] = []
    whole = prod(reference)
    for one in done:
        if one.number in points:
            found.append(points[one.number])
        if one.outcome != "skipped":
            covered = hypervolume(found, reference) / whole if whole else 0.0
            volumes.append(max([covered, *volumes[-1:]]))
    return volumes
