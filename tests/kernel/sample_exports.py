"""A small stand-in for `kernel.exports`: what the build's tests compile while they test the build itself."""

from __future__ import annotations

from collections.abc import Callable

from unisono.kernel.words import (
    bits_float,
    copy,
    fill,
    float_bits,
    load,
    load_byte,
    load_int32,
    store,
    store_int32,
    truncate,
    unsigned_divide,
)
from unisono.kernel.words import prefetch as warm

from . import sample_parts as parts


def sums(descriptor: int) -> int:
    """descriptor: values, count, total (LIMBS words), squares (count pairs of words), roots (count float64)."""
    values = load(descriptor, 0)
    count = load(descriptor, 1)
    total = load(descriptor, 2)
    squares = load(descriptor, 3)
    roots = load(descriptor, 4)
    fill(total, parts.LIMBS, 0)
    carries = 0
    for place in range(count):
        warm(values, place + 8)
        value = load(values, place)
        carries += parts.add_limbs(total, value)
        low, high = parts.square(value)
        store(squares, 2 * place, low)
        store(squares, 2 * place + 1, high)
        store(roots, place, float_bits(parts.half_root(parts.nearest(high, low))))
    return carries


def moves(descriptor: int) -> int:
    """descriptor: words, count, bytes; shifts the words up by one, sums bytes and int32s, divides."""
    target = load(descriptor, 0)
    count = load(descriptor, 1)
    source = load(descriptor, 2)
    copy(target + 8, target, count - 1)
    total = 0
    for place in range(8 * count):
        total += load_byte(source, place) * (place + 1)
    for place in range(2 * count):
        total += load_int32(source, place)
    store_int32(target, 0, total)
    store_int32(target, 1, truncate(bits_float(load(source, 0) & 0x3FFFFFFFFFFFFFFF)))
    return unsigned_divide(total, 7)


EXPORTS: dict[str, Callable[[int], int]] = {"sums": sums, "moves": moves}
