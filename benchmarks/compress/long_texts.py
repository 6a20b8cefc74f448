"""How long a text of a given number of tokens takes: rows measure texts as they come, which are short."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from benchmarks.compress.bench import SETTINGS, Bench
from benchmarks.harness import say
from unisono.compress.recipe import recipe_of
from unisono.compress.report.document import Interval
from unisono.compress.report.latency import speedup, timings
from unisono.compress.report.serving import Requests, Serving
from unisono.compress.running.definition import graph_with
from unisono.compress.running.run import carry_out, subject_of
from unisono.models import PredictorGraph

PREDICTOR = "sentiment"


def speedup_at(bench: Bench, recipe: Mapping[str, Any], model: object, tokens: int, *, runtime: str) -> Interval:
    """Times as fast as the original is what a recipe makes of it, one text of so many tokens at a time.

    recipe: that was carried out before; its stages are used again.
    tokens: with the two that stand around every text.
    """
    before_and_after = graphs_of(bench, recipe, model)
    texts = [" ".join(np.random.default_rng(seed).choice(_WORDS, tokens - _AROUND)) for seed in range(16)]
    requests = Requests([(text,) for text in texts], np.empty((len(texts), 0)))
    models = [Serving(one, runtime) for one in before_and_after]
    for one in models:
        _refuse_other_lengths(one, requests, tokens)
    say(f"  timing texts of {tokens} tokens")
    before, after = timings([(one, requests) for one in models], lambda done, of: None)
    return speedup(before, after)


def graphs_of(bench: Bench, recipe: Mapping[str, Any], model: object) -> tuple[PredictorGraph, PredictorGraph]:
    """Original and result of a recipe that was carried out before; its stages are used again."""
    project = bench.project(PREDICTOR)
    ready = project.ready(PREDICTOR)
    made = carry_out(
        recipe_of({"data": SETTINGS[PREDICTOR], **recipe}),
        subject_of(model, ready, None),
        bench.data(PREDICTOR),
        ready,
        folder=project.store_path / "compress" / PREDICTOR,
        progress=lambda *told: None,
    )
    return graph_with(ready, made.original), graph_with(ready, made.result)


_AROUND = 2  # tokens, before and behind a text
_WORDS = ("the", "film", "is", "a", "long", "story", "of", "good", "and", "bad", "people", "who", "never", "stop")


def _refuse_other_lengths(serving: Serving, requests: Requests, tokens: int) -> None:
    """A benchmark that measures something else than it says is worse than none."""
    lengths = {one.shape[-1] for one in serving.feeds(requests.part(0, 1)).values()}
    if lengths != {tokens}:
        raise SystemExit(f"texts of {lengths} tokens; allowed: {tokens}; look at the tokenizer")
