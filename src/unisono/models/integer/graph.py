"""An integer network as a graph of operators over whole numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from unisono.kernel.integer.network import (
    Activation,
    Add,
    Attention,
    Embedding,
    Linear,
    Network,
    Norm,
    Patches,
    Pool,
    Prepend,
    Requantise,
    Scores,
)
from unisono.kernel.integer.rows import read_by
from unisono.models.canonical import canonical
from unisono.models.emit import Emitter, value
from unisono.models.integer.attention import attention
from unisono.models.integer.embedding import embedding, patches, prepend
from unisono.models.integer.functions import activated
from unisono.models.integer.linear import linear, scores
from unisono.models.integer.norm import norm
from unisono.models.integer.proof import proved
from unisono.models.integer.site import Site

GIVEN, ANSWER = "given", "answer"
"""Names of the input and output of `integer_graph`."""


def integer_graph(network: Network) -> bytes:
    """The graph that computes a network: an ONNX model without one number that is no whole number.

    Its input "given" is int64, rows x tokens: token ids, all rows of one length; or of a network of images uint8, rows
    x patches x width. Its output "answer" is int32: the last register less `zero`, rows x tokens x columns, or rows x
    columns if each row has one token at the end.

    The same bits as kernel/integer/reference.py, on every machine. Token ids that the vocabulary does not have and
    rows longer than the positions are refused by the graph itself, when it is run.
    Raises ModelError if a number could leave its type (see `proved`).
    """
    emit = Emitter()
    first = network.instructions[0] if network.instructions else None
    given = value(GIVEN, np.int64, "N", "tokens")
    if isinstance(first, Patches):
        given = value(GIVEN, np.uint8, "N", first.count, first.width)
    emit.rename(lowered(network, emit, GIVEN), ANSWER)
    sides = ("N", "columns") if _is_one_row(network) else ("N", "tokens", "columns")
    return canonical(emit.model([given], [value(ANSWER, np.int32, *sides)]), {})


def lowered(network: Network, emit: Emitter, given: str) -> str:
    """Writes the nodes of a network, and returns the name of its answer; see `integer_graph`.

    given: name of the input.
    """
    site = Site(network, proved(network), emit, given)
    for one in network.instructions:
        _RULES[type(one)](site, one)
    answer = site.read(site.place - 1)
    if network.zero:
        answer = emit("Sub", answer, site.number(network.zero))
    return emit("Squeeze", answer, site.shape(1)) if _is_one_row(network) else answer


def _is_one_row(network: Network) -> bool:
    """Whether tokens were made one. What an instruction reads first says how many rows it writes."""
    pooled: set[int] = set()
    for place, one in enumerate(network.instructions):
        if isinstance(one, Pool) or not pooled.isdisjoint(read_by(one)[:1]):
            pooled.add(place)
    return len(network.instructions) - 1 in pooled


def _activation(site: Site, one: Activation) -> None:
    site.write(activated(site, site.read(one.given), one.function), np.uint8)


def _requantise(site: Site, one: Requantise) -> None:
    site.write_rescaled(site.read(one.given, np.uint32), one.rescale)


def _add(site: Site, one: Add) -> None:
    emit = site.emit
    if one.top is None:
        site.write(emit("Add", site.read(one.left, np.uint32), site.read(one.right, np.uint32)), np.uint32)
        return
    found = emit("Add", site.read(one.left), site.read(one.right))
    less = emit("Sub", found, site.number(one.zero)) if one.zero else found
    site.write(emit("Clip", less, site.number(0), site.number(one.top)), np.int32)


def _pool(site: Site, one: Pool) -> None:
    emit, given = site.emit, site.read(one.given)
    if one.kind == "first":
        site.write(emit("Gather", given, site.shape(0), axis=1), np.int32)
        return
    tokens = site.cast(site.sides(given, 1), np.int32)
    half = emit("Div", tokens, site.number(2))
    total = emit("ReduceSum", given, site.shape(1), keepdims=1)
    site.write(emit("Div", emit("Add", total, half), tokens), np.int32)


_RULES: Mapping[type, Callable[[Site, Any], None]] = {
    Embedding: embedding,
    Patches: patches,
    Prepend: prepend,
    Linear: linear,
    Scores: scores,
    Activation: _activation,
    Attention: attention,
    Norm: norm,
    Add: _add,
    Requantise: _requantise,
    Pool: _pool,
}
"""Instruction -> what writes its operators."""
