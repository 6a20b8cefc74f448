"""Where everything lies in a plan and in a state: flat int64 words, little-endian, no pointers.

A *plan* is what `plan.Plan.words()` makes of windows, columns and outputs. A *state* is what one (view, key) remembers:

    header | window tails | columns | base | accumulators | rows | extremes of 64-row blocks | tombstones

Rows are sorted by (event time, log order). `cursor` is the instant the accumulators stand at: `head` is the first row
after it, `tail[w]` the first row after `cursor - width[w]`, and the accumulators of window w hold exactly the rows
between them. The window of all history has no tail: its accumulators also hold the *base*, rows that were let go of.
Regions are found by byte offsets from the state, so a read-only reader can copy the front part and leave the rows where
they are.
"""

from __future__ import annotations

from unisono.kernel.words import load, store

VERSION = 0x31_6F6E6F73696E75  # b"unisono1" read as a little-endian word
LARGEST = 0x7FFF_FFFF_FFFF_FFFF
SMALLEST = -LARGEST - 1
BEGINNING = -(1 << 62)  # before every valid time; times and widths stay below 2^61, so sums of two never wrap

NULL_INT = SMALLEST
NULL_BITS = 0x7FF8_0000_0000_0001  # one quiet NaN payload means null
NAN_BITS = 0x7FF8_0000_0000_0000
INFINITY_BITS = 0x7FF0_0000_0000_0000
NO_ID = SMALLEST  # the id of a row that is compared with nothing
ALL = -1  # the width of the window of all history
UNSET = SMALLEST  # the exponent of a float column that has seen no value but zero

# Plan words.
PLAN_ID = 0
PLAN_COLUMNS = 1
PLAN_WINDOWS = 2
PLAN_WIDEST = 3
PLAN_HAS_ALL = 4
PLAN_HAS_IDS = 5
PLAN_HORIZON = 6
PLAN_STRIDE = 7
PLAN_OUTPUTS = 8
PLAN_EXTREMES = 9
PLAN_COLUMNS_AT = 10  # word offsets: of the columns' words in the plan,
PLAN_OUTPUTS_AT = 11  # of the outputs' words in the plan,
PLAN_RANGES_AT = 12  # of the columns' words in a state,
PLAN_VALUES_AT = 13  # of the values in a row
PLAN_TABLES = 14  # then: a width a window, a column's words a column, an output's words an output

COLUMN_KIND = 0
COLUMN_PLACES = 1
COLUMN_NEEDS = 2
COLUMN_EXTREME = 3  # its place among the columns with extremes
COLUMN_SCALE = 4  # 10^places
COLUMN_WORDS = 5
FIXED = 0
FLOAT = 1

OUTPUT_AGGREGATION = 0
OUTPUT_COLUMN = 1
OUTPUT_WINDOW = 2
OUTPUT_COLUMN_AT = 3  # word offsets of its column's words in the plan
OUTPUT_RANGE_AT = 4  # and in a state
OUTPUT_WORDS = 5

# What a column's outputs need.
NEEDS_COUNT = 1
NEEDS_SUM = 2
NEEDS_SQUARES = 4
NEEDS_EXTREMES = 8
NEEDS_ENDS = 16
NEEDS_ACCUMULATOR = NEEDS_COUNT | NEEDS_SUM | NEEDS_SQUARES | NEEDS_EXTREMES

# State header.
STATE_VERSION = 0
STATE_PLAN = 1
STATE_CAPACITY = 2  # words, all of the state
STATE_CHECK = 3  # checksum of an exported state, else 0
STATE_FLAGS = 4
STATE_COUNT = 5  # rows
STATE_HEAD = 6
STATE_CURSOR = 7
STATE_LOST = 8  # the newest event time that was let go of
STATE_NOW = 9  # the newest ingest time folded
STATE_BASE_COUNT = 10
STATE_TOMBSTONES = 11
STATE_ROWS_AT = 12  # byte offsets
STATE_ROOM = 13  # rows there is room for
STATE_BLOCKS_AT = 14
STATE_BLOCKS_VALID = 15
STATE_TOMBSTONES_AT = 16
STATE_TOMBSTONE_ROOM = 17
STATE_TAILS = 18  # then as many words for the tails that a move is about to set

FLAG_PARTIAL = 1  # a range of the log that does not begin it: keeps every row a merge may have to compare
FLAG_READ_ONLY = 2

# A column's words in a state.
RANGE_EXPONENT = 0  # weight of the lowest bit of a float sum; squares weigh twice that
RANGE_SUM_LIMBS = 1
RANGE_SQUARE_LIMBS = 2
RANGE_ACCUMULATORS_AT = 3  # word offset
RANGE_ACCUMULATOR_WORDS = 4
RANGE_WORDS = 5
RANGE_CHOICE = 3  # the words before these two are chosen, these two follow from them

# A column's base: what rows that were let go of leave behind for the window of all history.
BASE_MIN = 0
BASE_MAX = 1
BASE_FIRST_TIME = 2
BASE_FIRST = 3
BASE_LAST_TIME = 4
BASE_LAST = 5
BASE_WORDS = 6

# An accumulator: count, extremes, limbs of the sum, limbs of the squares; for floats the three specials come last.
ACC_COUNT = 0
ACC_DIRTY = 1
ACC_MIN = 2
ACC_MAX = 3
ACC_SUM = 4
ACC_SPECIALS = 3  # words at the end: NaN, +inf, -inf
DIRTY_MIN = 1
DIRTY_MAX = 2

