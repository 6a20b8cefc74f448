"""Optuna's study behind a search: what it proposes, what it is told, and what it remembers when a search is cut."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec
import optuna

from unisono.compress.search.document import TrialJson
from unisono.compress.search.space import Ask, Choices, Range, Space

Sampler = Literal["tpe", "nsga2", "random"]

_KEPT = "unisono.trial"
_FIRST_RANDOM = 8
_MOST_SEEDS = 2**31

_SAMPLERS: Mapping[Sampler, Callable[[int], optuna.samplers.BaseSampler]] = {
    "tpe": lambda seed: optuna.samplers.TPESampler(seed=seed, n_startup_trials=_FIRST_RANDOM),
    "nsga2": lambda seed: optuna.samplers.NSGAIISampler(seed=seed, population_size=_FIRST_RANDOM),
    "random": lambda seed: optuna.samplers.RandomSampler(seed=seed),
}
"""What chooses the next recipe: trees of Parzen estimators (Ozaki et al., 2022, for several objectives), a genetic
algorithm (Deb et al., 2002), or chance."""


class Proposal:
    """A recipe that was proposed, and not yet tried.

    document: of the recipe.
    chosen:   by name.
    """

    def __init__(self, trial: optuna.Trial, space: Space) -> None:
        self._trial = trial
        self.document = space.fill(_asking(trial))
        self.chosen: dict[str, Any] = dict(trial.params)

    def told(self, study: optuna.Study, made: TrialJson, values: Sequence[float] | None) -> None:
        """What came of it. values: of the objectives, lower is better; None: it gave no model."""
        for name, over in made.over.items():
            self._trial.set_constraint(name, over)
        self._trial.set_user_attr(_KEPT, msgspec.json.encode(made).decode())
        if values is None:
            study.tell(self._trial, state=optuna.trial.TrialState.FAIL)
        else:
            study.tell(self._trial, list(values))


class Study:
    """The trials of one search in a file of SQLite; one that was begun goes on.

    folder:     where the file is.
    space:      what varies; another space, another seed or other objectives are another study.
    objectives: how many.
    """

    def __init__(self, folder: Path, space: Space, *, objectives: Sequence[str], sampler: Sampler, seed: int) -> None:
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        folder.mkdir(parents=True, exist_ok=True)
        said = msgspec.json.encode([space.document, list(objectives), sampler, seed], order="sorted")
        self._space, self._sampler, self._seed = space, sampler, seed
        self._study = optuna.create_study(
            storage=f"sqlite:///{folder / 'search.db'}",
            study_name=hashlib.sha256(said).hexdigest()[:32],
            directions=["minimize"] * len(objectives),
            load_if_exists=True,
        )
        for trial in self._study.get_trials(deepcopy=False, states=[optuna.trial.TrialState.RUNNING]):
            self._study.tell(trial.number, state=optuna.trial.TrialState.FAIL)  # it was cut, and is asked for again

    def done(self) -> list[TrialJson]:
        """The trials that came to an end, in order."""
        kept = (trial.user_attrs.get(_KEPT) for trial in self._study.get_trials(deepcopy=False))
        return [msgspec.json.decode(one, type=TrialJson) for one in kept if one is not None]

    def propose(self, number: int) -> Proposal:
        """The next recipe. Its chance depends on its number alone, so that a search that was cut goes on as it was."""
        self._study.sampler = _SAMPLERS[self._sampler]((self._seed * 1_000_003 + number) % _MOST_SEEDS)
        return Proposal(self._study.ask(), self._space)

    def tell(self, proposal: Proposal, made: TrialJson, values: Sequence[float] | None) -> None:
        """What came of a proposal; it is remembered from now on."""
        proposal.told(self._study, made, values)


def _asking(trial: optuna.Trial) -> Ask:
    def ask(name: str, what: Range | Choices) -> Any:
        if isinstance(what, Choices):
            return trial.suggest_categorical(name, list(range(len(what.options))))
        if what.is_whole:
            return trial.suggest_int(name, int(what.low), int(what.high), log=what.log)
        return trial.suggest_float(name, what.low, what.high, log=what.log)

    return ask
