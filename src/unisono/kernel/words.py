"""The machine's words: the few operations the kernel is written in.

Everything in the kernel is an int64 word in memory, a float64, or an address. These functions are all it knows of a
machine. Here they are plain Python, so that the kernel runs uncompiled in development and tests;
`kernel.build.intrinsics` gives each one its few LLVM instructions, and no other function of the kernel touches memory
or wraps around.

An address is a byte address held in an int64; `index` counts elements of the named width. Alignment is never assumed.
"""

from __future__ import annotations

import ctypes
import math
import struct
from operator import mul

_MASK = (1 << 64) - 1
_SIGN = 1 << 63


def _signed(value: int) -> int:
    value &= _MASK
    return value - (1 << 64) if value & _SIGN else value


def load(address: int, index: int) -> int:
    """The int64 word at `index`."""
    return ctypes.c_int64.from_address(address + 8 * index).value


def store(address: int, index: int, value: int) -> None:
    """Put an int64 word at `index`."""
    ctypes.c_int64.from_address(address + 8 * index).value = value


def load_int32(address: int, index: int) -> int:
    """The int32 at `index`, widened with its sign."""
    return ctypes.c_int32.from_address(address + 4 * index).value


def store_int32(address: int, index: int, value: int) -> None:
    """Put the low 32 bits of `value` at `index`."""
    ctypes.c_int32.from_address(address + 4 * index).value = value


def load_byte(address: int, index: int) -> int:
    """The unsigned byte at `index`."""
    return ctypes.c_uint8.from_address(address + index).value


def store_byte(address: int, index: int, value: int) -> None:
    """Put the low 8 bits of `value` at `index`."""
    ctypes.c_uint8.from_address(address + index).value = value


def load_uint16(address: int, index: int) -> int:
    """The unsigned 16 bits at `index`."""
    return ctypes.c_uint16.from_address(address + 2 * index).value


def store_uint16(address: int, index: int, value: int) -> None:
    """Put the low 16 bits of `value` at `index`."""
    ctypes.c_uint16.from_address(address + 2 * index).value = value


def inner_products(sums: int, left: int, right: int, stride: int, blocks: int) -> None:
    """Four int32s at `sums`, modulo 2^32: the unsigned bytes at `left` times the signed bytes at `right`, at
    `right + stride` and so on, added up. There are 16 * `blocks` bytes of each, those at the right from -64 to 64: then
    two products fit 16 bits, in which x86 adds them.
    """
    count = 16 * blocks
    given = ctypes.string_at(left, count)
    for column in range(4):
        row = memoryview(ctypes.string_at(right + stride * column, count)).cast("b")
        store_int32(sums, column, sum(map(mul, given, row)))


def copy(target: int, source: int, words: int) -> None:
    """Copy `words` int64 words; the two places may overlap."""
    ctypes.memmove(target, source, 8 * words)


def fill(target: int, words: int, byte: int) -> None:
    """Set `words` int64 words to one repeated byte."""
    ctypes.memset(target, byte, 8 * words)


def prefetch(address: int, index: int) -> None:
    """Tell the cache that the word at `index` will be wanted. Changes nothing."""


def wrapping_add(a: int, b: int) -> int:
    """a + b modulo 2^64, as a signed word."""
    return _signed(a + b)


def wrapping_subtract(a: int, b: int) -> int:
    """a - b modulo 2^64, as a signed word."""
    return _signed(a - b)


def wrapping_multiply(a: int, b: int) -> int:
    """The low word of a * b."""
    return _signed(a * b)


def multiply_high(a: int, b: int) -> int:
    """The high word of the 128-bit product of two unsigned words."""
    return _signed(((a & _MASK) * (b & _MASK)) >> 64)


def unsigned_less(a: int, b: int) -> bool:
    """a < b, both read as unsigned."""
    return (a & _MASK) < (b & _MASK)


def unsigned_divide(a: int, b: int) -> int:
    """a // b, both read as unsigned; b is not 0."""
    return _signed((a & _MASK) // (b & _MASK))


def unsigned_float(a: int) -> float:
    """An unsigned word as the nearest float64."""
    return float(a & _MASK)


def shift_left(a: int, bits: int) -> int:
    """a * 2^bits modulo 2^64; bits in 0..63."""
    return _signed(a << bits)


def shift_right(a: int, bits: int) -> int:
    """The unsigned word shifted right, zeros coming in; bits in 0..63."""
    return _signed((a & _MASK) >> bits)


def leading_zeros(a: int) -> int:
    """Zero bits above the highest one bit of the unsigned word; 64 for 0."""
    return 64 - (a & _MASK).bit_length()


def float_bits(value: float) -> int:
    """The bits of a float64."""
    return int(struct.unpack("<q", struct.pack("<d", value))[0])


def bits_float(bits: int) -> float:
    """The float64 with these bits. NaN payloads survive only through memory: compare and store bits, not NaNs."""
    return float(struct.unpack("<d", struct.pack("<q", bits))[0])


def square_root(value: float) -> float:
    """The correctly rounded root of a float64 that is not negative."""
    return math.sqrt(value)


def truncate(value: float) -> int:
    """The integer part of a finite float64 below 2^63 in size."""
    return int(value)
