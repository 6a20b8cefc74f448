"""Random decision trees, what they mean in plain Python, and their tables as a piece of memory for any machine."""

from __future__ import annotations

import math
from random import Random

import numpy as np

from unisono.kernel import forest as at
from unisono.kernel.planting import plant
from unisono.kernel.walking import Trees

from .image import Image, Place

CORNERS = (0.0, -0.0, 1.0, -1.0, 5e-324, -5e-324, 1e308, -1e308, math.inf, -math.inf, math.pi)
SETS = ((), (1.0,), (-1.0, 0.0, 2.0, 3.5))


class Growing:
    """Grows trees. depth: of the deepest leaf; chance that a branch ends before: 1 in 8."""

    def __init__(self, chance: Random, *, columns: int, targets: int) -> None:
        self._chance, self._columns, self._targets = chance, columns, targets
        self._splits: list[list[float]] = []
        self._leaves: list[tuple[float, int]] = []
        self._roots: list[int] = []

    def add_tree(self, depth: int, *, target: int | None = None) -> None:
        """target: that all leaves add to; None: each to its own."""
        self._roots.append(self._grow(depth, target))

    def trees(self) -> Trees:
        columns = list(zip(*self._splits, strict=True)) or [()] * 6
        feature, threshold, member_of, missing, yes, no = columns
        return Trees(
            feature=np.array(feature, np.int64),
            threshold=np.array(threshold, np.float64),
            member_of=np.array(member_of, np.int64),
            missing_yes=np.array(missing, np.bool_),
            yes=np.array(yes, np.int64),
            no=np.array(no, np.int64),
            sets=SETS,
            weight=np.array([weight for weight, _ in self._leaves]),
            target=np.array([target for _, target in self._leaves], np.int64),
            roots=np.array(self._roots, np.int64),
            targets=self._targets,
        )

    def _grow(self, depth: int, target: int | None) -> int:
        chance = self._chance
        if depth == 0 or chance.random() < 1 / 8:
            weight = chance.choice([chance.gauss(0, 1), chance.gauss(0, 1e10), 1e-300, -0.0])
            self._leaves.append((weight, chance.randrange(self._targets) if target is None else target))
            return ~(len(self._leaves) - 1)
        place = len(self._splits)
        threshold = chance.choice(CORNERS) if chance.random() < 0.3 else chance.gauss(0, 1)
        member_of = chance.randrange(len(SETS)) if chance.random() < 0.2 else -1
        split = [chance.randrange(self._columns), threshold, member_of, chance.random() < 0.5]
        self._splits.append(split)
        split += [self._grow(depth - 1, target), self._grow(depth - 1, target)]
        return place


def random_rows(chance: Random, rows: int, columns: int) -> list[list[float]]:
    special = (*CORNERS, math.nan, math.nan, 2.0, 3.5)
    return [
        [chance.choice(special) if chance.random() < 0.4 else chance.gauss(0, 1) for _ in range(columns)]
        for _ in range(rows)
    ]


def sums(trees: Trees, row: list[float]) -> list[float]:
    """What the trees mean."""
    found = [0.0] * trees.targets
    for root in trees.roots.tolist():
        node = root
        while node >= 0:
            node = int((trees.yes if _gets_yes(trees, node, row[int(trees.feature[node])]) else trees.no)[node])
        found[int(trees.target[~node])] += float(trees.weight[~node])
    return found


def _gets_yes(trees: Trees, node: int, value: float) -> bool:
    if math.isnan(value):
        return bool(trees.missing_yes[node])
    members = int(trees.member_of[node])
    return value in trees.sets[members] if members >= 0 else value <= float(trees.threshold[node])


def image_of(trees: Trees, rows: list[list[float]]) -> tuple[Image, Place, Place]:
    """The call that adds up trees for rows, as memory; its descriptor; the sums."""
    tables = plant(trees)
    image = Image()
    words: list[int | Place] = [0] * at.FOREST_WORDS
    for place, table in tables.arrays.items():
        words[place] = image.place(np.ascontiguousarray(table).tobytes())
    for place, size in tables.room.items():
        words[place] = image.place(bytes(8 * size))
    for place, number in tables.numbers.items():
        words[place] = number
    out = image.place(bytes(8 * len(rows) * trees.targets))
    words[at.MATRIX], words[at.OUT] = image.place(np.array(rows, np.float64).tobytes()), out
    words[at.ROWS], words[at.WIDTH] = len(rows), len(rows[0])
    return image, image.words(*words), out
