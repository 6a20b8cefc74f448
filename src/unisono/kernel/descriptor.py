"""The one argument of the kernel's exported functions: words that say where everything is."""

from __future__ import annotations

# Where states live.
SLAB = 0  # see slab.py
SLOTS = 1  # int64 a slot: the word offset of its block in the slab, 0 for none
PLAN = 2
SCRATCH = 3
FLAGS = 4  # of states that are made
AT = 5  # what a refusal was about: the index of the operation

# What to do.
ORDER = 6  # int32 an operation: i folds event i, ~i answers request i; 0 for "event i is operation i"
START = 7
STOP = 8
EVENT_KEY = 9  # int32: slots
EVENT_TIME = 10
EVENT_INGEST = 11
EVENT_ID = 12  # or 0
EVENT_RETRACTION = 13  # bytes, or 0
EVENT_VALUES = 14  # an address a column
REQUEST_KEY = 15
REQUEST_TIME = 16
ANSWERS = 17  # float64, one row a request or event
EMIT = 18
REUSE = 19  # operations are sorted by key and one state, in slot 0, serves one key after the other

EMIT_NOTHING = 0
EMIT_REQUESTS = 1
EMIT_EVENTS = 2

# Single states.
STATE = 20
STATE_BYTES = 21
TIME = 22
OUTPUT = 23
OUTPUT_BYTES = 24
SLOT = 25

# Plain arrays: ordering.py and strings.py.
COUNT = 26
REQUESTS = 27
KEYS = 28
OFFSETS = 29
DATA = 30
RESULT = 31
PLACES = 32
CURSORS = 33

DESCRIPTOR_WORDS = 40

# Scratch memory, in words.
SCRATCH_ROW = 0
SCRATCH_RANGES = 1024
SCRATCH_NUMBERS = 3072
SCRATCH_FRONT = 4096  # where a read-only read keeps its copy of a state's front part
MOST_COLUMNS = 256

# What exported functions return besides counts.
DONE = 0
REFUSED_STALE = -1  # a read before something that was let go of
REFUSED_STATE = -2  # not a state of this plan and version, or not of this size
REFUSED_MERGE = -3  # the later state has let go of rows, so it cannot be merged
NEEDS_SCRATCH = -4
NEEDS_SLAB = -5
