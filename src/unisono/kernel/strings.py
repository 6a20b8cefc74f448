"""Ids that are strings, as int64: SipHash-2-4 (Aumasson and Bernstein, 2012) under one fixed key, the same everywhere.

Two different ids are taken for one only if they collide in 64 bits and also share entity key and event time.
"""

from __future__ import annotations

from unisono.kernel.descriptor import COUNT, DATA, DONE, OFFSETS, RESULT
from unisono.kernel.layout import NO_ID
from unisono.kernel.words import load, load_byte, shift_left, shift_right, store, wrapping_add

KEY_LOW = 0x0706_0504_0302_0100
KEY_HIGH = 0x0F0E_0D0C_0B0A_0908
START_0 = 0x736F_6D65_7073_6575
START_1 = 0x646F_7261_6E64_6F6D
START_2 = 0x6C79_6765_6E65_7261
START_3 = 0x7465_6462_7974_6573


def hash_strings(descriptor: int) -> int:
    """Hash COUNT strings: bytes at DATA, string i from OFFSETS[i] to OFFSETS[i + 1] (int64); int64 each to RESULT."""
    offsets = load(descriptor, OFFSETS)
    for index in range(load(descriptor, COUNT)):
        start = load(offsets, index)
        hashed = hash_bytes(load(descriptor, DATA) + start, load(offsets, index + 1) - start)
        store(load(descriptor, RESULT), index, hashed if hashed != NO_ID else NO_ID + 1)
    return DONE


def hash_bytes(data: int, size: int) -> int:
    """SipHash-2-4 of `size` bytes."""
    a = KEY_LOW ^ START_0
    b = KEY_HIGH ^ START_1
    c = KEY_LOW ^ START_2
    d = KEY_HIGH ^ START_3
    for index in range(size >> 3):
        a, b, c, d = absorb_word(a, b, c, d, load(data, index))
    last = shift_left(size & 0xFF, 56)
    for index in range(size & 7):
        last |= shift_left(load_byte(data, (size & ~7) + index), 8 * index)
    a, b, c, d = absorb_word(a, b, c, d, last)
    c ^= 0xFF
    for _ in range(4):
        a, b, c, d = mix(a, b, c, d)
    return a ^ b ^ c ^ d


def absorb_word(a: int, b: int, c: int, d: int, word: int) -> tuple[int, int, int, int]:
    """Two rounds for one word."""
    d ^= word
    a, b, c, d = mix(a, b, c, d)
    a, b, c, d = mix(a, b, c, d)
    return a ^ word, b, c, d


def mix(a: int, b: int, c: int, d: int) -> tuple[int, int, int, int]:
    """One SipRound."""
    a = wrapping_add(a, b)
    b = rotate(b, 13) ^ a
    a = rotate(a, 32)
    c = wrapping_add(c, d)
    d = rotate(d, 16) ^ c
    a = wrapping_add(a, d)
    d = rotate(d, 21) ^ a
    c = wrapping_add(c, b)
    b = rotate(b, 17) ^ c
    c = rotate(c, 32)
    return a, b, c, d


def rotate(word: int, bits: int) -> int:
    """Rotate left by 1 to 63 bits."""
    return shift_left(word, bits) | shift_right(word, 64 - bits)
