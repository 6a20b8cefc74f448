"""A graph with its products in whole numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto

from unisono.compress.quantise.blocks import stored_in_blocks
from unisono.compress.quantise.functions import RULES
from unisono.compress.quantise.multiplying import multiplied, multiplied_both, multiplied_finely
from unisono.compress.quantise.nans import marked
from unisono.compress.quantise.products import Product
from unisono.compress.quantise.reading import FLOATS, Reading
from unisono.compress.quantise.site import Site
from unisono.compress.quantise.weights import FULL, SAFE, Per, whole
from unisono.models.canonical import canonical, metadata_of
from unisono.models.emit import Emitter

Way = Literal["whole", "finely", "stored", "left"]
"""How a product is computed: in 8 bits; in about 15; in floats with weights stored in fewer bits; as it was."""

_PREFIX = "quantised."


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How a graph is rewritten.

    products: the value that a product makes -> how it is computed.
    known:    the products themselves.
    tables:   values that are looked up in tables, which are stored in 8 bits.
    ranges:   name -> lowest and highest of a value whose scale is fixed.
    first:    what goes into the first products, and may be no number.
    last:     values that the last products make, which are NaN where that is so.
    portable: whether weights keep 7 bits, and what is no product is computed in one way everywhere.
    bits:     of stored weights.
    per:      see `weights`.
    """

    products: Mapping[str, Way]
    known: Mapping[str, Product]
    tables: Mapping[str, NodeProto]
    ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    first: tuple[str, ...] = ()
    last: frozenset[str] = frozenset()
    portable: bool
    bits: int
    per: Per


def rewritten(reading: Reading, plan: Plan) -> bytes:
    """The graph of a plan."""
    site = Site(reading, Emitter(_PREFIX), plan.ranges)
    nodes = site.emit.nodes
    for node in reading.model.graph.node:
        made = _instead(site, node, plan)
        if made is None:
            nodes.append(node)
        else:
            site.emit.rename(made, node.output[0])
    model = ModelProto()
    model.CopyFrom(reading.model)
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    model.graph.initializer.extend(site.emit.initializers)
    return canonical(model, metadata_of(reading.model))


def _instead(site: Site, node: NodeProto, plan: Plan) -> str | None:
    name = node.output[0]
    if name in plan.tables:
        return _looked_up(site, node)
    if name in plan.products:
        made = _product(site, plan.known[name], plan)
        return made if made is None or name not in plan.last else marked(site, made, name, plan.first)
    if node.domain or not plan.portable or not node.input:
        return None
    if is_both(site.reading, node):
        return multiplied_both(site, node)
    rule = RULES.get(node.op_type)
    return None if rule is None or site.reading.kinds.get(node.input[0]) not in FLOATS else rule(site, node)


def _product(site: Site, product: Product, plan: Plan) -> str | None:
    largest = SAFE if plan.portable else FULL
    way = plan.products[product.node.output[0]]
    if way == "whole":
        return multiplied(site, product, largest=largest, per=plan.per)
    if way == "finely":
        return multiplied_finely(site, product, largest=largest, per=plan.per)
    return stored_in_blocks(site, product, bits=plan.bits, per=plan.per) if way == "stored" else None


def is_both(reading: Reading, node: NodeProto) -> bool:
    """Whether a node is a product of two values that come at run time, and has numbers below and above 0 in both."""
    if node.op_type != "MatMul" or not all(reading.is_float(name) for name in node.input):
        return False
    ranks = [reading.rank(name) for name in node.input]
    return None not in ranks and min(one or 0 for one in ranks) >= 2 and not (reading.least(node.input[0]) or 0.0)


def _looked_up(site: Site, node: NodeProto) -> str:
    """Rows of a table in 8 bits, each with its scale; in floats as soon as they are found."""
    table = whole(site.reading.constants[node.input[0]], 0, largest=FULL, per="channel")
    emit = site.emit
    found = site.cast(emit("Gather", emit.constant(table.numbers), node.input[1]), TensorProto.FLOAT)
    scale = emit("Gather", emit.constant(np.ascontiguousarray(table.scale.reshape(-1, 1))), node.input[1])
    return emit("Mul", found, scale)
