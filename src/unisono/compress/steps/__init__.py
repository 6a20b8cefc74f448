"""The steps that a recipe can have, found by the entry-point group `unisono.steps`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points

from unisono.compress.steps.base import Step

GROUP = "unisono.steps"

# The same as the entry points of this package, for a source tree that is not installed.
_OURS = {
    "low_rank": "unisono.compress.low_rank.step:LowRank",
    "low_rank_embedding": "unisono.compress.low_rank.embedding_step:LowRankEmbedding",
    "compact": "unisono.compress.compact.step:Compact",
    "linear_attention": "unisono.compress.attention.step:LinearAttention",
    "distil": "unisono.compress.distil.step:Distil",
    "prune_nodes": "unisono.compress.prune.nodes.step:PruneNodes",
    "prune_weights": "unisono.compress.prune.weights.step:PruneWeights",
    "prune_trees": "unisono.compress.prune.trees.step:PruneTrees",
    "recover": "unisono.compress.modules.recover:Recover",
    "quantise_aware": "unisono.compress.quantise.aware.step:QuantiseAware",
    "quantise": "unisono.compress.quantise.step:Quantise",
    "integer": "unisono.compress.integer.step:Integer",
    "sparse": "unisono.compress.prune.weights.sparse_step:Sparse",
}


@cache
def _installed() -> Mapping[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=GROUP)}


def step_names() -> tuple[str, ...]:
    """Of every step."""
    return tuple(dict.fromkeys((*_OURS, *_installed())))


@cache
def step_of(name: str) -> type[Step]:
    """The step of a name; one that is installed takes the place of ours. Only that step's own module is imported."""
    found: type[Step]
    if name in _installed():
        found = _installed()[name].load()
        return found
    module, _, attribute = _OURS[name].partition(":")
    found = getattr(import_module(module), attribute)
    return found
