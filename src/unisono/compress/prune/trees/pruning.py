"""Rounds of pruning: some splits go, and all leaves are fitted again to make up for them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from unisono.compress.prune.trees.merging import cheapest_splits
from unisono.compress.prune.trees.refitting import Refit

_SWEEPS = 2  # after each round
_LAST_SWEEPS = 10  # at most, after the last, and before a round is given up
_STAYS = 0.75  # of the splits, in a round


@dataclass(frozen=True, slots=True)
class Kept:
    """An ensemble on the way.

    text:          of the model.
    splits, trees: how many it has.
    loss:          on the rows to judge by.
    """

    text: str
    splits: int
    trees: int
    loss: float


def prune(
    refit: Refit, write: Callable[[Refit], str], *, fewest: int, limit: float, progress: Callable[[int], None]
) -> Kept | None:
    """The smallest ensemble on the way down whose loss is within a limit; None if none is.

    refit:    the whole ensemble; it is left as it was in the last round.
    write:    an ensemble as a model text.
    fewest:   splits; once there, it ends.
    limit:    of the loss on the rows to judge by.
    progress: told how many splits there are.
    """
    found: Kept | None = None
    refit.sweep()
    while refit.splits > fewest:
        wanted = max(fewest, int(_STAYS * refit.splits))
        refit.merge(cheapest_splits(refit.trees, refit.curvatures, refit.splits - wanted))
        for _ in range(_SWEEPS):
            refit.sweep()
        progress(refit.splits)
        state = _kept(refit, write)
        if state.loss > limit:
            state = _settled(refit, write, state)
        if state.loss > limit:
            return found
        found = state
    return found if found is None else _settled(refit, write, found)


def _settled(refit: Refit, write: Callable[[Refit], str], best: Kept) -> Kept:
    """The best after more sweeps."""
    for _ in range(_LAST_SWEEPS):
        refit.sweep()
        state = _kept(refit, write)
        if state.loss >= best.loss:
            break
        best = state
    return best


def _kept(refit: Refit, write: Callable[[Refit], str]) -> Kept:
    return Kept(write(refit), refit.splits, len(refit.trees), refit.loss())
