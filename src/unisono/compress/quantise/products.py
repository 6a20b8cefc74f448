"""The products of a graph whose weights are known."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto

from unisono.compress.quantise.reading import Reading, attributes_of, float32

_TABLE = 1024  # numbers from which on an embedding is worth its scales


@dataclass(frozen=True, slots=True)
class Product:
    """A matrix product or a convolution with known weights.

    name:    its place among the products, its operator and the sides of its weights.
    node:    as it is in the graph.
    weights: of a matrix: what goes in x what comes out; of a convolution as they are.
    bias:    of each channel; None: there is none.
    """

    name: str
    node: NodeProto
    weights: NDArray[np.float32]
    bias: NDArray[np.float32] | None

    @property
    def is_convolution(self) -> bool:
        """Whether it is a convolution."""
        return self.node.op_type == "Conv"

    @property
    def channel_axis(self) -> int:
        """The axis of the weights that numbers what comes out."""
        return 0 if self.is_convolution else 1


def products_of(reading: Reading) -> dict[str, Product]:
    """Every product with known weights, by the value that it makes, in the order of the graph."""
    found: dict[str, Product] = {}
    for node, weights, bias in _known(reading):
        sides = " x ".join(str(side) for side in weights.shape)
        name = f"{len(found)}: {node.op_type} {sides}"
        found[node.output[0]] = Product(name, node, weights, bias)
    return found


def _known(reading: Reading) -> Iterator[tuple[NodeProto, NDArray[np.float32], NDArray[np.float32] | None]]:
    for node in reading.model.graph.node:
        if node.domain or node.op_type not in ("MatMul", "Gemm", "Conv") or not reading.is_float(node.input[0]):
            continue
        names = [name for name in node.input[1:] if name]
        if any(name not in reading.constants for name in names):
            continue
        known = [float32(reading.constants[name]) for name in names]
        weights, bias = known[0], known[1] if len(known) > 1 else None
        if node.op_type == "Gemm":
            oriented = _of_gemm(attributes_of(node), weights, bias)
            if oriented is not None:
                yield (node, *oriented)
        elif weights.ndim == 2 or node.op_type == "Conv":
            yield node, weights, bias


def _of_gemm(
    told: dict[str, Any], weights: NDArray[np.float32], bias: NDArray[np.float32] | None
) -> tuple[NDArray[np.float32], NDArray[np.float32] | None] | None:
    if told.get("transA", 0):
        return None
    turned = weights.T if told.get("transB", 0) else weights
    added = None if bias is None else float32(bias * told.get("beta", 1.0))
    return float32(turned * told.get("alpha", 1.0)), added


def tables_of(reading: Reading) -> dict[str, NodeProto]:
    """Look-ups in tables of floats that are worth fewer bits, by the value that they make."""
    return {node.output[0]: node for node in reading.model.graph.node if _is_table(node, reading)}


def _is_table(node: NodeProto, reading: Reading) -> bool:
    table = reading.constants.get(node.input[0]) if node.op_type == "Gather" and not node.domain else None
    if table is None or attributes_of(node).get("axis", 0) != 0:
        return False
    return bool(table.dtype == np.float32 and table.ndim == 2 and table.size >= _TABLE and table.shape[1] > 1)
