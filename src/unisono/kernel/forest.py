"""Where the parts of a forest lie that `trees` runs: the words of its descriptor, and its tables.

A question is asked of 64 rows at once: its answers are the bits of one word, row 0 the lowest. Questions are numbered;
`x <= threshold` of one feature in rising order, all features one after the other, with a spare word after each feature;
then those whether x is in a set. A float64 is in a table by its bits, rows of a table have no gaps.
"""

from __future__ import annotations

# The call.
ROWS = 0
MATRIX = 1  # float64, rows x WIDTH
WIDTH = 2
OUT = 3  # float64, rows x TARGETS, to which leaves are added
TARGETS = 4

# Questions.
FEATURES = 5  # FEATURE_WORDS each
FEATURE_COUNT = 6
SEARCH = 7  # float64: numbers in the order in which a search asks for them, the first at place 1
MISSING = 8  # a word a question: -1 where a missing value gets a yes, else 0
SETS = 9  # SET_WORDS each
SET_COUNT = 10
MEMBERS = 11  # float64, rising within a set; NaN after each set

# Trees.
TREES = 12  # TREE_WORDS each
TREE_COUNT = 13
NODES = 14  # three int32 each: question, place of the yes child, place of the no child; a parent before its children
VALUES = 15  # float64, a leaf
SPREAD = 16  # a word a byte: bit k of the byte is byte k of the word

# The same trees, to go down step by step.
STEPS = 17  # two words a node, leaves among them: threshold; column below 2^32, place of the yes child above it
STEP_VALUES = 18  # float64, a node: what a leaf adds
COLUMNS = 19  # COLUMN_WORDS each: what is compared with thresholds

# Room to work in.
ANSWERS = 20  # a word a question
REACHED = 21  # a word a node or leaf of one tree, and one more
LEAVES = 22  # PLANES words, then 8 words: a byte a row
SEEN = 23  # float64, 64 rows x columns, or as many rows as fit
ITEMS = 24  # int32: ITEM_COUNT nodes, as many numbers of items, as many places of rows
COLUMN_COUNT = 25

FOREST_WORDS = 26

# Tables.
FEATURE = 0  # column of the matrix
FIRST = 1  # number of the first question
COUNT = 2  # how many questions
FEATURE_SEARCH = 3  # where its thresholds begin in SEARCH
FEATURE_DEPTH = 4  # how often a search asks
FEATURE_WORDS = 5

# Of a set: FEATURE, and
FIRST_MEMBER = 1
QUESTION = 2  # its number
MISSING_IS_MEMBER = 3  # -1 or 0
SET_SEARCH = 4
SET_DEPTH = 5
SET_WORDS = 6

FIRST_NODE = 0
NODE_COUNT = 1
LEAF_COUNT = 2  # 0: a tree that is gone down step by step
FIRST_VALUE = 3
TARGET = 4
ROOT = 5  # place among the steps
TREE_WORDS = 6

COLUMN_FEATURE = 0
COLUMN_SET = 1  # row of the sets, or -1
COLUMN_MISSING = 2  # -1 where a missing value gets a yes, else 0
COLUMN_WORDS = 3

BLOCK_ROWS = 64
PLANES = 8
MOST_LEAVES = 1 << PLANES
ITEM_COUNT = 256
"""Pairs of a row and a tree that are gone down side by side."""

FEW_ROWS = 6
"""Up to as many rows it is quicker to go down than to ask every question."""
