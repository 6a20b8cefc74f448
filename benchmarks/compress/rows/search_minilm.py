"""Search on MiniLM: does it find a recipe at least as good as the one that was written by hand, "all in one"?

The settings of that recipe become ranges; its first step, which trains longest, is the same in all trials and is made
once. Trials are judged by the validation rows; then the most accurate recipe of the front that is no larger than the
one by hand is judged beside it by the test rows. A search that was cut goes on.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.compress.bench import SETTINGS, Bench, progress
from benchmarks.compress.row import Row, at_least, at_most, sides
from benchmarks.compress.rows.all_in_one import RECIPES
from unisono.compress.recipe import recipe_of
from unisono.compress.running.run import subject_of
from unisono.compress.search.document import SearchJson, TrialJson
from unisono.compress.search.evaluating import Evaluation
from unisono.compress.search.searching import Search
from unisono.compress.search.space import space_of

TRIALS = 10
_PREDICTOR = "sentiment"
_RANGES: dict[str, dict[str, Any]] = {
    "low_rank_embedding": {"rank": {"choices": [48, 64, 80, 96, 112]}},
    "prune_nodes": {"share": {"low": 0.1, "high": 0.5}},
    "recover": {"learning_rate": {"low": 5e-5, "high": 4e-4, "log": True}},
}
"""In place of the settings by hand, by step."""


def run(bench: Bench) -> Row:
    """The row."""
    model = bench.sentiment_teacher()
    by_hand = _by_hand()
    hand = bench.compress(_PREDICTOR, by_hand, model)
    searched = _searched(bench, model, by_hand)
    original, peer = sides(hand)
    best = _best(searched.best(), _size_of_hand(bench, model, by_hand))
    found = bench.compress(_PREDICTOR, _without_data(best.recipe or {}), model)
    result = sides(found)[1]
    return Row(
        row="search-minilm",
        original=original,
        result=result,
        peers={"by hand": peer},
        targets=(
            at_least("points of accuracy above the recipe by hand", 100 * (result.accuracy - peer.accuracy), 0),
            at_most("MB, beside the recipe by hand", result.size_bytes / 1e6, peer.size_bytes / 1e6),
        ),
        notes=(
            f"{TRIALS} trials, seed {searched.seed}; each trains on 12,000 sentences and is judged by the validation "
            f"rows. The table is by {found.rows:,} test rows. Chosen: {_told(best.recipe or {})}.",
        ),
    )


def _told(recipe: Mapping[str, Any]) -> str:
    """What was chosen, of each step that has ranges."""
    chosen = {name: step[name] for step in recipe["steps"] for name in _RANGES.get(step["step"], ())}
    return ", ".join(f"{name} {value:.3g}" for name, value in chosen.items())


def _by_hand() -> dict[str, Any]:
    """The recipe of the example, without its data and budget."""
    document = tomllib.loads((RECIPES / "all-in-one.toml").read_text("utf-8"))
    return {"name": "all-in-one", **{name: value for name, value in document.items() if name not in ("budget", "data")}}


def _without_data(recipe: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in recipe.items() if name != "data"}


def _evaluation(bench: Bench, model: object) -> Evaluation:
    ready = bench.project(_PREDICTOR).ready(_PREDICTOR)
    return Evaluation(
        subject=subject_of(model, ready, None),
        frame=bench.data(_PREDICTOR),
        definition=ready,
        folder=bench.folder / "projects" / _PREDICTOR / ".unisono" / "compress" / _PREDICTOR,
        progress=progress(),
    )


def _searched(bench: Bench, model: object, by_hand: dict[str, Any]) -> SearchJson:
    steps = [{**step, **_RANGES.get(step["step"], {})} for step in by_hand["steps"]]
    space = space_of({"data": SETTINGS[_PREDICTOR], "runtime": by_hand["runtime"], "steps": steps})
    search = Search(space=space, evaluate=_evaluation(bench, model), objectives=("accuracy", "size_bytes"), saves=False)
    return search.run(TRIALS, bench.folder / "projects" / "search-minilm", progress())


def _size_of_hand(bench: Bench, model: object, by_hand: dict[str, Any]) -> int:
    """As a search sees sizes: of the graph and what travels with it."""
    recipe = recipe_of({"data": SETTINGS[_PREDICTOR], **by_hand})
    return _evaluation(bench, model)(recipe, "full").size_bytes


def _best(front: Sequence[TrialJson], most_bytes: int) -> TrialJson:
    """The most accurate that is no larger."""
    known = [(one.figures, one) for one in front if one.figures is not None and one.figures.size_bytes <= most_bytes]
    if not known:
        raise SystemExit(f"no trial is as small as {most_bytes / 1e6:.2f} MB; allowed: one or more; raise TRIALS")
    return max(known, key=lambda pair: pair[0].accuracy)[1]
