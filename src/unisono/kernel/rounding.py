"""From exact numbers to float64, rounded once, to nearest even.

A number is a magnitude in limbs times a power of two, perhaps over a few whole divisors, perhaps under a root. The
quick way guesses in floating point and settles the guess by an exact integer remainder; where that leaves the number
within a millionth of a tie, and at the ends of the float64 range, long division decides.
"""

from __future__ import annotations

from unisono.kernel.layout import INFINITY_BITS
from unisono.kernel.limbs import any_below, divide_in_place, significant_limbs, top_words
from unisono.kernel.words import (
    bits_float,
    leading_zeros,
    load,
    multiply_high,
    shift_left,
    shift_right,
    square_root,
    store,
    truncate,
    unsigned_float,
    unsigned_less,
    wrapping_add,
    wrapping_multiply,
    wrapping_subtract,
)

TWO_64 = 18446744073709551616.0
HIDDEN = 1 << 52
FRACTION = HIDDEN - 1
IMPLICIT_TOP = 1 << 53
TIE_MARGIN = 1e-6
LOWEST_EXPONENT = -1074  # of the last bit of a float64
SURELY_NORMAL_FROM = -1000  # within these two the quick way needs no thought of subnormals or overflow
SURELY_FINITE_TO = 900
LONG_LIMBS = 5
DIVISOR_BITS = 62
UNDECIDED = -1.0


def scaled(mantissa: int, exponent: int) -> float:
    """mantissa * 2^exponent for a mantissa in [2^52, 2^53] and a result that is surely normal."""
    return float(mantissa) * bits_float((exponent + 1023) << 52)


def round_bits(top: int, sticky: bool, exponent: int) -> float:
    """top * 2^exponent; `top` is an unsigned word with its top bit set, `sticky` says that more lies below it."""
    drop = 11
    if exponent + drop < LOWEST_EXPONENT:
        drop = LOWEST_EXPONENT - exponent
    if drop > 64:
        return 0.0
    kept = shift_right(top, drop) if drop < 64 else 0
    rest = shift_left(top, 64 - drop) if drop < 64 else top
    half = shift_left(1, 63)
    above = unsigned_less(half, rest) or (rest == half and (sticky or kept & 1 == 1))
    if above:
        kept += 1
    return assemble(kept, exponent + drop)


def assemble(mantissa: int, exponent: int) -> float:
    """The float64 mantissa * 2^exponent; the mantissa has at most 53 bits or is 2^53, and the exponent of a
    mantissa below 2^52 is the lowest there is."""
    if mantissa == IMPLICIT_TOP:
        mantissa = HIDDEN
        exponent += 1
    if mantissa < HIDDEN:
        return bits_float(mantissa)
    biased = exponent - LOWEST_EXPONENT + 1
    if biased >= 2047:
        return bits_float(INFINITY_BITS)
    return bits_float((biased << 52) | (mantissa & FRACTION))


def below_top(address: int, limbs: int, shift: int) -> bool:
    """Is anything left below the two words that `top_words` took?"""
    if limbs < 3:
        return False
    return shift_left(load(address, limbs - 3), shift) != 0 or any_below(address, limbs - 3)


def quotient_guess(high: int, low: int, exponent: int, divisor: int) -> tuple[int, float, int]:
    """(whole, fraction, exponent) of a quotient: (whole + fraction) * 2^exponent, 53 or 54 bits, |fraction| <= 1/2.

    high, low:  the top 128 bits of the numerator, normalised; what lies below moves the fraction by less than 2^-60.
    exponent:   of the lowest of the 128 bits.
    divisor:    below 2^62.
    """
    up = leading_zeros(divisor) - (64 - DIVISOR_BITS)
    divisor = shift_left(divisor, up)
    # 115 bits over 62 bits leave 53 or 54. The guess is off by a few units, which the remainder puts right.
    low = shift_left(high, 51) | shift_right(low, 13)
    high = shift_right(high, 13)
    inverse = 1.0 / float(divisor)
    whole = truncate(float(high) * TWO_64 * inverse)
    product_low = wrapping_multiply(whole, divisor)
    rest_high = wrapping_subtract(high, multiply_high(whole, divisor)) - (1 if unsigned_less(low, product_low) else 0)
    rest_low = wrapping_subtract(low, product_low)
    # The remainder has fewer than 67 bits; its upper ones are more than the margin of a tie needs.
    fraction = float(shift_left(rest_high, 54) | shift_right(rest_low, 10)) * (1024.0 * inverse)
    step = nearest(fraction)
    return whole + step, fraction - float(step), exponent + 13 + up


