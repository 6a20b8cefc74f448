"""Numbers that are hard to round: ties and their neighbours, the ends of float64, what cancels."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import product

import pytest
from hypothesis import strategies as st

from unisono.kernel.plan import Column, Output, Plan
from unisono.kernel.reference import AGGREGATIONS, Event

from .cases import Case, KeyedEvent, Request, compare, expected
from .engines import Engine
from .judges import judge_requests, try_drawn

FLOAT, WHOLE = Column("float"), Column("fixed")
LARGEST, SMALLEST, NORMAL = 1.7976931348623157e308, 5e-324, 2.0**-1022
INFINITY, NAN = math.inf, math.nan
INT_MAX = 2**63 - 1
WINDOW = 1_000_000
Value = int | float


def case_of(column: Column, values: Sequence[Value], aggregations: Sequence[str] = tuple(AGGREGATIONS)) -> Case:
    """One value a microsecond; asked for when all are there, and again as they leave the window one by one."""
    outputs = tuple(Output(name, 0, window) for name in aggregations for window in (0, 1))
    plan = Plan((column,), (WINDOW, None), outputs)
    events = [KeyedEvent(0, Event(time, time, (value,))) for time, value in enumerate(values)]
    leaving = range(WINDOW, WINDOW + len(values) + 1)
    return Case(plan, 1, (*events, *(Request(0, time) for time in (len(values), *leaving))))


# An aggregation, a column, values, and the result, each written down by hand.
KNOWN: list[tuple[str, Column, tuple[Value, ...], float]] = [
    ("sum", FLOAT, (1.0, 2.0**-53), 1.0),
    ("sum", FLOAT, (1.0, 2.0**-53, SMALLEST), 1 + 2.0**-52),
    ("sum", FLOAT, (1.0, 2.0**-53, -SMALLEST), 1.0),
    ("sum", FLOAT, (1 + 2.0**-52, 2.0**-53), 1 + 2.0**-51),
    ("sum", FLOAT, (1 + 2.0**-52, 2.0**-53, -SMALLEST), 1 + 2.0**-52),
    ("sum", FLOAT, (LARGEST, 2.0**969), LARGEST),
    ("sum", FLOAT, (LARGEST, 2.0**970), INFINITY),
    ("sum", FLOAT, (LARGEST, 2.0**970, -SMALLEST), LARGEST),
    ("sum", FLOAT, (-LARGEST, -LARGEST), -INFINITY),
    ("sum", FLOAT, (LARGEST, LARGEST, -LARGEST), LARGEST),
    ("sum", FLOAT, (1e308, 1.0, -1e308, -1.0, SMALLEST), SMALLEST),
    ("sum", FLOAT, (NORMAL, -SMALLEST), NORMAL - SMALLEST),
    ("sum", FLOAT, (1.5, -1.5), 0.0),
    ("sum", FLOAT, (NAN, INFINITY), NAN),
    ("sum", FLOAT, (INFINITY, -INFINITY), NAN),
    ("sum", FLOAT, (-INFINITY, LARGEST), -INFINITY),
    ("mean", FLOAT, (LARGEST, LARGEST, LARGEST), LARGEST),
    ("mean", FLOAT, (SMALLEST, 0.0), 0.0),
    ("mean", FLOAT, (-SMALLEST, 0.0), -0.0),
    ("mean", FLOAT, (-SMALLEST, -SMALLEST, 0.0), -SMALLEST),
    ("mean", FLOAT, (3 * SMALLEST, 0.0), 2 * SMALLEST),
    ("mean", FLOAT, (1.0, 1 + 2.0**-52), 1.0),
    ("mean", FLOAT, (1 + 2.0**-52, 1 + 2.0**-51), 1 + 2.0**-51),
    ("var", FLOAT, (1.0, 1.0, 1.0), 0.0),
    ("var", FLOAT, (1e308, -1e308), INFINITY),
    ("var", FLOAT, (1e16, 1e16 + 2), 2.0),
    ("var", FLOAT, (SMALLEST, 0.0), 0.0),
    ("std", FLOAT, (SMALLEST, 0.0, 0.0, 0.0), 0.0),
    ("std", FLOAT, (3 * SMALLEST, 0.0, 0.0, 0.0), 2 * SMALLEST),
    ("std", FLOAT, (SMALLEST, 0.0), SMALLEST),
    ("std", FLOAT, (LARGEST, 0.0, 0.0, 0.0), LARGEST / 2),
    ("std", FLOAT, (LARGEST, -LARGEST), INFINITY),
    ("range", FLOAT, (LARGEST, -LARGEST), INFINITY),
    ("range", FLOAT, (1.0, -(2.0**-53)), 1.0),
    ("sum", WHOLE, (INT_MAX, INT_MAX), 2.0**64),
    ("sum", WHOLE, (2**53, 1), 2.0**53),
    ("sum", WHOLE, (2**53 + 1, 2), 2.0**53 + 4),
    ("sum", WHOLE, (INT_MAX, -INT_MAX, 1), 1.0),
    ("mean", WHOLE, (2**54 + 1, 2**54 + 5), 2.0**54 + 4),
    ("mean", WHOLE, (-1, -1, 0), -2 / 3),
    ("var", WHOLE, (INT_MAX, -INT_MAX), 2.0**127),
    ("std", WHOLE, (2**53 + 1, 0, 0, 0), 2.0**52),
    ("std", WHOLE, (2**53 + 3, 0, 0, 0), 2.0**52 + 2),
    ("range", WHOLE, (INT_MAX, -INT_MAX), 2.0**64),
    ("range", WHOLE, (2**53 + 1, 0), 2.0**53),
    ("range", WHOLE, (2**53 + 1, -(2**53) - 1), 2.0**54 + 2),
    ("last", WHOLE, (0, 2**53 + 1), 2.0**53),
    ("sum", Column("fixed", 1), (1, 2), 0.3),
    ("sum", Column("fixed", 18), (INT_MAX,), 9.223372036854775807),
    ("first", Column("fixed", 18), (1,), 1e-18),
    ("mean", Column("fixed", 18), (1, 0, 0), 1e-18 / 3),
    ("var", Column("fixed", 18), (1, -1), 2e-36),
]


@pytest.mark.parametrize("known", KNOWN, ids=lambda known: f"{known[0]}-{known[1].kind}-{known[2]}"[:60])
def test_a_number_is_the_one_written_down(engine: Engine, known: tuple[str, Column, tuple[Value, ...], float]) -> None:
    aggregation, column, values, right = known
    case = case_of(column, values, [aggregation])
    rows = engine.run(case.plan, 1, case.items, ())
    compare(case.plan, [(right, right)], rows[:1], str(values))
    compare(case.plan, expected(case), rows, "as values leave")


def test_every_count_divides_right(engine: Engine) -> None:
    """Means and variances over 1 to 100 values, at sizes where a guess in float64 is off by one."""
    for column, start in ((WHOLE, 2**53 - 1), (Column("fixed", 3), 10**15 + 1), (FLOAT, 2.0**53 - 1)):
        values = [start + (index * index) % 7 for index in range(100)]
        plan = Plan((column,), (None,), tuple(Output(name, 0, 0) for name in ("sum", "mean", "var", "std")))
        events = [KeyedEvent(0, Event(time, time, (value,))) for time, value in enumerate(values)]
        case = Case(plan, 1, tuple(item for event in events for item in (event, Request(0, event.event.ingest))))
        judge_requests(engine, case)


def test_special_values_leave_with_their_events(engine: Engine) -> None:
    for special in product((NAN, INFINITY, -INFINITY, 1.0), repeat=3):
        judge_requests(engine, case_of(FLOAT, (2.0, *special, -3.0)))


def _ties(bits: int) -> st.SearchStrategy[int]:
    """Odd numbers of one bit more than float64 has: each is the middle of two floats."""
    return st.integers(2 ** (bits - 1), 2**bits - 1).map(lambda number: number | 1)


@st.composite
def fixed_ties(draw: st.DrawFn) -> Case:
    """The sum over the count is a tie, or beside one by a unit of the sum."""
    places = draw(st.sampled_from((0, 1, 2, 3, 4)))
    count = draw(st.sampled_from((1, 2, 3, 4, 5, 7, 8, 10, 16)))
    scale = count * 10**places
    middle = draw(_ties(54)) << draw(st.integers(0, 4))
    left = middle * scale + draw(st.integers(-1, 1))
    parts = [left // count] * count
    parts[0] += left - sum(parts)
    assume_small = max(parts) <= INT_MAX
    values = parts if assume_small else [part >> 12 for part in parts]
    sign = draw(st.sampled_from((1, -1)))
    return case_of(Column("fixed", places), [sign * value for value in values])


@st.composite
def float_ties(draw: st.DrawFn) -> Case:
    """A float, half the distance to the next one, and something as far below as can be; with what cancels."""
    value = draw(st.floats(NORMAL, 2.0**1000))
    half = math.ulp(value) / 2
    below = draw(st.sampled_from((0.0, SMALLEST, -SMALLEST, half * 2.0**-60, -half * 2.0**-60)))
    noise = draw(st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=3))
    values = [value, draw(st.sampled_from((1, -1))) * half, below, *noise, *(-each for each in noise)]
    sign = draw(st.sampled_from((1, -1)))
    return case_of(FLOAT, [sign * each for each in draw(st.permutations(values))])


@st.composite
def root_ties(draw: st.DrawFn) -> Case:
    """One value and n - 1 zeros, n a square: the standard deviation is the value over the root of n, and a tie."""
    root = draw(st.sampled_from((2, 4)))
    value = draw(_ties(54)) * draw(st.sampled_from((1, root // 2)))
    values: list[Value] = [value, *[0] * (root * root - 1)]
    if draw(st.booleans()):
        values[-1] = draw(st.integers(-1, 1))
    if draw(st.booleans()):
        exponent = draw(st.integers(-1074, 900))
        return case_of(FLOAT, [math.ldexp(each >> 1, exponent) for each in values if isinstance(each, int)])
    return case_of(Column("fixed", draw(st.sampled_from((0, 2, 18)))), values)


@st.composite
def wide_floats(draw: st.DrawFn) -> Case:
    """Few values anywhere in float64, so that squares span all of its range, twice over."""
    numbers = st.builds(math.ldexp, st.integers(1 - 2**53, 2**53 - 1), st.integers(-1127, 971))
    return case_of(FLOAT, draw(st.lists(numbers, min_size=1, max_size=6)))


@pytest.mark.parametrize("numbers", (fixed_ties, float_ties, root_ties, wide_floats))
def test_what_is_hard_to_round_is_rounded_once(engine: Engine, numbers: Callable[[], st.SearchStrategy[Case]]) -> None:
    try_drawn(numbers(), engine, judge_requests)
