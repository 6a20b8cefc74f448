"""The one meaning of state: exact aggregates of events over windows.

`reference.py` says what they mean, `layout.py` where everything lies.
"""

from unisono.kernel.arrays import Ordered, hash_strings, order_by_key
from unisono.kernel.codec import NO_ID, NULL, NULL_FLOAT_BITS, NULL_INT, nulls, with_nulls
from unisono.kernel.engine import Events, Requests, States, merge
from unisono.kernel.plan import Column, Output, Plan
from unisono.kernel.reading import Reader, read

__all__ = [
    "NO_ID",
    "NULL",
    "NULL_FLOAT_BITS",
    "NULL_INT",
    "Column",
    "Events",
    "Ordered",
    "Output",
    "Plan",
    "Reader",
    "Requests",
    "States",
    "hash_strings",
    "merge",
    "nulls",
    "order_by_key",
    "read",
    "with_nulls",
]