def nearest(value: float) -> int:
    """A whole number next to a small float64."""
    return truncate(value + 0.5) if value >= 0.0 else truncate(value - 0.5)


def near_half(fraction: float) -> bool:
    """Is it too near to a half, either way, to be trusted?"""
    size = fraction if fraction >= 0.0 else -fraction
    return size > 0.5 - TIE_MARGIN


def settle(whole: int, fraction: float) -> int:
    """Round whole + fraction to 53 bits: the whole number, or 0 where that is too near a tie to say."""
    if whole < IMPLICIT_TOP:
        return 0 if near_half(fraction) else whole
    if whole & 1 == 0:
        return whole
    if fraction > TIE_MARGIN:
        return whole + 1
    return whole - 1 if fraction < -TIE_MARGIN else 0


def round_quotient(address: int, limbs: int, exponent: int, first: int, second: int, third: int, fourth: int) -> float:
    """The magnitude in limbs times 2^exponent over the product of four whole divisors from 1 to 2^62.

    Writes LONG_LIMBS words before `address` when it has to divide at length.
    """
    limbs = significant_limbs(address, limbs)
    if limbs == 0:
        return 0.0
    divisor = small_product(first, second, third, fourth)
    if divisor != 0:
        if limbs == 1 and exponent == 0 and divisor <= IMPLICIT_TOP and 0 < load(address, 0) <= IMPLICIT_TOP:
            return float(load(address, 0)) / float(divisor)
        high, low, shift = top_words(address, limbs)
        whole, fraction, power = quotient_guess(high, low, exponent + 64 * (limbs - 2) - shift, divisor)
        if SURELY_NORMAL_FROM < power < SURELY_FINITE_TO:
            settled = settle(whole, fraction)
            if settled != 0:
                return scaled(settled, power)
    return long_quotient(address, limbs, exponent, first, second, third, fourth)


def round_pair_quotient(high: int, low: int, exponent: int, divisor: int) -> float:
    """(high, low) * 2^exponent over a divisor from 1 to 2^53, where the quick way can tell, else -1."""
    if high == 0:
        if low == 0:
            return 0.0
        high = low
        low = 0
        exponent -= 64
    shift = leading_zeros(high)
    if shift > 0:
        high = shift_left(high, shift) | shift_right(low, 64 - shift)
        low = shift_left(low, shift)
    whole, fraction, power = quotient_guess(high, low, exponent - shift, divisor)
    if SURELY_NORMAL_FROM < power < SURELY_FINITE_TO:
        settled = settle(whole, fraction)
        if settled != 0:
            return scaled(settled, power)
    return UNDECIDED


def round_pair(high: int, low: int, exponent: int) -> float:
    """(high, low) * 2^exponent."""
    if high == 0:
        if low == 0:
            return 0.0
        shift = leading_zeros(low)
        return round_bits(shift_left(low, shift), False, exponent - shift)
    shift = leading_zeros(high)
    if shift > 0:
        high = shift_left(high, shift) | shift_right(low, 64 - shift)
        low = shift_left(low, shift)
    return round_bits(high, low != 0, exponent + 64 - shift)


def round_root(address: int, limbs: int, exponent: int, first: int, second: int, third: int, fourth: int) -> float:
    """The square root of the same, rounded once."""
    limbs = significant_limbs(address, limbs)
    if limbs == 0:
        return 0.0
    divisor = small_product(first, second, third, fourth)
    if divisor != 0:
        high, low, shift = top_words(address, limbs)
        whole, fraction, power = quotient_guess(high, low, exponent + 64 * (limbs - 2) - shift, divisor)
        root, power = root_guess(whole, fraction, power)
        if root != 0 and SURELY_NORMAL_FROM < power < SURELY_FINITE_TO:
            return scaled(root, power)
    return long_root(address, limbs, exponent, first, second, third, fourth)


def root_guess(whole: int, fraction: float, exponent: int) -> tuple[int, int]:
    """The root of (whole + fraction) * 2^exponent: 53 bits and an exponent; 0 bits where it is too near a tie."""
    if exponent & 1 == 1:
        whole = whole + whole
        fraction = fraction + fraction
        exponent -= 1
    up = 105 - (64 - leading_zeros(whole))
    up += up & 1
    scale = float(1 << up)
    root = truncate(square_root(float(whole) * scale) + 0.5)
    # Both squares agree in all but the low 57 bits, so the low words alone give the difference.
    rest = wrapping_subtract(shift_left(whole, up), wrapping_multiply(root, root))
    distance = (float(rest) + fraction * scale) / (2.0 * float(root))
    step = nearest(distance)
    if near_half(distance - float(step)):
        return 0, 0
    return root + step, (exponent - up) >> 1


