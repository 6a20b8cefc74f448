"""Sums of decision trees with the bits of float64 additions tree by tree, 64 rows at once.

A word says which of the 64 rows reach a node: those that reach its parent and got the answer that leads here. So a node
costs a few instructions for all of them, and no jump depends on a row. The words of the leaves give, bit by bit, the
number of the leaf that each row reached. Related: QuickScorer (Lucchese et al., 2015) has a word of leaves a row.
"""

from __future__ import annotations

from unisono.kernel.descent import descend, see_rows
from unisono.kernel.descriptor import DONE
from unisono.kernel.forest import (
    ANSWERS,
    BLOCK_ROWS,
    FEW_ROWS,
    FIRST_NODE,
    FIRST_VALUE,
    ITEM_COUNT,
    LEAF_COUNT,
    LEAVES,
    NODE_COUNT,
    NODES,
    OUT,
    PLANES,
    REACHED,
    ROWS,
    SPREAD,
    TARGET,
    TARGETS,
    TREE_COUNT,
    TREE_WORDS,
    TREES,
    VALUES,
)
from unisono.kernel.questions import ask_all
from unisono.kernel.words import bits_float, float_bits, load, load_byte, load_int32, shift_left, store


def add_trees(forest: int) -> int:
    """Add to each row of OUT what the forest's trees say of the row of MATRIX, in their order."""
    rows = load(forest, ROWS)
    start = 0
    while start < rows:
        count = min(rows - start, BLOCK_ROWS)
        if count <= FEW_ROWS:
            add_to_few(forest, start, count)
        else:
            add_to_block(forest, start, count)
        start += count
    return DONE


def add_to_few(forest: int, start: int, count: int) -> None:
    """Go down many trees side by side."""
    see_rows(forest, start, count)
    trees = load(forest, TREE_COUNT)
    at_once = ITEM_COUNT // count
    first = 0
    while first < trees:
        descend(forest, start, count, first, min(at_once, trees - first))
        first += at_once


def add_to_block(forest: int, start: int, count: int) -> None:
    """Ask every question, then tree by tree; trees with many leaves are gone down."""
    ask_all(forest, start, count)
    has_seen = False
    for index in range(load(forest, TREE_COUNT)):
        tree = load(forest, TREES) + 8 * TREE_WORDS * index
        if load(tree, LEAF_COUNT) > 0:
            reach_leaves(forest, tree)
            number_leaves(forest, tree)
            add_leaves(forest, tree, start, count)
        else:
            if not has_seen:
                see_rows(forest, start, count)
                has_seen = True
            descend(forest, start, count, index, 1)


def reach_leaves(forest: int, tree: int) -> None:
    """Which rows reach each node, and then each leaf."""
    nodes = load(forest, NODES) + 12 * load(tree, FIRST_NODE)
    answers = load(forest, ANSWERS)
    reached = load(forest, REACHED)
    store(reached, 0, -1)
    for node in range(load(tree, NODE_COUNT)):
        here = load(reached, node)
        yes = here & load(answers, load_int32(nodes, 3 * node))
        store(reached, load_int32(nodes, 3 * node + 1), yes)
        store(reached, load_int32(nodes, 3 * node + 2), here ^ yes)


def number_leaves(forest: int, tree: int) -> None:
    """The number of each row's leaf, a byte a row."""
    reached = load(forest, REACHED) + 8 * load(tree, NODE_COUNT)
    planes = load(forest, LEAVES)
    leaves = load(tree, LEAF_COUNT)
    used = 0
    while leaves > 1:
        store(reached, leaves, 0)
        leaves = (leaves + 1) >> 1
        store(planes, used, odd_ones(reached, leaves))
        used += 1
    for eighth in range(8):
        store(planes, PLANES + eighth, gathered(planes, load(forest, SPREAD), used, eighth))


def odd_ones(reached: int, pairs: int) -> int:
    """Which rows reach the second of a pair; the pairs become one each."""
    seconds = 0
    for pair in range(pairs):
        second = load(reached, 2 * pair + 1)
        seconds |= second
        store(reached, pair, load(reached, 2 * pair) | second)
    return seconds


def gathered(planes: int, spread: int, used: int, eighth: int) -> int:
    """Eight rows' numbers, a byte each, from a bit in each plane."""
    numbers = 0
    for plane in range(used):
        numbers |= shift_left(load(spread, load_byte(planes, 8 * plane + eighth)), plane)
    return numbers


def add_leaves(forest: int, tree: int, start: int, count: int) -> None:
    """Add to each row what its leaf says."""
    values = load(forest, VALUES) + 8 * load(tree, FIRST_VALUE)
    numbers = load(forest, LEAVES) + 8 * PLANES
    targets = load(forest, TARGETS)
    out = load(forest, OUT) + 8 * (start * targets + load(tree, TARGET))
    for row in range(count):
        value = bits_float(load(values, load_byte(numbers, row)))
        store(out, row * targets, float_bits(bits_float(load(out, row * targets)) + value))
