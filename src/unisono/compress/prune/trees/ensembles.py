"""A fitted ensemble, pruned: its rows are sent through it, and what is left is written as a model of LightGBM."""

from __future__ import annotations

from collections.abc import Callable
from math import log
from typing import TYPE_CHECKING, Any

import lightgbm
import numpy as np
import polars as pl

from unisono.compress.context import Context
from unisono.compress.data import Data, sample_of
from unisono.compress.prune.trees.objectives import Floats, Objective, objective_of
from unisono.compress.prune.trees.pruning import Kept, prune
from unisono.compress.prune.trees.reading import Source, source_of
from unisono.compress.prune.trees.refitting import Places, Refit, Rows
from unisono.compress.prune.trees.text import Ensemble, leaf_tree, read_text, write_text
from unisono.compress.prune.trees.tree import Tree
from unisono.compress.subject import Subject
from unisono.spec.errors import ModelError

if TYPE_CHECKING:
    from unisono.compress.prune.trees.step import PruneTrees

RIDGES = (0.001, 0.01, 0.1)
"""That are tried where none is given."""

_LEAST = 1e-9  # of a loss, for a model that explains nothing
_AT_ONCE = 8192  # rows sent through all trees


class PrunedTrees(lightgbm.Booster):
    """A booster that knows the labels of its classes, in `classes_`; it has none if it gives numbers."""

    classes_: list[Any]


def pruned(subject: Subject, context: Context, step: PruneTrees) -> Subject:
    """See `PruneTrees.apply`."""
    source = source_of(subject, context.data)
    objective = objective_of(source.ensemble.objective)
    refit = _refit(source, objective, context, step)
    trees, splits, best = len(refit.trees), refit.splits, refit.loss()
    room = max(_constant_loss(refit, objective) - best, _LEAST)
    wanted = 1 if step.keep == "chosen" else max(1, round(step.keep * splits))
    limit = best + step.lost * room if step.keep == "chosen" else np.inf
    ridges = RIDGES if step.ridge == "chosen" else (step.ridge,)
    ways = [
        (ridge, kept)
        for number, ridge in enumerate(ridges)
        if (kept := _pruned(refit.with_ridge(ridge), source, wanted, limit, _telling(context, number, len(ridges))))
    ]
    if not ways:
        raise ModelError(
            f"prune_trees: without a quarter of its {splits} splits the model loses more than {step.lost:g} of what it "
            f"explains; allowed: lost = {step.lost:g}; allow more, or say keep"
        )
    ridge, kept = min(ways, key=lambda one: (one[1].splits, one[1].loss))
    found = {"splits_before": splits, "splits": kept.splits, "trees_before": trees, "trees": kept.trees}
    made = subject.with_ensemble(_model(kept, source), source.columns)
    return made.noting(step.NAME, **found, ridge=ridge, lost=round((kept.loss - best) / room, 6))


def _pruned(refit: Refit, source: Source, fewest: int, limit: float, told: Callable[[float], None]) -> Kept | None:
    """With one ridge. told: which share of the way is gone."""
    splits = refit.splits
    return prune(
        refit,
        lambda one: _text(one, source.ensemble),
        fewest=fewest,
        limit=limit,
        progress=lambda left: told(log(splits / left) / log(splits / fewest)),
    )


def _telling(context: Context, number: int, count: int) -> Callable[[float], None]:
    """Rounds are shares of what is there, so that the way is one of logarithms."""
    return lambda share: context.progress("pruning trees", round(100 * (number + share)), 100 * count)


def _constant_loss(refit: Refit, objective: Objective) -> float:
    """Of what says the same of all rows, on the rows to judge by."""
    means = np.broadcast_to(refit.rows.targets.mean(axis=0), refit.held.targets.shape)
    return objective.loss(means, refit.held.targets)


def _model(kept: Kept, source: Source) -> PrunedTrees:
    model = PrunedTrees(model_str=kept.text)
    if source.classes:
        model.classes_ = list(source.classes)
    return model


def _text(refit: Refit, ensemble: Ensemble) -> str:
    parts = [[leaf_tree(float(point))] for point in refit.base]
    for tree, output in zip(refit.trees, refit.outputs, strict=True):
        parts[output].append(tree)
    return write_text(Ensemble(ensemble.head, ensemble.foot, tuple(map(tuple, parts))))


def _refit(source: Source, objective: Objective, context: Context, step: PruneTrees) -> Refit:
    """The ensemble with the rows that it learns from: their labels, and what it says of them itself."""
    text = write_text(source.ensemble)
    trees = [tree for row in zip(*read_text(text).trees, strict=True) for tree in row]  # in the order of the text
    outputs = [number % len(source.ensemble.trees) for number in range(len(trees))]
    booster = lightgbm.Booster(model_str=text)
    parts = [sample_of(context.data.train, step.rows, context.seed), context.data.validation]
    rows, held = (
        _rows(frame, _places(booster, trees, source.matrix(frame), context), trees, outputs, objective, context.data)
        for frame in parts
    )
    own = objective.means(rows.scores(trees, outputs, np.zeros(max(outputs) + 1)))
    learnt = Rows(rows.places, (1 - step.teacher_share) * rows.targets + step.teacher_share * own)
    return Refit(trees, outputs, learnt, held, objective=objective)


def _rows(
    frame: pl.DataFrame,
    places: list[Places],
    trees: list[Tree],
    outputs: list[int],
    objective: Objective,
    data: Data,
) -> Rows:
    """Rows with what is right of them: their labels, or what the trees say if they were fitted to another loss."""
    width = max(outputs) + 1
    rows = Rows(places, np.zeros((frame.height, width)))
    if not objective.takes_labels:
        return Rows(places, rows.scores(trees, outputs, np.zeros(width)))
    labels = data.targets(frame)
    return Rows(places, np.eye(width)[labels] if width > 1 else labels[:, np.newaxis].astype(np.float64))


def _places(booster: lightgbm.Booster, trees: list[Tree], matrix: Floats, context: Context) -> list[Places]:
    """Of each tree: the leaf that each row ends in."""
    kind = np.min_scalar_type(max(len(tree.leaves) for tree in trees))
    places = np.empty((len(trees), len(matrix)), kind)
    for start in range(0, len(matrix), _AT_ONCE):
        context.progress("sending rows through the trees", start, len(matrix))
        cut = slice(start, start + _AT_ONCE)
        leaves = booster.predict(matrix[cut], pred_leaf=True, num_threads=1)
        places[:, cut] = np.asarray(leaves).reshape(-1, len(trees)).T
    return list(places)
