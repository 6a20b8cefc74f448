"""Every word of `kernel.words` as an export: rows of two words in, one word out, so that any machine can be asked.

descriptor: count, address of the inputs (two words a row), address of the outputs (one word a row), scratch (64 words).
"""

from __future__ import annotations

from collections.abc import Callable

from unisono.kernel import words
from unisono.kernel.words import load, store

SCRATCH_WORDS = 64


def _a(descriptor: int, row: int) -> int:
    return load(load(descriptor, 1), 2 * row)


def _b(descriptor: int, row: int) -> int:
    return load(load(descriptor, 1), 2 * row + 1)


def _put(descriptor: int, row: int, value: int) -> None:
    store(load(descriptor, 2), row, value)


def wrapping_add(descriptor: int) -> int:
    for row in range(load(descriptor, 0)):
        _put(descriptor, row, words.wrapping_add(_a(descriptor, row), _b(descriptor, row)))
    return 0


def wrapping_subtract(descriptor: int) -> int:
    for row in range(load(descriptor, 0)):
        _put(descriptor, row, words.wrapping_subtract(_a(descriptor, row), _b(descriptor, row)))
    return 0


def wrapping_multiply(descriptor: int) -> int:
    for row in range(load(descriptor, 0)):
        _put(descriptor, row, words.wrapping_multiply(_a(descriptor, row), _b(descriptor, row)))
    return 0


def multiply_high(descriptor: int) -> int:
    for row in range(load(descriptor, 0)):
        _put(descriptor, row, words.multiply_high(_a(descriptor, row), _b(descriptor, row)))
    return 0


def unsigned_less(descriptor: int) -> int:
    for row in range(load(descriptor, 0)):
        _put(descriptor, row, 1 if words.unsigned_less(_a(descriptor, row), _b(descriptor, row)) else 0)
    return 0


def unsigned_divide(descriptor: int) -> int:
    for row in range(load(descriptor, 0)):
        divisor = _b(descriptor, row)
        _put(descriptor, row, words.unsigned_divide(_a(descriptor, row), divisor) if divisor != 0 else -1)
    return 0


def unsigned_float(descriptor: int) -> int:
    for row in range(load(descriptor, 0)):
        _put(descriptor, row, words.float_bits(words.unsigned_float(_a(descriptor, row))))
    return 0


def shift_left(descriptor: int) -> int:
    for row in range(load(descriptor, 0)):
        _put(descriptor, row, words.shift_left(_a(descriptor, row), _b(descriptor, row) & 63))
    return 0


def shift_right(descriptor: int) -> int:
    for row in range(load(descriptor, 0)):
        _put(descriptor, row, words.shift_right(_a(descriptor, row), _b(descriptor, row) & 63))
    return 0


def leading_zeros(descriptor: int) -> int:
    for row in range(load(descriptor, 0)):
        _put(descriptor, row, words.leading_zeros(_a(descriptor, row)))
    return 0


def float_bits(descriptor: int) -> int:
    """The bits of a product: what a float64 operation gives, and through `bits_float` what it takes."""
    for row in range(load(descriptor, 0)):
        left = words.bits_float(_a(descriptor, row))
        right = words.bits_float(_b(descriptor, row))
        # One product and one sum, the form that a fused multiply-add would change.
        _put(descriptor, row, words.float_bits(left * right + left))
    return 0


def bits_float(descriptor: int) -> int:
    for row in range(load(descriptor, 0)):
        _put(descriptor, row, words.float_bits(words.bits_float(_a(descriptor, row))))
    return 0


def square_root(descriptor: int) -> int:
    for row in range(load(descriptor, 0)):
        value = words.bits_float(_a(descriptor, row) & 0x7FFFFFFFFFFFFFFF)
        _put(descriptor, row, words.float_bits(words.square_root(value)))
    return 0


def truncate(descriptor: int) -> int:
    for row in range(load(descriptor, 0)):
        value = words.bits_float(_a(descriptor, row))
        small = -9.2e18 < value < 9.2e18
        _put(descriptor, row, words.truncate(value) if small else 0)
    return 0


def load_and_store(descriptor: int) -> int:
    """Each row's low bits choose a place in the scratch for one access of each width, aligned or not."""
    scratch = load(descriptor, 3)
    for row in range(load(descriptor, 0)):
        shift = _b(descriptor, row) & 7
        place = (_b(descriptor, row) >> 3) & 31
        store(scratch + shift, place, _a(descriptor, row))
        words.store_int32(scratch + shift, place + 1, _b(descriptor, row))
        read = words.load_int32(scratch + shift, place) + words.load_byte(scratch, place + shift)
        words.prefetch(scratch, place)
        _put(descriptor, row, words.wrapping_add(read, load(scratch + shift, place)))
    return 0


def narrow(descriptor: int) -> int:
    """Each row's low bits choose a place in the scratch for accesses of 8 and 16 bits, aligned or not."""
    scratch = load(descriptor, 3)
    for row in range(load(descriptor, 0)):
        shift = _b(descriptor, row) & 7
        place = (_b(descriptor, row) >> 3) & 31
        words.store_uint16(scratch + shift, place, _a(descriptor, row))
        words.store_byte(scratch + shift, place + 1, _b(descriptor, row))
        _put(descriptor, row, words.load_uint16(scratch + shift, place) + load(scratch, place))
    return 0


def inner_products(descriptor: int) -> int:
    """Four sums of products of bytes of the scratch, from any place and with any distance, none among them."""
    scratch = load(descriptor, 3)
    right = scratch + 256  # where no byte leaves -64..64
    for row in range(load(descriptor, 0)):
        words.store_byte(scratch, _a(descriptor, row) & 255, _b(descriptor, row))
        words.store_byte(right, _b(descriptor, row) & 127, (_a(descriptor, row) % 129) - 64)
        left = scratch + (_a(descriptor, row) & 127)
        stride = (_b(descriptor, row) >> 7) & 31
        words.inner_products(scratch + 480, left, right, stride, (_a(descriptor, row) >> 7) & 7)
        _put(descriptor, row, words.wrapping_add(load(scratch, 60), words.wrapping_multiply(load(scratch, 61), 3)))
    return 0


def copy(descriptor: int) -> int:
    """Moves overlapping stretches of the scratch, up and down."""
    scratch = load(descriptor, 3)
    for row in range(load(descriptor, 0)):
        source = _a(descriptor, row) & 31
        target = _b(descriptor, row) & 31
        store(scratch, source, _a(descriptor, row))
        words.copy(scratch + 8 * target, scratch + 8 * source, (_a(descriptor, row) >> 5) & 31)
        _put(descriptor, row, load(scratch, target))
    return 0


def fill(descriptor: int) -> int:
    scratch = load(descriptor, 3)
    for row in range(load(descriptor, 0)):
        place = _a(descriptor, row) & 31
        words.fill(scratch + 8 * place, (_a(descriptor, row) >> 5) & 31, _b(descriptor, row) & 255)
        _put(descriptor, row, load(scratch, 32))
    return 0


EXPORTS: dict[str, Callable[[int], int]] = {
    form.__name__: form
    for form in (
        wrapping_add,
        wrapping_subtract,
        wrapping_multiply,
        multiply_high,
        unsigned_less,
        unsigned_divide,
        unsigned_float,
        shift_left,
        shift_right,
        leading_zeros,
        float_bits,
        bits_float,
        square_root,
        truncate,
        load_and_store,
        narrow,
        inner_products,
        copy,
        fill,
    )
}
