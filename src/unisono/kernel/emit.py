"""One read: the float64 of every output of a plan, from a state whose cursor stands at the instant asked for.

Answers leave as bits, since a NaN's payload, which tells null from NaN, may be lost where a float travels.
"""

from __future__ import annotations

from unisono.kernel.descriptor import SCRATCH, SCRATCH_NUMBERS
from unisono.kernel.extremes import settle_extremes
from unisono.kernel.layout import (
    ACC_COUNT,
    ACC_DIRTY,
    ACC_MAX,
    ACC_MIN,
    ACC_SUM,
    ALL,
    BASE_FIRST,
    BASE_FIRST_TIME,
    BASE_LAST,
    BASE_LAST_TIME,
    COLUMN_KIND,
    COLUMN_SCALE,
    FLOAT,
    INFINITY_BITS,
    LARGEST,
    NAN_BITS,
    NULL_BITS,
    NULL_INT,
    OUTPUT_AGGREGATION,
    OUTPUT_COLUMN,
    OUTPUT_COLUMN_AT,
    OUTPUT_RANGE_AT,
    OUTPUT_WINDOW,
    OUTPUT_WORDS,
    PLAN_OUTPUTS,
    PLAN_STRIDE,
    RANGE_EXPONENT,
    RANGE_SQUARE_LIMBS,
    RANGE_SUM_LIMBS,
    SMALLEST,
    STATE_BASE_COUNT,
    STATE_HEAD,
    STATE_TAILS,
    UNSET,
    accumulator,
    base_words,
    output_words,
    rows_address,
    value_offset,
    window_width,
)
from unisono.kernel.limbs import magnitude, multiply_word, subtract_square, subtract_word
from unisono.kernel.rounding import UNDECIDED, round_pair, round_pair_quotient, round_quotient, round_root
from unisono.kernel.values import bits_of, from_ordering_key, negate_if
from unisono.kernel.words import (
    bits_float,
    load,
    multiply_high,
    shift_left,
    shift_right,
    store,
    unsigned_less,
    wrapping_add,
    wrapping_multiply,
    wrapping_subtract,
)

COUNT_EVENTS = 0
COUNT = 1
SUM = 2
MEAN = 3
VAR = 4
STD = 5
MIN = 6
MAX = 7
RANGE = 8
FIRST = 9
LAST = 10

NOT_SPECIAL = 0
EXACT_IN_FLOAT = 1 << 53
NUMBERS_APART = 128  # words between the two numbers of a variance
AFTER_LONG_DIVISION = 8  # words left free before a number


def emit(descriptor: int, state: int, plan: int, target: int) -> None:
    """Write every output's bits to `target`."""
    numbers = load(descriptor, SCRATCH) + 8 * (SCRATCH_NUMBERS + AFTER_LONG_DIVISION)
    output = output_words(plan, 0)
    for index in range(load(plan, PLAN_OUTPUTS)):
        store(target, index, output_bits(state, plan, output, numbers))
        output += 8 * OUTPUT_WORDS


def output_bits(state: int, plan: int, output: int, numbers: int) -> int:
    """The bits of one output; `output` is the address of its words in the plan."""
    aggregation = load(output, OUTPUT_AGGREGATION)
    window = load(output, OUTPUT_WINDOW)
    if aggregation == COUNT_EVENTS:
        return bits_of(float(event_count(state, plan, window)))
    column = plan + 8 * load(output, OUTPUT_COLUMN_AT)
    if aggregation >= FIRST:
        return end_bits(state, plan, aggregation, column, load(output, OUTPUT_COLUMN), window, numbers)
    ranges = state + 8 * load(output, OUTPUT_RANGE_AT)
    place = accumulator(state, ranges, window)
    count = load(place, ACC_COUNT)
    if aggregation == COUNT:
        return bits_of(float(count))
    if count == 0:
        return 0 if aggregation == SUM else NULL_BITS
    if aggregation >= MIN:
        if load(place, ACC_DIRTY) != 0:
            settle_extremes(state, plan, load(output, OUTPUT_COLUMN), window)
        return extreme_bits(place, column, aggregation, numbers)
    if count == 1 and aggregation >= VAR:
        return NULL_BITS
    if load(column, COLUMN_KIND) == FLOAT:
        return float_moment(ranges, place, aggregation, count, numbers)
    return fixed_moment(place, load(column, COLUMN_SCALE), aggregation, count, numbers)


def event_count(state: int, plan: int, window: int) -> int:
    """The events of a window."""
    count = load(state, STATE_HEAD) - load(state, STATE_TAILS + window)
    return count + load(state, STATE_BASE_COUNT) if window_width(plan, window) == ALL else count


