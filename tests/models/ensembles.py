"""Random tree ensembles as ONNX has them: every mode of a split, as any converter might write them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto, helper, numpy_helper

from tests.models.samples import one_column_model, view, without_answer
from unisono.models import ImportedModel
from unisono.models.emit import Emitter, value
from unisono.models.importers.base import Block
from unisono.models.names import PREDICTION

COLUMNS = view().feature_names
MEMBER = 6
LEAST, MOST = -1.7976931348623157e308, 1.7976931348623157e308
CORNERS = (0.0, -0.0, 1.0, -1.0, 5e-324, -5e-324, MOST, LEAST, math.inf, -math.inf, math.pi)
MEMBERS = (0.0, 1.0, 2.0, 5.0, -1.0, 30.0, 31.0, 64.0, -70.0, 70000.0)


@dataclass(slots=True)
class Ensemble:
    """Being grown. modes: that its splits may have."""

    chance: Random
    targets: int = 1
    modes: Sequence[int] = range(7)
    splits: list[tuple[int, int, float, int]] = field(default_factory=list)
    children: list[tuple[int, int, int, int]] = field(default_factory=list)
    leaves: list[tuple[float, int]] = field(default_factory=list)
    members: list[float] = field(default_factory=list)
    roots: list[int] = field(default_factory=list)

    def add_tree(self, depth: int, *, target: int | None = None) -> None:
        """target: that all leaves add to; None: each to its own."""
        self.roots.append(self._split(depth, target))

    def _grow(self, depth: int, target: int | None) -> tuple[int, int]:
        if depth == 0 or self.chance.random() < 1 / 8:
            weight = self.chance.choice([self.chance.gauss(0, 1), self.chance.gauss(0, 1e10), 1e-300, -0.0])
            self.leaves.append((weight, self.chance.randrange(self.targets) if target is None else target))
            return 1, len(self.leaves) - 1
        return 0, self._split(depth, target)

    def _split(self, depth: int, target: int | None) -> int:
        chance, place = self.chance, len(self.splits)
        mode = chance.choice(self.modes)
        threshold = chance.choice(CORNERS) if chance.random() < 0.4 else chance.gauss(0, 1)
        self.splits.append((chance.randrange(len(COLUMNS)), mode, threshold, chance.randrange(2)))
        self.children.append((0, 0, 0, 0))
        if mode == MEMBER:
            self.members += [*chance.sample(MEMBERS, chance.randint(1, 4)), math.nan]
        self.children[place] = (*self._grow(depth - 1, target), *self._grow(depth - 1, target))
        return place

    def attributes(self) -> dict[str, Any]:
        features, modes, thresholds, missing = zip(*self.splits, strict=True)
        yes_leaf, yes, no_leaf, no = zip(*self.children, strict=True)
        weights, targets = zip(*self.leaves, strict=True)
        sets = {"membership_values": _tensor(self.members, np.float64)} if self.members else {}
        return {
            "n_targets": self.targets,
            "aggregate_function": 1,
            "post_transform": 0,
            "tree_roots": self.roots,
            "nodes_featureids": features,
            "nodes_modes": _tensor(modes, np.uint8),
            "nodes_splits": _tensor(thresholds, np.float64),
            "nodes_missing_value_tracks_true": missing,
            "nodes_truenodeids": yes,
            "nodes_trueleafs": yes_leaf,
            "nodes_falsenodeids": no,
            "nodes_falseleafs": no_leaf,
            "leaf_targetids": targets,
            "leaf_weights": _tensor(weights, np.float64),
            **sets,
        }

    def node(self, matrix: str = "matrix", sums: str = PREDICTION) -> NodeProto:
        """The operator's node."""
        return ensemble_node(self.attributes(), matrix, sums)


def ensemble_node(attributes: dict[str, Any], matrix: str = "matrix", sums: str = PREDICTION) -> NodeProto:
    return helper.make_node("TreeEnsemble", [matrix], [sums], domain="ai.onnx.ml", **attributes)


def _tensor(numbers: Sequence[float], kind: Any) -> Any:
    return numpy_helper.from_array(np.array(numbers, kind), "t")


def model_of(nodes: Sequence[NodeProto], targets: int) -> ImportedModel:
    """A model of several numbers that nodes make of the features' matrix."""
    emit = Emitter()
    emit.nodes += nodes
    outputs = [value(PREDICTION, np.float64, "N", targets)]
    graph = emit.model([value("matrix", np.float64, "N", len(COLUMNS))], outputs).SerializeToString()
    return without_answer(one_column_model("dist"), graph=graph, blocks=(Block("matrix", tuple(COLUMNS)),))


def random_matrix(chance: Random, rows: int, *, whole: Sequence[int] = ()) -> NDArray[np.float64]:
    """Rows of the features. whole: columns that have no fractions."""
    special = (*CORNERS, *MEMBERS, math.nan, math.nan)
    numbers = [
        [chance.choice(special) if chance.random() < 0.5 else chance.gauss(0, 1) for _ in COLUMNS] for _ in range(rows)
    ]
    matrix = np.array(numbers).reshape(rows, len(COLUMNS))
    matrix[:, whole] = np.trunc(matrix[:, whole])
    return matrix
