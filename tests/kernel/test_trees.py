"""Sums of trees have the bits of plain Python's, on every machine, whatever way through the trees is taken."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from random import Random
from threading import Thread
from types import ModuleType

import numpy as np
import pytest

from unisono.kernel import exports
from unisono.kernel.forest import FEW_ROWS, MOST_LEAVES
from unisono.kernel.forests import Forest
from unisono.kernel.walking import Trees, TreesError

from .conftest import MACHINES, Built
from .forests import Growing, image_of, random_rows, sums
from .machines import ThisProcess

COLUMNS = 5
SHAPES = {
    "small trees": (1, 3, 5, 0, 2),
    "single leaves": (0, 0),
    "a tree of many leaves among small ones": (3, 11, 2),
    "no trees": (),
}


def _trees(chance: Random, depths: tuple[int, ...], targets: int = 2) -> Trees:
    growing = Growing(chance, columns=COLUMNS, targets=targets)
    for depth in depths:
        growing.add_tree(depth, target=chance.choice([None, *range(targets)]))
    return growing.trees()


def _bits(numbers: object) -> list[int]:
    bits: list[int] = np.asarray(numbers, np.float64).reshape(-1).view(np.int64).tolist()
    return bits


@pytest.mark.parametrize("rows", [0, 1, FEW_ROWS, FEW_ROWS + 1, 63, 64, 65, 64 + FEW_ROWS, 200])
@pytest.mark.parametrize("depths", SHAPES.values(), ids=SHAPES)
def test_sums_have_the_bits_of_additions_tree_by_tree(depths: tuple[int, ...], rows: int) -> None:
    for seed in range(8):
        chance = Random(seed)
        trees = _trees(chance, depths)
        asked = random_rows(chance, rows, COLUMNS)
        matrix = np.array(asked).reshape(rows, COLUMNS)
        assert _bits(Forest(trees).sums(matrix)) == _bits([sums(trees, row) for row in asked])


def test_the_deep_tree_of_these_tests_has_many_leaves() -> None:
    trees = _trees(Random(1), (11,))
    assert len(trees.weight) > MOST_LEAVES


def test_many_trees_over_many_rows() -> None:
    chance = Random(7)
    trees = _trees(chance, (4,) * 700, targets=3)
    asked = random_rows(chance, 70, COLUMNS)
    assert _bits(Forest(trees).sums(np.array(asked))) == _bits([sums(trees, row) for row in asked])


@pytest.mark.parametrize("machine", ["python", *(pytest.param(name, marks=pytest.mark.slow) for name in MACHINES)])
def test_sums_have_the_same_bits_on_every_machine(build: Callable[[ModuleType], Built], machine: str) -> None:
    chance = Random(3)
    trees = _trees(chance, (3, 0, 10, 4))
    for rows in (3, 70):
        asked = random_rows(chance, rows, COLUMNS)
        image, descriptor, out = image_of(trees, asked)
        runs = ThisProcess(exports.EXPORTS) if machine == "python" else build(exports).machine(machine)
        result, memory = runs.call("add_trees", image, descriptor)
        found = np.frombuffer(memory[out.offset :], np.int64, rows * trees.targets).tolist()
        assert (result, found) == (0, _bits([sums(trees, row) for row in asked]))


def test_threads_share_a_forest() -> None:
    chance = Random(5)
    forest = Forest(_trees(chance, (5,) * 40))
    matrices = [np.array(random_rows(chance, rows, COLUMNS)) for rows in (1, 5, 64, 300)]
    wanted = [_bits(forest.sums(one)) for one in matrices]
    differ: list[int] = []

    def ask(first: int) -> None:
        for turn in range(200):
            place = (first + turn) % len(matrices)
            if _bits(forest.sums(matrices[place])) != wanted[place]:
                differ.append(place)

    threads = [Thread(target=ask, args=(first,)) for first in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert differ == []


LEAF, SPLIT = np.array([-1]), np.array([0])
ONE = Trees(
    feature=SPLIT,
    threshold=np.zeros(1),
    member_of=LEAF,
    missing_yes=np.zeros(1, np.bool_),
    yes=LEAF,
    no=LEAF,
    sets=(),
    weight=np.ones(1),
    target=SPLIT,
    roots=SPLIT,
    targets=1,
)


@pytest.mark.parametrize("shape", [(3, COLUMNS - 1), (3,)])
def test_a_matrix_that_lacks_a_column_is_refused(shape: tuple[int, ...]) -> None:
    forest = Forest(replace(ONE, feature=np.array([COLUMNS - 1])))
    with pytest.raises(ValueError, match=f"not float64 rows x {COLUMNS} or more"):
        forest.sums(np.zeros(shape))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"yes": SPLIT}, "come back to one"),
        ({"roots": np.array([0, 0])}, "share splits"),
        ({"no": np.array([1])}, "leads to a split or a leaf that is not there"),
        ({"no": np.array([-3])}, "leads to a split or a leaf that is not there"),
        ({"roots": np.array([7])}, "leads to a split or a leaf that is not there"),
        ({"target": np.array([1])}, "adds to a sum that is not there"),
        ({"feature": np.array([-1])}, "asks about a column or a set that is not there"),
        ({"member_of": np.array([0])}, "asks about a column or a set that is not there"),
    ],
)
def test_what_is_no_tree_is_refused_before_its_memory_is_followed(change: dict[str, np.ndarray], reason: str) -> None:
    assert Forest(ONE).sums(np.zeros((1, 1))).tolist() == [[1.0]]
    with pytest.raises(TreesError, match=reason):
        Forest(replace(ONE, **change))  # type: ignore[arg-type]
