"""How a packed network lies in memory, and what a call says: flat int64 words, little-endian, no pointers.

A packed network is one piece that lies anywhere and is not changed:

    header | a record of words for each instruction | names of the instructions | their arrays

Arrays are named by byte offsets from its beginning. Weights are packed by columns, each filled up with zeros to a
multiple of 16 bytes, and columns filled up to a multiple of 4: what `words.inner_products` takes.

Registers lie in a workspace. One takes STRIDE bytes a row, and begins PLACE bytes for each row of the network from the
workspace's beginning; so places do not depend on how many tokens are read. Registers that are not needed at the same
time share them. After the registers comes scratch memory.
"""

from __future__ import annotations

VERSION = 0x31_74656E696E75  # b"uninet1" read as a little-endian word

# The header.
NETWORK_VERSION = 0
NETWORK_BYTES = 1
INSTRUCTIONS = 2
MOST_TOKENS = 3
LEAST_TOKENS = 4  # 1, or of a network of images as many as there are
EXTRA_ROWS = 5  # rows of the longest register beyond the tokens
ANSWER_ZERO = 6
ANSWER_SCALE = 7  # float64
ROW_BYTES = 8  # of the workspace, for each row
SCRATCH_ROW_BYTES = 9  # of scratch memory, for each row filled up to a multiple of 16
SCRATCH_BYTES = 10  # and whatever the rows
NAMES_AT = 11  # UTF-8, a line a name
NAMES_BYTES = 12
HEADER_WORDS = 16

# The record of an instruction.
OPERATION = 0
WIDTH = 1  # columns
CELL = 2  # bytes a number: 1 and 2 without a sign, 4 with one
STRIDE = 3
PLACE = 4
ROWS = 5  # ROWS_...
GIVEN = 6  # registers
SECOND = 7
THIRD = 8
FIRST_AT = 9  # offsets of arrays
SECOND_AT = 10
THIRD_AT = 11
TOP = 12  # largest number that comes out; of an Add -1 where nothing is clipped
SHIFT = 13
NUMBER = 14  # see the operations
HEADS = 15
RECORD_WORDS = 16

ROWS_TOKENS = 0
ROWS_EXTRA = 1  # one more than tokens
ROWS_ONE = 2

# Operations: their arrays, and what NUMBER is.
EMBEDDING = 0  # words, factors, positions; how many words
PATCHES = 1
PREPEND = 2  # row, positions
LINEAR = 3  # weights, multiplier, offset
SCORES = 4  # weights, bias
ACTIVATION = 5  # table; its length
ATTENTION = 6  # table; its length
NORM = 7  # nothing, multiplier, offset; epsilon
ADD = 8  # ; zero
REQUANTISE = 9  # nothing, multiplier, offset
POOL = 10  # ; POOL_...

POOL_FIRST = 0
POOL_MEAN = 1

BLOCK = 16
"""Bytes that inner products take at once."""

COLUMNS = 4
"""Columns that inner products take at once."""

# The call.
NETWORK = 0
WORKSPACE = 1
WORKSPACE_BYTES = 2
ASKED = 3  # int32 token ids; or patches, a byte a number, row after row
TOKENS = 4  # how many ids or patches
OUT = 5  # int32, where the last register goes; or 0
START = 6  # the first instruction to run
STOP = 7  # the first not to run; -1: all
FAULTY = 8  # place of the id that was refused
CALL_WORDS = 9

# What `answer_network` returns.
DONE = 0
REFUSED_NETWORK = -1  # not a packed network of this version
REFUSED_TOKENS = -2  # too few or too many
REFUSED_ID = -3  # out of range, at FAULTY
NEEDS_WORKSPACE = -4
