"""Many states in one piece of memory: blocks of a few sizes, freed ones kept in lists by size."""

from __future__ import annotations

from unisono.kernel.words import load, store

SLAB_CAPACITY = 0  # words in all
SLAB_USED = 1  # words given out or freed, this header included
SLAB_FREE = 2  # a list a size: the word offset of its first block, 0 for none; a free block's first word goes on
SIZES = 64
SLAB_HEADER = SLAB_FREE + SIZES
FULL = 0

SMALLEST_BLOCK = 64


def block_size(size: int) -> int:
    """The words of the size-th size: 64, 96, 128, 192, 256, ..."""
    half_step = 3 if size & 1 == 1 else 2
    return (SMALLEST_BLOCK // 2 * half_step) << (size >> 1)


def size_for(words: int) -> int:
    """The smallest size that holds `words`."""
    size = 0
    while block_size(size) < words:
        size += 1
    return size


def take_block(slab: int, size: int) -> int:
    """A block of this size, as a word offset in the slab; FULL if there is no room."""
    free = load(slab, SLAB_FREE + size)
    if free != 0:
        store(slab, SLAB_FREE + size, load(slab, free))
        return free
    used = load(slab, SLAB_USED)
    if used + block_size(size) > load(slab, SLAB_CAPACITY):
        return FULL
    store(slab, SLAB_USED, used + block_size(size))
    return used


def free_block(slab: int, block: int, size: int) -> None:
    """Give a block back."""
    store(slab, block, load(slab, SLAB_FREE + size))
    store(slab, SLAB_FREE + size, block)