def fixed_moment(place: int, scale: int, aggregation: int, count: int, numbers: int) -> int:
    """Sum, mean, variance or standard deviation of a fixed-point column."""
    if aggregation == SUM:
        return ratio_bits(place + 8 * ACC_SUM, 2, 1, scale, numbers)
    if aggregation == MEAN:
        return ratio_bits(place + 8 * ACC_SUM, 2, count, scale, numbers)
    spread_short(numbers, place + 8 * ACC_SUM, count)
    if aggregation == VAR:
        return bits_of(round_quotient(numbers, 4, 0, count, count - 1, scale, scale))
    return bits_of(round_root(numbers, 4, 0, count, count - 1, scale, scale))


def ratio_bits(sum_place: int, limbs: int, count: int, scale: int, numbers: int) -> int:
    """A signed sum over count * scale."""
    low = load(sum_place, 0)
    if limbs == 2 and load(sum_place, 1) == low >> 63 and -EXACT_IN_FLOAT <= low <= EXACT_IN_FLOAT:
        divisor = float(count) * float(scale)
        if divisor <= float(EXACT_IN_FLOAT):
            return bits_of(float(low) / divisor)
    negative = magnitude(numbers, sum_place, limbs)
    return bits_of(negate_if(round_quotient(numbers, limbs, 0, count, scale, 1, 1), negative))


def spread(target: int, sum_place: int, sum_limbs: int, square_place: int, square_limbs: int, count: int) -> None:
    """count * squares - sum^2, never negative, in square_limbs + 1 limbs."""
    size = target + 8 * NUMBERS_APART
    magnitude(size, sum_place, sum_limbs)
    multiply_word(target, square_place, square_limbs, count)
    subtract_square(target, square_limbs + 1, size, sum_limbs)


def spread_short(target: int, sums: int, count: int) -> None:
    """`spread` for a sum of two limbs followed by squares of three, in registers: the usual case."""
    low = load(sums, 0)
    high = load(sums, 1)
    if high < 0:
        low = wrapping_subtract(0, low)
        high = wrapping_add(~high, 1 if low == 0 else 0)
    product = multiply_three(load(sums, 2), load(sums, 3), load(sums, 4), count)
    square = square_two(low, high)
    for index in range(4):
        store(target, index, product[index])
    borrow = 0
    for index in range(4):
        borrow = subtract_word(target, index, square[index], borrow)


def multiply_three(low: int, middle: int, high: int, factor: int) -> tuple[int, int, int, int]:
    """(high, middle, low) * factor as four limbs, lowest first."""
    first = wrapping_multiply(low, factor)
    carry = multiply_high(low, factor)
    second = wrapping_add(wrapping_multiply(middle, factor), carry)
    carry = multiply_high(middle, factor) + (1 if unsigned_less(second, carry) else 0)
    third = wrapping_add(wrapping_multiply(high, factor), carry)
    carry = multiply_high(high, factor) + (1 if unsigned_less(third, carry) else 0)
    return first, second, third, carry


def square_two(low: int, high: int) -> tuple[int, int, int, int]:
    """(high, low)^2 as four limbs, lowest first; `high` is below 2^63."""
    first = wrapping_multiply(low, low)
    second = multiply_high(low, low)
    if high == 0:
        return first, second, 0, 0
    cross = wrapping_multiply(low, high)
    cross_high = multiply_high(low, high)
    third = shift_left(cross_high, 1) | shift_right(cross, 63)
    fourth = shift_right(cross_high, 63)
    cross = shift_left(cross, 1)
    second = wrapping_add(second, cross)
    third_carry = 1 if unsigned_less(second, cross) else 0
    squared = wrapping_multiply(high, high)
    third = wrapping_add(third, third_carry)
    fourth += 1 if unsigned_less(third, third_carry) else 0
    third = wrapping_add(third, squared)
    fourth += 1 if unsigned_less(third, squared) else 0
    return first, second, third, fourth + multiply_high(high, high)


def float_moment(ranges: int, place: int, aggregation: int, count: int, numbers: int) -> int:
    """Sum, mean, variance or standard deviation of a float64 column."""
    sum_limbs = load(ranges, RANGE_SUM_LIMBS)
    square_limbs = load(ranges, RANGE_SQUARE_LIMBS)
    special = special_bits(place + 8 * (ACC_SUM + sum_limbs + square_limbs), aggregation)
    if special != NOT_SPECIAL:
        return special
    exponent = load(ranges, RANGE_EXPONENT)
    if exponent == UNSET:
        return 0
    sums = place + 8 * ACC_SUM
    if aggregation <= MEAN:
        return float_sum(sums, sum_limbs, exponent, count if aggregation == MEAN else 1, numbers)
    if sum_limbs == 2 and square_limbs == 3:
        spread_short(numbers, sums, count)
    else:
        spread(numbers, sums, sum_limbs, sums + 8 * sum_limbs, square_limbs, count)
    if aggregation == VAR:
        return bits_of(round_quotient(numbers, square_limbs + 1, 2 * exponent, count, count - 1, 1, 1))
    return bits_of(round_root(numbers, square_limbs + 1, 2 * exponent, count, count - 1, 1, 1))


