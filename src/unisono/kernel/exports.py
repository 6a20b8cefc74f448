"""The functions that every build of the kernel exports: each takes the address of a descriptor, each returns a word."""

from __future__ import annotations

from collections.abc import Callable

from unisono.kernel.batch import replay
from unisono.kernel.integer.answering import answer_network
from unisono.kernel.merging import merge
from unisono.kernel.ordering import order_by_key
from unisono.kernel.single import advance, pack, packed_bytes, read, take_in
from unisono.kernel.strings import hash_strings
from unisono.kernel.trees import add_trees

EXPORTS: dict[str, Callable[[int], int]] = {
    "replay": replay,
    "read": read,
    "advance": advance,
    "packed_bytes": packed_bytes,
    "pack": pack,
    "take_in": take_in,
    "merge": merge,
    "order_by_key": order_by_key,
    "hash_strings": hash_strings,
    "add_trees": add_trees,
    "answer_network": answer_network,
}
