"""Going down trees step by step, many pairs of a row and a tree side by side: for few rows, or trees of many leaves.

A pair's next step needs what its last one loaded; the steps of different pairs do not wait for each other. No jump
depends on an answer: a pair that has come to its leaf stays there for one step and is then left out.
"""

from __future__ import annotations

from unisono.kernel.forest import (
    COLUMN_COUNT,
    COLUMN_FEATURE,
    COLUMN_MISSING,
    COLUMN_SET,
    COLUMN_WORDS,
    COLUMNS,
    ITEM_COUNT,
    ITEMS,
    MATRIX,
    OUT,
    ROOT,
    SEEN,
    SET_WORDS,
    SETS,
    STEP_VALUES,
    STEPS,
    TARGET,
    TARGETS,
    TREE_WORDS,
    TREES,
    WIDTH,
)
from unisono.kernel.questions import is_member
from unisono.kernel.words import bits_float, float_bits, load, load_int32, shift_right, store, store_int32

LOW = 0xFFFF_FFFF
ALWAYS = float("-inf")
NEVER = float("inf")


def see_rows(forest: int, start: int, count: int) -> None:
    """The rows as `descend` compares them: what is missing and gets a yes is below every threshold."""
    columns = load(forest, COLUMN_COUNT)
    width = load(forest, WIDTH)
    for row in range(count):
        matrix = load(forest, MATRIX) + 8 * (start + row) * width
        seen = load(forest, SEEN) + 8 * row * columns
        for index in range(columns):
            column = load(forest, COLUMNS) + 8 * COLUMN_WORDS * index
            value = bits_float(load(matrix, load(column, COLUMN_FEATURE)))
            store(seen, index, float_bits(seen_as(forest, column, value)))


def seen_as(forest: int, column: int, value: float) -> float:
    """One value as it is compared."""
    if load(column, COLUMN_SET) >= 0:
        members = load(forest, SETS) + 8 * SET_WORDS * load(column, COLUMN_SET)
        return ALWAYS if is_member(forest, members, value) else NEVER
    return ALWAYS if value != value and load(column, COLUMN_MISSING) != 0 else value


def descend(forest: int, start: int, count: int, first: int, trees: int) -> None:
    """Add what some trees say of the rows that were seen. count * trees: at most ITEM_COUNT."""
    begin(forest, count, first, trees)
    going = count * trees
    while going > 0:
        going = step(forest, going)
    add_values(forest, start, count, first, trees)


def begin(forest: int, count: int, first: int, trees: int) -> None:
    """Put every pair at its root, tree by tree."""
    nodes = load(forest, ITEMS)
    waiting = nodes + 4 * ITEM_COUNT
    rows = waiting + 4 * ITEM_COUNT
    columns = load(forest, COLUMN_COUNT)
    item = 0
    for index in range(trees):
        root = load(load(forest, TREES), TREE_WORDS * (first + index) + ROOT)
        for row in range(count):
            store_int32(nodes, item, root)
            store_int32(waiting, item, item)
            store_int32(rows, item, row * columns)
            item += 1


def step(forest: int, going: int) -> int:
    """One step down for each pair that is not at its leaf; returns how many go on."""
    steps = load(forest, STEPS)
    seen = load(forest, SEEN)
    nodes = load(forest, ITEMS)
    waiting = nodes + 4 * ITEM_COUNT
    rows = waiting + 4 * ITEM_COUNT
    left = 0
    for place in range(going):
        item = load_int32(waiting, place)
        node = load_int32(nodes, item)
        where = load(steps, 2 * node + 1)
        value = bits_float(load(seen, load_int32(rows, item) + (where & LOW)))
        # A leaf's threshold is NaN and its child the node before it, so that it leads to itself.
        child = shift_right(where, 32) + (0 if value <= bits_float(load(steps, 2 * node)) else 1)
        store_int32(nodes, item, child)
        store_int32(waiting, left, item)
        left += 1 if child != node else 0
    return left


def add_values(forest: int, start: int, count: int, first: int, trees: int) -> None:
    """Add to each row what its leaves say, tree by tree."""
    nodes = load(forest, ITEMS)
    values = load(forest, STEP_VALUES)
    targets = load(forest, TARGETS)
    for index in range(trees):
        target = load(load(forest, TREES), TREE_WORDS * (first + index) + TARGET)
        out = load(forest, OUT) + 8 * (start * targets + target)
        for row in range(count):
            value = bits_float(load(values, load_int32(nodes, index * count + row)))
            store(out, row * targets, float_bits(bits_float(load(out, row * targets)) + value))