def float_sum(sums: int, limbs: int, exponent: int, count: int, numbers: int) -> int:
    """A signed sum over a count."""
    if limbs == 2 and count < EXACT_IN_FLOAT:
        low = load(sums, 0)
        high = load(sums, 1)
        negative = high < 0
        if negative:
            low = wrapping_subtract(0, low)
            high = wrapping_add(~high, 1 if low == 0 else 0)
        value = round_pair(high, low, exponent) if count == 1 else round_pair_quotient(high, low, exponent, count)
        if value != UNDECIDED:
            return bits_of(negate_if(value, negative))
    negative = magnitude(numbers, sums, limbs)
    return bits_of(negate_if(round_quotient(numbers, limbs, exponent, count, 1, 1, 1), negative))


def special_bits(specials: int, aggregation: int) -> int:
    """What NaN and infinities make of a sum or a spread; NOT_SPECIAL if there are none."""
    nans = load(specials, 0)
    positive = load(specials, 1)
    negative = load(specials, 2)
    if nans == 0 and positive == 0 and negative == 0:
        return NOT_SPECIAL
    if nans > 0 or (positive > 0 and negative > 0) or aggregation >= VAR:
        return NAN_BITS
    return INFINITY_BITS if positive > 0 else INFINITY_BITS | SMALLEST


def extreme_bits(place: int, column: int, aggregation: int, numbers: int) -> int:
    """Smallest, largest, or the distance between them, of an accumulator that is not empty nor dirty."""
    low = load(place, ACC_MIN)
    high = load(place, ACC_MAX)
    if load(column, COLUMN_KIND) == FLOAT:
        return float_extreme(aggregation, low, high)
    scale = load(column, COLUMN_SCALE)
    if aggregation == RANGE:
        store(numbers, 0, wrapping_subtract(high, low))  # below 2^64, so right as an unsigned word
        return bits_of(round_quotient(numbers, 1, 0, scale, 1, 1, 1))
    return fixed_bits(low if aggregation == MIN else high, scale, numbers)


def float_extreme(aggregation: int, low: int, high: int) -> int:
    """The same for ordering keys of floats; low > high says that all values were NaN."""
    if low > high:
        return NAN_BITS
    if aggregation == MIN:
        return from_ordering_key(low)
    if aggregation == MAX:
        return from_ordering_key(high)
    return bits_of(bits_float(from_ordering_key(high)) - bits_float(from_ordering_key(low)))


def fixed_bits(value: int, scale: int, numbers: int) -> int:
    """The float64 nearest to value / scale."""
    if -EXACT_IN_FLOAT <= value <= EXACT_IN_FLOAT:
        return bits_of(float(value) / float(scale))
    store(numbers, 0, value if value >= 0 else -value)
    return bits_of(negate_if(round_quotient(numbers, 1, 0, scale, 1, 1, 1), value < 0))


def end_bits(state: int, plan: int, aggregation: int, words: int, column: int, window: int, numbers: int) -> int:
    """The first or last value by (event time, log order); `words` is the address of the column's words."""
    is_float = load(words, COLUMN_KIND) == FLOAT
    missing = NULL_BITS if is_float else NULL_INT
    if aggregation == FIRST:
        value = first_value(state, plan, column, window, missing)
    else:
        value = last_value(state, plan, column, window, missing)
    if value == missing:
        return NULL_BITS
    return value if is_float else fixed_bits(value, load(words, COLUMN_SCALE), numbers)


def first_value(state: int, plan: int, column: int, window: int, missing: int) -> int:
    """The first value that is not null in a window; the base precedes a row of the same event time."""
    stride = load(plan, PLAN_STRIDE)
    rows = rows_address(state)
    offset = value_offset(plan, column)
    head = load(state, STATE_HEAD)
    row = load(state, STATE_TAILS + window)
    while row < head and load(rows, stride * row + offset) == missing:
        row += 1
    if window_width(plan, window) == ALL:
        base = base_words(state, plan, column)
        time = load(base, BASE_FIRST_TIME)
        if time != LARGEST and (row == head or time <= load(rows, stride * row)):
            return load(base, BASE_FIRST)
    return load(rows, stride * row + offset) if row < head else missing


def last_value(state: int, plan: int, column: int, window: int, missing: int) -> int:
    """The last value that is not null in a window; a row follows a base of the same event time."""
    stride = load(plan, PLAN_STRIDE)
    rows = rows_address(state)
    offset = value_offset(plan, column)
    tail = load(state, STATE_TAILS + window)
    row = load(state, STATE_HEAD) - 1
    while row >= tail and load(rows, stride * row + offset) == missing:
        row -= 1
    if window_width(plan, window) == ALL:
        base = base_words(state, plan, column)
        time = load(base, BASE_LAST_TIME)
        if time != SMALLEST and (row < tail or time > load(rows, stride * row)):
            return load(base, BASE_LAST)
    return load(rows, stride * row + offset) if row >= tail else missing