BLOCK_ROWS = 64
BLOCKS_FROM_ROOM = 256  # smaller states are scanned row by row
TOMBSTONE_WORDS = 2


def window_width(plan: int, window: int) -> int:
    """The window's width in microseconds, or ALL."""
    return load(plan, PLAN_TABLES + window)


def column_words(plan: int, column: int) -> int:
    """The address of a column's words in the plan."""
    return plan + 8 * (load(plan, PLAN_COLUMNS_AT) + COLUMN_WORDS * column)


def output_words(plan: int, output: int) -> int:
    """The address of an output's words in the plan."""
    return plan + 8 * (load(plan, PLAN_OUTPUTS_AT) + OUTPUT_WORDS * output)


def value_offset(plan: int, column: int) -> int:
    """The word of a row that holds the column's value."""
    return load(plan, PLAN_VALUES_AT) + column


def range_words(state: int, plan: int, column: int) -> int:
    """The address of a column's words in the state."""
    return state + 8 * (load(plan, PLAN_RANGES_AT) + RANGE_WORDS * column)


def base_words(state: int, plan: int, column: int) -> int:
    """The address of a column's base; there is one only with a window of all history."""
    return range_words(state, plan, load(plan, PLAN_COLUMNS)) + 8 * BASE_WORDS * column


def first_accumulator(plan: int) -> int:
    """The word offset of the first accumulator."""
    columns = load(plan, PLAN_COLUMNS)
    words = load(plan, PLAN_RANGES_AT) + RANGE_WORDS * columns
    return words + BASE_WORDS * columns * load(plan, PLAN_HAS_ALL)


def accumulator_words(column: int, sum_limbs: int, square_limbs: int) -> int:
    """How many words one accumulator of the column takes; `column` is its address in the plan."""
    if load(column, COLUMN_NEEDS) & NEEDS_ACCUMULATOR == 0:
        return 0
    words = ACC_SUM + sum_limbs + square_limbs
    return words + ACC_SPECIALS if load(column, COLUMN_KIND) == FLOAT else words


def accumulator(state: int, ranges: int, window: int) -> int:
    """The address of one accumulator; `ranges` is the address of its column's words in the state."""
    return state + 8 * (load(ranges, RANGE_ACCUMULATORS_AT) + load(ranges, RANGE_ACCUMULATOR_WORDS) * window)


def rows_address(state: int) -> int:
    """The address of the first row."""
    return state + load(state, STATE_ROWS_AT)


def block_words(plan: int, room: int) -> int:
    """How many words the extremes of the row blocks take."""
    if room < BLOCKS_FROM_ROOM:
        return 0
    return room // BLOCK_ROWS * 2 * load(plan, PLAN_EXTREMES)


def place_accumulators(state: int, plan: int) -> int:
    """Give every column's accumulators their place by its limbs; returns the first word after them."""
    place = first_accumulator(plan)
    for column in range(load(plan, PLAN_COLUMNS)):
        ranges = range_words(state, plan, column)
        words = accumulator_words(
            column_words(plan, column), load(ranges, RANGE_SUM_LIMBS), load(ranges, RANGE_SQUARE_LIMBS)
        )
        store(ranges, RANGE_ACCUMULATORS_AT, place)
        store(ranges, RANGE_ACCUMULATOR_WORDS, words)
        place += words * load(plan, PLAN_WINDOWS)
    return place


def place_regions(state: int, plan: int, front_words: int, room: int, tombstone_room: int) -> None:
    """Give rows, blocks and tombstones their places behind the front part."""
    blocks_at = front_words + room * load(plan, PLAN_STRIDE)
    tombstones_at = blocks_at + block_words(plan, room)
    store(state, STATE_ROWS_AT, 8 * front_words)
    store(state, STATE_ROOM, room)
    store(state, STATE_BLOCKS_AT, 8 * blocks_at)
    store(state, STATE_BLOCKS_VALID, 0)
    store(state, STATE_TOMBSTONES_AT, 8 * tombstones_at)
    store(state, STATE_TOMBSTONE_ROOM, tombstone_room)


def words_needed(plan: int, front_words: int, room: int, tombstone_room: int) -> int:
    """The size of a state with this much room."""
    return front_words + room * load(plan, PLAN_STRIDE) + block_words(plan, room) + TOMBSTONE_WORDS * tombstone_room


def room_within(plan: int, front_words: int, capacity: int, tombstone_room: int) -> int:
    """The most rows that fit into `capacity` words."""
    stride = load(plan, PLAN_STRIDE)
    free = capacity - front_words - TOMBSTONE_WORDS * tombstone_room
    if free // stride < BLOCKS_FROM_ROOM:
        return free // stride
    per_block = BLOCK_ROWS * stride + 2 * load(plan, PLAN_EXTREMES)
    blocks = free // per_block
    rest = (free - blocks * per_block) // stride  # rows of a block that is not full take no words for its extremes
    room = blocks * BLOCK_ROWS + (rest if rest < BLOCK_ROWS else BLOCK_ROWS - 1)
    return room if room >= BLOCKS_FROM_ROOM else BLOCKS_FROM_ROOM - 1
