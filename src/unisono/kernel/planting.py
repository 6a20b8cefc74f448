"""Decision trees -> the tables that `add_trees` runs; see `forest.py` for what lies where."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from unisono.kernel import forest as at
from unisono.kernel.walking import Bools, Floats, Ints, Trees, Walk, walk

_BYTES = np.arange(256, dtype=np.int64)
SPREAD: Ints = np.bitwise_or.reduce([((_BYTES >> bit) & 1) << (8 * bit) for bit in range(8)])


@dataclass(frozen=True, slots=True)
class Tables:
    """The tables of a forest.

    arrays:  word of the descriptor -> its table.
    numbers: word of the descriptor -> its number.
    width:   how many columns a matrix has to have.
    room:    word of the descriptor -> words of memory that a call works in there.
    """

    arrays: dict[int, npt.NDArray[Any]]
    numbers: dict[int, int]
    width: int
    room: dict[int, int]


def plant(trees: Trees) -> Tables:
    """The tables of some trees. Raises TreesError if they are none."""
    walked = walk(trees)
    asked, questions = _questions(trees, _splits_of_blocks(trees, walked))
    seen, columns = _columns(trees)
    nodes, values, records = _nodes(trees, walked, asked)
    steps, step_values = _steps(trees, walked, seen)
    arrays = {**questions, at.COLUMNS: columns, at.NODES: nodes, at.VALUES: values, at.TREES: records}
    arrays |= {at.STEPS: steps, at.STEP_VALUES: step_values, at.SPREAD: SPREAD}
    numbers = {
        at.TARGETS: trees.targets,
        at.FEATURE_COUNT: len(questions[at.FEATURES]),
        at.SET_COUNT: len(questions[at.SETS]),
        at.TREE_COUNT: len(records),
        at.COLUMN_COUNT: len(columns),
    }
    blocked = records[records[:, at.LEAF_COUNT] > 0]
    room = {
        at.ANSWERS: len(questions[at.MISSING]) + len(questions[at.SETS]),
        at.REACHED: int((blocked[:, at.NODE_COUNT] + blocked[:, at.LEAF_COUNT]).max(initial=0)) + 1,
        at.LEAVES: at.PLANES + 8,
        at.SEEN: at.BLOCK_ROWS * max(len(columns), 1),
        at.ITEMS: 3 * at.ITEM_COUNT // 2,
    }
    return Tables(arrays, numbers, int(trees.feature.max(initial=-1)) + 1, room)


def _splits_of_blocks(trees: Trees, walked: Walk) -> Bools:
    """Which splits are asked for 64 rows at once: those of trees with few leaves."""
    found = np.zeros(len(trees.feature), np.bool_)
    found[walked.split[walked.splits[walked.tree] < at.MOST_LEAVES]] = True
    return found


def _questions(trees: Trees, wanted: Bools) -> tuple[Ints, dict[int, npt.NDArray[Any]]]:
    """The number of each wanted split's question, and the tables of all."""
    plain = wanted & (trees.member_of < 0)
    feature, threshold, missing, which = _thresholds(trees, plain)
    features, first, count = np.unique(feature, return_index=True, return_counts=True)
    places = np.arange(len(feature)) + np.repeat(np.arange(len(features)), count)  # one spare word after each feature
    flags = np.zeros(len(feature) + len(features), np.int64)
    flags[places] = -missing.astype(np.int64)
    sets, which_set = _set_keys(trees)
    asked = np.zeros(len(trees.feature), np.int64)
    asked[plain], asked[trees.member_of >= 0] = places[which], len(flags) + which_set
    searches = _Searches()
    table = np.zeros((len(features), at.FEATURE_WORDS), np.int64)
    table[:, at.FEATURE], table[:, at.FIRST], table[:, at.COUNT] = features, first + np.arange(len(features)), count
    for row, begin, size in zip(table, first, count, strict=True):
        row[at.FEATURE_SEARCH], row[at.FEATURE_DEPTH] = searches.add(threshold[begin : begin + size])
    set_table, members = _sets(trees, sets, searches)
    set_table[:, at.QUESTION] = len(flags) + np.arange(len(sets))
    tables = {at.FEATURES: table, at.MISSING: flags, at.SETS: set_table, at.MEMBERS: members}
    return asked, {**tables, at.SEARCH: searches.numbers}


