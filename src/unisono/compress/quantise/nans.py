"""Rows with NaN or infinity: what is rounded to whole numbers loses them, and each machine in its own way.

So a row in which a first product sees one gets NaN from the last products, as it would in floats.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

import numpy as np
from onnx import TensorProto

from unisono.compress.quantise.reading import FLOATS, Reading
from unisono.compress.quantise.site import Site

_MASK = "mask of rows"


def last_products(reading: Reading, products: Collection[str]) -> frozenset[str]:
    """Of some products, by what they make, those whose answer goes into no other."""
    inner: set[str] = set()
    for node in reversed(reading.model.graph.node):
        if inner.intersection(node.output) or any(name in products for name in node.output):
            inner.update(node.input)
    return frozenset(name for name in products if name not in inner)


def first_inputs(reading: Reading, products: Collection[str]) -> tuple[str, ...]:
    """What goes into some products and comes from no other of them, and may be NaN or infinite."""
    behind: set[str] = set()
    numberless = _may_have_nan(reading)
    found: dict[str, None] = {}
    for node in reading.model.graph.node:
        made = any(name in products for name in node.output)
        if made and node.input[0] not in behind and node.input[0] in numberless:
            found[node.input[0]] = None
        if made or behind.intersection(node.input):
            behind.update(node.output)
    return tuple(found)


def _may_have_nan(reading: Reading) -> set[str]:
    """Values that floats from outside, or constants that are NaN, go into."""
    found = {one.name for one in reading.model.graph.input if one.type.tensor_type.elem_type in FLOATS}
    found |= {name for name, one in reading.constants.items() if one.dtype.kind == "f" and np.isnan(one).any()}
    for node in reading.model.graph.node:
        if found.intersection(node.input):
            found.update(node.output)
    return found


def marked(site: Site, value: str, product: str, inputs: tuple[str, ...]) -> str:
    """A last product's answer: NaN in the rows in which a first one sees something that is no number.

    value:   float, as it is now.
    product: the name that it had.
    """
    masks = list(_masks(site, product, inputs))
    if not masks:
        return value
    emit, rank = site.emit, site.reading.rank(product) or 2
    mask = masks[0]
    for other in masks[1:]:
        mask = emit("Or", mask, other)
    shaped = emit("Reshape", mask, site.whole_numbers(-1, *[1] * (rank - 1)))
    kind = np.float64 if site.reading.kinds.get(product) == TensorProto.DOUBLE else np.float32
    return emit("Where", shaped, site.number(np.nan, kind), value)


def _masks(site: Site, product: str, inputs: tuple[str, ...]) -> Iterator[str]:
    """Of the inputs whose first axis is the product's."""
    for name in inputs:
        if site.reading.rows.get(name) == site.reading.rows.get(product, "") and (site.reading.rank(name) or 0) > 1:
            yield site.once(name, _MASK, lambda name=name: _mask(site, name))  # type: ignore[misc]  # bound at once


def _mask(site: Site, name: str) -> str:
    """One truth value a row."""
    emit = site.emit
    wrong = emit("Or", emit("IsNaN", name), emit("IsInf", name))
    axes = site.whole_numbers(*range(1, site.reading.rank(name) or 2))
    counted = emit("ReduceMax", site.cast(wrong, TensorProto.FLOAT), axes, keepdims=0)
    return emit("Greater", counted, site.number(0.5))
