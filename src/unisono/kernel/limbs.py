"""Exact integers of many words in memory: little-endian limbs of 64 bits, two's complement where they have a sign."""

from __future__ import annotations

from unisono.kernel.words import (
    leading_zeros,
    load,
    multiply_high,
    shift_left,
    shift_right,
    store,
    unsigned_divide,
    unsigned_less,
    wrapping_add,
    wrapping_multiply,
    wrapping_subtract,
)

HALF = 0xFFFF_FFFF


def add_word(address: int, index: int, word: int, carry: int) -> int:
    """Add a word and a carry to one limb; returns the carry out."""
    old = load(address, index)
    partial = wrapping_add(old, word)
    total = wrapping_add(partial, carry)
    store(address, index, total)
    return 1 if unsigned_less(partial, old) or unsigned_less(total, partial) else 0


def subtract_word(address: int, index: int, word: int, borrow: int) -> int:
    """Take a word and a borrow from one limb; returns the borrow out."""
    old = load(address, index)
    partial = wrapping_subtract(old, word)
    store(address, index, wrapping_subtract(partial, borrow))
    return 1 if unsigned_less(old, word) or unsigned_less(partial, borrow) else 0


def add_at(address: int, limbs: int, index: int, low: int, middle: int, high: int) -> None:
    """Add low + middle*2^64 + high*2^128 at limb `index`."""
    carry = add_word(address, index, low, 0)
    index += 1
    if index < limbs:
        carry = add_word(address, index, middle, carry)
        index += 1
    if index < limbs:
        carry = add_word(address, index, high, carry)
        index += 1
    while carry != 0 and index < limbs:
        carry = add_word(address, index, 0, carry)
        index += 1


def subtract_at(address: int, limbs: int, index: int, low: int, middle: int, high: int) -> None:
    """Take low + middle*2^64 + high*2^128 away at limb `index`."""
    borrow = subtract_word(address, index, low, 0)
    index += 1
    if index < limbs:
        borrow = subtract_word(address, index, middle, borrow)
        index += 1
    if index < limbs:
        borrow = subtract_word(address, index, high, borrow)
        index += 1
    while borrow != 0 and index < limbs:
        borrow = subtract_word(address, index, 0, borrow)
        index += 1


def magnitude(target: int, source: int, limbs: int) -> bool:
    """Write |source| to `target`; returns whether the source is negative. The limbs are two's complement."""
    negative = load(source, limbs - 1) < 0
    carry = 1
    for index in range(limbs):
        word = load(source, index)
        if negative:
            word = wrapping_add(~word, carry)
            carry = 1 if carry == 1 and word == 0 else 0
        store(target, index, word)
    return negative


def multiply_word(target: int, source: int, limbs: int, factor: int) -> None:
    """Write the unsigned source * factor to `target`, which has one limb more."""
    carry = 0
    for index in range(limbs):
        word = load(source, index)
        low = wrapping_multiply(word, factor)
        total = wrapping_add(low, carry)
        carry = multiply_high(word, factor) + (1 if unsigned_less(total, low) else 0)
        store(target, index, total)
    store(target, limbs, carry)


def subtract_square(target: int, target_limbs: int, source: int, limbs: int) -> None:
    """Take the square of the unsigned source from `target`; what lies beyond the target's limbs must be zero."""
    for i in range(limbs):
        a = load(source, i)
        if a != 0:
            for j in range(limbs):
                b = load(source, j)
                if b != 0 and i + j < target_limbs:
                    subtract_at(target, target_limbs, i + j, wrapping_multiply(a, b), multiply_high(a, b), 0)


def significant_limbs(address: int, limbs: int) -> int:
    """The limbs up to the highest that is not zero."""
    while limbs > 0 and load(address, limbs - 1) == 0:
        limbs -= 1
    return limbs


def any_below(address: int, limbs: int) -> bool:
    """Is any of the lowest `limbs` limbs not zero?"""
    for index in range(limbs):  # noqa: SIM110 - a generator is not in the kernel's subset of Python
        if load(address, index) != 0:
            return True
    return False


def top_words(address: int, limbs: int) -> tuple[int, int, int]:
    """The highest 128 bits as two words, the first with its top bit set, and how far they were shifted left.

    `limbs` is significant. The value is the two words, read as (high, low) and shifted right by that count, times
    2^(64*(limbs-2)), plus what was cut off.
    """
    high = load(address, limbs - 1)
    middle = load(address, limbs - 2) if limbs >= 2 else 0
    low = load(address, limbs - 3) if limbs >= 3 else 0
    shift = leading_zeros(high)
    if shift > 0:
        high = shift_left(high, shift) | shift_right(middle, 64 - shift)
        middle = shift_left(middle, shift) | shift_right(low, 64 - shift)
    return high, middle, shift


def divide_two_words(high: int, low: int, divisor: int) -> tuple[int, int]:
    """Quotient and remainder of (high, low) by an unsigned word, with high < divisor.

    Source: Hacker's Delight, 2nd edition, section 9-4 (Knuth's algorithm D with digits of 32 bits).
    """
    shift = leading_zeros(divisor)
    divisor = shift_left(divisor, shift)
    if shift > 0:
        high = shift_left(high, shift) | shift_right(low, 64 - shift)
        low = shift_left(low, shift)
    first, rest = _divide_digit(high, shift_right(low, 32), divisor)
    second, rest = _divide_digit(rest, low & HALF, divisor)
    return wrapping_add(shift_left(first, 32), second), shift_right(rest, shift)


def _divide_digit(high: int, digit: int, divisor: int) -> tuple[int, int]:
    """One step of the long division: (high, digit of 32 bits) by a normalised divisor."""
    divisor_high = shift_right(divisor, 32)
    divisor_low = divisor & HALF
    guess = unsigned_divide(high, divisor_high)
    rest = wrapping_subtract(high, wrapping_multiply(guess, divisor_high))
    while shift_right(guess, 32) != 0 or unsigned_less(
        shift_left(rest, 32) | digit, wrapping_multiply(guess, divisor_low)
    ):
        guess -= 1
        rest += divisor_high
        if shift_right(rest, 32) != 0:
            break
    whole = wrapping_add(shift_left(high, 32), digit)
    return guess, wrapping_subtract(whole, wrapping_multiply(guess, divisor))


def divide_in_place(address: int, limbs: int, divisor: int) -> bool:
    """Divide the unsigned limbs by a word, rounding down; returns whether there was a remainder."""
    remainder = 0
    for step in range(limbs):
        index = limbs - 1 - step
        quotient, remainder = divide_two_words(remainder, load(address, index), divisor)
        store(address, index, quotient)
    return remainder != 0