def _thresholds(trees: Trees, plain: Bools) -> tuple[Ints, Floats, Bools, Ints]:
    """Each different question about a threshold, in order: feature, threshold, missing; and which one a split asks."""
    feature, missing = trees.feature[plain], trees.missing_yes[plain]
    threshold = trees.threshold[plain] + 0.0  # no two kinds of 0
    order = np.lexsort((missing, threshold, feature))
    feature, threshold, missing = feature[order], threshold[order], missing[order]
    begins = np.ones(len(order), np.bool_)
    begins[1:] = (feature[1:] != feature[:-1]) | (threshold[1:] != threshold[:-1]) | (missing[1:] != missing[:-1])
    which = np.empty(len(order), np.int64)
    which[order] = np.cumsum(begins) - 1
    return feature[begins], threshold[begins], missing[begins], which


class _Searches:
    """Rising numbers in the order in which a search asks: the middle one, the middles of both halves, and so on."""

    def __init__(self) -> None:
        self._parts: list[Floats] = []
        self._length = 0

    @property
    def numbers(self) -> Floats:
        """All of them."""
        return np.concatenate([*self._parts, np.zeros(0)])

    def add(self, rising: Floats) -> tuple[int, int]:
        """Takes in some numbers; returns where they begin, and how often a search asks. What it lacks is infinite."""
        depth = len(rising).bit_length()
        padded = np.full((1 << depth) - 1, np.inf)
        padded[: len(rising)] = rising
        levels = [padded[(1 << depth - 1 - level) - 1 :: 1 << depth - level] for level in range(depth)]
        begin = self._length
        self._parts += [np.zeros(1), *levels]
        self._length += 1 << depth
        return begin, depth


def _set_keys(trees: Trees) -> tuple[Ints, Ints]:
    """Each different question about a set (feature, set, missing), and which one each split asks."""
    inside = trees.member_of >= 0
    keys = np.stack([trees.feature, trees.member_of, -trees.missing_yes.astype(np.int64)], axis=1)[inside]
    found, which = np.unique(keys, axis=0, return_inverse=True)
    return found, which.reshape(-1)


def _sets(trees: Trees, found: Ints, searches: _Searches) -> tuple[Ints, Floats]:
    """The table of sets but for their questions, and the members of all; NaN, which equals nothing, ends a set."""
    lists = [np.unique(np.array([*members, np.nan])) for members in trees.sets]
    ends = np.cumsum([0, *map(len, lists)])
    placed = np.array([searches.add(one[:-1]) for one in lists], np.int64).reshape(-1, 2)
    table = np.zeros((len(found), at.SET_WORDS), np.int64)
    table[:, at.FEATURE], table[:, at.MISSING_IS_MEMBER] = found[:, 0], found[:, 2]
    table[:, at.FIRST_MEMBER] = ends[found[:, 1]]
    table[:, at.SET_SEARCH], table[:, at.SET_DEPTH] = placed[found[:, 1]].T
    return table, np.concatenate([*lists, np.zeros(0)])


def _columns(trees: Trees) -> tuple[Ints, Ints]:
    """Which column each split compares on the way down, and the table of columns; at least one."""
    sets, which = _set_keys(trees)
    plain = trees.member_of < 0
    found, where = np.unique(2 * trees.feature[plain] + trees.missing_yes[plain], return_inverse=True)
    seen = np.empty(len(trees.feature), np.int64)
    seen[plain], seen[~plain] = where, len(found) + which
    table = np.zeros((len(found) + len(sets), at.COLUMN_WORDS), np.int64)
    table[:, at.COLUMN_FEATURE] = np.concatenate([found >> 1, sets[:, 0]])
    table[:, at.COLUMN_SET] = np.concatenate([np.full(len(found), -1), np.arange(len(sets))])
    table[:, at.COLUMN_MISSING] = np.concatenate([-(found & 1), sets[:, 2]])
    return seen, table


