"""What can be known of a recipe before it is carried out: nothing, until the predictors have proved themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from unisono.compress.search.document import TrialJson, ValidationJson
from unisono.compress.search.figures import OBJECTIVES, Figures, Objective, to_lower
from unisono.compress.search.pareto import dominates
from unisono.compress.search.predictor import Described, Predictor, enough

_REFIT = 5  # trials after which predictors are fitted again
_SAME_SPEED = 0.05  # share within which two latencies are not told apart


class Foresight:
    """What the trials that were measured say of the next.

    objectives: that are predicted, each by its own predictor.
    seed:       of the predictors.
    """

    def __init__(self, objectives: Sequence[Objective], seed: int) -> None:
        self._objectives, self._seed = objectives, seed
        self._learnt = 0
        self._front: list[list[float]] = []
        self._by_settings: dict[Objective, Predictor | None] = dict.fromkeys(objectives)
        self._by_quick: Predictor | None = None

    def learn(self, done: Sequence[TrialJson]) -> None:
        """Takes in what was tried up to now; predictors are made anew after every fifth that was measured."""
        measured = [one for one in done if one.outcome == "measured"]
        self._front = [values_of(one.figures, self._objectives) for one in measured if one.holds and one.figures]
        count = len(measured) // _REFIT * _REFIT
        if count == self._learnt:
            return
        self._learnt = count
        known = measured[:count]
        described = [(_settings(one), one.figures) for one in known]
        self._by_settings = {name: _predictor(described, name, self._seed) for name in self._objectives}
        looked = [(_looked_at(one), one.figures) for one in known if one.quick is not None]
        self._by_quick = _predictor(looked, "accuracy", self._seed) if "accuracy" in self._objectives else None

    def expected(self, trial: TrialJson) -> list[float] | None:
        """The objectives, as far as they can be told; None: they cannot."""
        return self._told(trial, surely=False)

    def is_surely_beaten(self, trial: TrialJson) -> bool:
        """Whether a result that is there is better in everything than this will be at its best."""
        best = self._told(trial, surely=True)
        return best is not None and any(dominates(one, best) for one in self._front)

    def _told(self, trial: TrialJson, *, surely: bool) -> list[float] | None:
        if trial.quick is not None:
            return self._told_by_quick(trial, trial.quick, surely=surely)
        found = []
        for name in self._objectives:
            predictor = self._by_settings[name]
            if predictor is None or not predictor.validation.is_trusted:
                return None
            described = _settings(trial)
            found.append(predictor.lowest(described) if surely else predictor.predict(described))
        return found

    def _told_by_quick(self, trial: TrialJson, quick: Figures, *, surely: bool) -> list[float] | None:
        """Size and speed are known by then."""
        values = dict(zip(self._objectives, values_of(quick, self._objectives), strict=True))
        if "accuracy" in values:
            predictor = self._by_quick
            if predictor is None or not predictor.validation.is_trusted:
                return None
            described = _looked_at(trial)
            values["accuracy"] = predictor.lowest(described) if surely else predictor.predict(described)
        if surely and "latency_ms" in values:
            values["latency_ms"] *= 1 - _SAME_SPEED
        return list(values.values())

    def validations(self) -> list[ValidationJson]:
        """How far each predictor can be trusted."""
        known = [(name, "settings", one) for name, one in self._by_settings.items()]
        found = [*known, ("accuracy", "quick", self._by_quick)]
        return [
            ValidationJson(
                objective=name,
                when="quick" if when == "quick" else "settings",
                trials=one.validation.trials,
                error=one.validation.error,
                margin=one.validation.margin,
                correlation=one.validation.correlation,
            )
            for name, when, one in found
            if one is not None
        ]


def values_of(figures: Figures, objectives: Sequence[Objective]) -> list[float]:
    """The objectives, lower is better."""
    return [to_lower(figures, name) for name in objectives]


def _predictor(trials: Sequence[tuple[Described, Figures | None]], objective: Objective, seed: int) -> Predictor | None:
    known = [(described, to_lower(figures, objective)) for described, figures in trials if figures is not None]
    if not enough(len(known)):
        return None
    return Predictor([described for described, _ in known], [value for _, value in known], seed=seed)


def _settings(trial: TrialJson) -> Mapping[str, float]:
    return {name: float(value) for name, value in trial.chosen.items()}


def _looked_at(trial: TrialJson) -> Mapping[str, float]:
    """Settings with what the quick look said."""
    quick = trial.quick
    if quick is None:
        return _settings(trial)
    looked = {f"quick.{name}": to_lower(quick, name) for name in OBJECTIVES}
    return {**_settings(trial), **looked, "quick.parameters": float(quick.parameters), **quick.statistics}