def small_product(first: int, second: int, third: int, fourth: int) -> int:
    """The product, if it is surely below 2^62, else 0."""
    if float(first) * float(second) * float(third) * float(fourth) < 4.0e18:
        return first * second * third * fourth
    return 0


def long_numerator(target: int, address: int, limbs: int) -> tuple[bool, int]:
    """The magnitude's top LONG_LIMBS limbs, normalised; whether more lies below; the exponent of the lowest bit."""
    shift = leading_zeros(load(address, limbs - 1))
    for index in range(LONG_LIMBS):
        place = limbs - LONG_LIMBS + index
        word = load(address, place) if place >= 0 else 0
        below = load(address, place - 1) if place >= 1 else 0
        store(target, index, shift_left(word, shift) | shift_right(below, 64 - shift) if shift > 0 else word)
    sticky = False
    if limbs > LONG_LIMBS:
        cut = limbs - LONG_LIMBS
        sticky = shift_left(load(address, cut - 1), shift) != 0 or any_below(address, cut - 1)
    return sticky, 64 * (limbs - LONG_LIMBS) - shift


def long_division(
    target: int, address: int, limbs: int, first: int, second: int, third: int, fourth: int
) -> tuple[bool, int]:
    """Divide at length into LONG_LIMBS words at `target`; whether a remainder is left, and the exponent.

    320 bits less the divisors (two counts below 2^40, two powers of ten below 2^60) leave 120, and a root needs 112.
    """
    sticky, exponent = long_numerator(target, address, limbs)
    sticky = divide_in_place(target, LONG_LIMBS, first) or sticky
    sticky = divide_in_place(target, LONG_LIMBS, second) or sticky
    sticky = divide_in_place(target, LONG_LIMBS, third) or sticky
    sticky = divide_in_place(target, LONG_LIMBS, fourth) or sticky
    return sticky, exponent


def long_quotient(address: int, limbs: int, exponent: int, first: int, second: int, third: int, fourth: int) -> float:
    """`round_quotient` by long division."""
    target = address - 8 * LONG_LIMBS
    sticky, power = long_division(target, address, limbs, first, second, third, fourth)
    limbs = significant_limbs(target, LONG_LIMBS)
    high, middle, shift = top_words(target, limbs)
    if middle != 0 or below_top(target, limbs, shift):
        sticky = True
    return round_bits(high, sticky, exponent + power + 64 * (limbs - 1) - shift)


def long_root(address: int, limbs: int, exponent: int, first: int, second: int, third: int, fourth: int) -> float:
    """`round_root` by long division and an integer root."""
    target = address - 8 * LONG_LIMBS
    sticky, power = long_division(target, address, limbs, first, second, third, fourth)
    limbs = significant_limbs(target, LONG_LIMBS)
    high, low, shift = top_words(target, limbs)
    if below_top(target, limbs, shift):
        sticky = True
    power += exponent + 64 * (limbs - 2) - shift
    # A root that surely stays below 2^63 is easier: give up four bits, or five to make the exponent even.
    drop = 4 + (power & 1)
    if shift_left(low, 64 - drop) != 0:
        sticky = True
    low = shift_right(low, drop) | shift_left(high, 64 - drop)
    high = shift_right(high, drop)
    power += drop
    root, exact = integer_root(high, low)
    up = leading_zeros(root)
    # The bits shifted in are unknown only if something was cut off, and then `sticky` speaks for them.
    return round_bits(shift_left(root, up), sticky or not exact, (power >> 1) - up)


def integer_root(high: int, low: int) -> tuple[int, bool]:
    """The root of (high, low), rounded down, and whether it is exact; the argument lies in [2^122, 2^124)."""
    root = truncate(square_root(float(high) * TWO_64 + unsigned_float(low)))
    step = truncate(signed_rest(high, low, root) / (2.0 * float(root)))
    root += step
    while signed_rest(high, low, root) < 0.0:
        root -= 1
    while signed_rest(high, low, root + 1) >= 0.0:
        root += 1
    return root, signed_rest(high, low, root) == 0.0


def signed_rest(high: int, low: int, root: int) -> float:
    """(high, low) - root^2 as a float64 with the right sign."""
    square_low = wrapping_multiply(root, root)
    rest_low = wrapping_subtract(low, square_low)
    rest_high = high - multiply_high(root, root) - (1 if unsigned_less(low, square_low) else 0)
    if rest_high < 0:
        rest_low = wrapping_subtract(0, rest_low)
        rest_high = wrapping_add(~rest_high, 1 if rest_low == 0 else 0)
        return -(float(rest_high) * TWO_64 + unsigned_float(rest_low))
    return float(rest_high) * TWO_64 + unsigned_float(rest_low)