def _leaf_values(trees: Trees, leaves: Ints, sums: Ints) -> Floats:
    """What leaves add to the sum that their tree adds to: 0 if they add to another one."""
    return np.where(trees.target[leaves] == sums, trees.weight[leaves], 0.0)


def _nodes(trees: Trees, walked: Walk, asked: Ints) -> tuple[npt.NDArray[np.int32], Floats, Ints]:
    """Nodes, values and records of trees for 64 rows at once."""
    first = np.cumsum(walked.splits) - walked.splits
    local = np.arange(len(walked.tree)) - first[walked.tree]
    children = np.stack([trees.yes[walked.split], trees.no[walked.split]], axis=1).reshape(-1)
    tree = np.repeat(walked.tree, 2)
    to = np.empty(len(children), np.int64)
    inner = walked.above >= 0
    to[walked.above[inner]] = local[inner]
    is_leaf = children < 0
    number = np.cumsum(is_leaf) - 1  # each tree has one leaf more than splits
    has_splits = walked.splits > 0
    leaves_before = first + np.cumsum(has_splits) - has_splits
    to[is_leaf] = (walked.splits[tree] + number - leaves_before[tree])[is_leaf]
    nodes = np.stack([asked[walked.split], to[0::2], to[1::2]], axis=1).astype(np.int32)
    return nodes, _values(trees, walked, children, tree), _records(walked, first)


def _values(trees: Trees, walked: Walk, children: Ints, tree: Ints) -> Floats:
    """What each leaf adds, tree by tree."""
    single = walked.splits == 0
    owner = np.concatenate([tree[children < 0], np.flatnonzero(single)])
    leaves = np.concatenate([~children[children < 0], ~walked.root[single]])
    order = np.argsort(owner, kind="stable")
    return _leaf_values(trees, leaves[order], walked.target[owner[order]])


def _records(walked: Walk, first: Ints) -> Ints:
    leaves = walked.splits + 1
    records = np.zeros((len(leaves), at.TREE_WORDS), np.int64)
    records[:, at.FIRST_NODE] = first
    records[:, at.NODE_COUNT] = walked.splits
    records[:, at.LEAF_COUNT] = np.where(leaves <= at.MOST_LEAVES, leaves, 0)
    records[:, at.FIRST_VALUE] = np.cumsum(leaves) - leaves
    records[:, at.TARGET] = walked.target
    records[:, at.ROOT] = _step_roots(walked)
    return records


def _step_roots(walked: Walk) -> Ints:
    """Where each tree begins among the steps; 0 is nobody's, since a leaf's child is the node before it."""
    nodes = 2 * walked.splits + 1
    return 1 + np.cumsum(nodes) - nodes


def _steps(trees: Trees, walked: Walk, seen: Ints) -> tuple[Ints, Floats]:
    """The trees to go down, and what their nodes add."""
    root = _step_roots(walked)
    first = np.cumsum(walked.splits) - walked.splits
    yes = root[walked.tree] + 1 + 2 * (np.arange(len(walked.tree)) - first[walked.tree])
    place = np.where(walked.above < 0, root[walked.tree], yes[np.maximum(walked.above, 0) >> 1] + (walked.above & 1))
    size = 1 + int((2 * walked.splits + 1).sum())
    steps = np.empty((size, 2), np.int64)
    steps[:, 0] = np.array(np.nan).view(np.int64)
    steps[:, 1] = (np.arange(size) - 1) << 32
    is_set = trees.member_of[walked.split] >= 0
    steps[place, 0] = np.where(is_set, 0.0, trees.threshold[walked.split] + 0.0).view(np.int64)
    steps[place, 1] = (yes << 32) | seen[walked.split]
    return steps, _step_values(trees, walked, yes, root, size)


def _step_values(trees: Trees, walked: Walk, yes: Ints, root: Ints, size: int) -> Floats:
    values = np.zeros(size)
    for children, places in ((trees.yes[walked.split], yes), (trees.no[walked.split], yes + 1)):
        ends = children < 0
        values[places[ends]] = _leaf_values(trees, ~children[ends], walked.target[walked.tree[ends]])
    single = walked.splits == 0
    values[root[single]] = _leaf_values(trees, ~walked.root[single], walked.target[single])
    return values
