"""The reference says what DESIGN.md says: a sentence a test, with values that a person can check."""

from __future__ import annotations

import decimal
import doctest
import math
import statistics
from fractions import Fraction

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from unisono.kernel import plan as plan_module
from unisono.kernel import reference
from unisono.kernel.plan import Column, Output, Plan
from unisono.kernel.reference import AGGREGATIONS, Event, answer, round_fraction, round_sqrt

from .cases import bits

NAN, INFINITY = math.nan, math.inf
LARGEST, SMALLEST = 1.7976931348623157e308, 5e-324
Value = int | float | None


def of(aggregation: str, *values: Value, column: Column | None = None) -> float | None:
    """An aggregation of values that are all held, in event-time order."""
    plan = Plan((column or Column("float"),), (None,), (Output(aggregation, 0, 0),))
    return answer(plan, [Event(time, 100, (value,)) for time, value in enumerate(values)], 100)[0]


def sums(
    log: list[Event], *times: int, windows: tuple[int | None, ...] = (10,), remember: int = 0
) -> list[float | None]:
    """The sum of a column of integers at some times, a window after the other, with ids."""
    outputs = tuple(Output("sum", 0, window) for window in range(len(windows)))
    plan = Plan((Column("fixed"),), windows, outputs, True, remember)
    return [value for time in times for value in answer(plan, log, time)]


def event(time: int, ingest: int, value: int, id: int) -> Event:
    return Event(time, ingest, (value,), id)


def retraction(time: int, ingest: int, id: int) -> Event:
    return Event(time, ingest, (None,), id, retracts=True)


def same(one: float | None, other: float | None) -> bool:
    return bits(one) == bits(other)


@pytest.mark.parametrize("module", [plan_module, reference])
def test_examples_in_docstrings_hold(module: object) -> None:
    assert doctest.testmod(module).failed == 0  # type: ignore[arg-type]


# Windows and what is known.


def test_a_window_holds_its_later_end_and_not_its_earlier_one() -> None:
    log = [event(5, 5, 1, 1)]
    assert sums(log, 5, 14, 15) == [1.0, 1.0, 0.0]


def test_an_event_counts_from_its_ingest_time_on_however_late_it_is() -> None:
    assert sums([event(5, 9, 1, 1)], 8, 9, 14, 15) == [0.0, 1.0, 1.0, 0.0]


def test_an_event_ahead_of_its_ingest_time_waits_for_its_event_time() -> None:
    assert sums([event(9, 5, 1, 1)], 5, 8, 9, 18, 19) == [0.0, 0.0, 1.0, 1.0, 0.0]


def test_all_of_history_never_lets_go() -> None:
    assert sums([event(5, 5, 1, 1)], 5, 10**15, windows=(None,)) == [1.0, 1.0]


def test_an_answer_as_known_at_another_time_sees_what_was_ingested_until_then() -> None:
    plan = Plan((), (10,), (Output("count", -1, 0),))
    log = [Event(5, 5), Event(5, 7)]
    assert [answer(plan, log, 6, known_at) for known_at in (4, 5, 6, 7, None)] == [(0,), (1,), (1,), (2,), (1,)]


# Ids.


def test_of_duplicates_the_first_counts() -> None:
    assert sums([event(5, 5, 1, 1), event(5, 6, 2, 1)], 6) == [1.0]


def test_one_id_at_two_event_times_is_two_events() -> None:
    assert sums([event(5, 5, 1, 1), event(6, 6, 2, 1)], 6) == [3.0]


def test_a_retraction_removes_from_its_own_ingest_time_on() -> None:
    assert sums([event(5, 5, 1, 1), retraction(5, 8, 1)], 7, 8) == [1.0, 0.0]


def test_a_retraction_that_comes_first_keeps_the_event_from_counting() -> None:
    assert sums([retraction(5, 5, 1), event(5, 6, 1, 1)], 6) == [0.0]


def test_a_duplicate_after_a_retraction_is_still_a_duplicate() -> None:
    assert sums([event(5, 5, 1, 1), retraction(5, 6, 1), event(5, 7, 1, 1)], 7) == [0.0]


def test_a_retraction_removes_nothing_of_another_id_or_time() -> None:
    assert sums([event(5, 5, 1, 1), retraction(5, 6, 2), retraction(4, 6, 1)], 6) == [1.0]


def test_without_ids_every_event_counts() -> None:
    plan = Plan((), (10,), (Output("count", -1, 0),))
    assert answer(plan, [Event(5, 5), Event(5, 5), Event(5, 5)], 5) == (3.0,)


def test_memory_ends_one_widest_window_after_the_event_time() -> None:
    within, beyond = event(5, 14, 2, 1), event(5, 15, 2, 1)
    assert sums([event(5, 5, 1, 1), within], 15, windows=(10, None)) == [0.0, 1.0]
    assert sums([event(5, 5, 1, 1), beyond], 15, windows=(10, None)) == [0.0, 3.0]


def test_a_source_can_remember_for_longer() -> None:
    log = [event(5, 5, 1, 1), event(5, 34, 2, 1), event(5, 35, 4, 1)]
    assert sums(log, 34, 35, windows=(10, None), remember=30) == [0.0, 1.0, 0.0, 5.0]


def test_a_retraction_beyond_memory_does_nothing() -> None:
    log = [event(5, 5, 1, 1), retraction(5, 15, 1)]
    assert sums(log, 15, windows=(10, None)) == [0.0, 1.0]


# Values.


@pytest.mark.parametrize("aggregation", AGGREGATIONS)
def test_over_nothing_count_and_sum_are_zero_and_all_else_is_null(aggregation: str) -> None:
    right = 0.0 if aggregation in ("count", "sum") else None
    assert same(of(aggregation), right)
    assert same(of(aggregation, None, None), right)


@pytest.mark.parametrize("value", [1.0, NAN, INFINITY, -INFINITY])
def test_var_and_std_of_one_value_are_null(value: float) -> None:
    assert of("var", None, value) is None
    assert of("std", value) is None


@pytest.mark.parametrize("values", [(1.0, NAN), (NAN, INFINITY), (INFINITY, -INFINITY, 1.0)])
def test_nan_or_both_infinities_make_nan(values: tuple[float, ...]) -> None:
    for aggregation in ("sum", "mean", "var", "std"):
        assert same(of(aggregation, *values), NAN)


@pytest.mark.parametrize("infinity", [INFINITY, -INFINITY])
def test_one_kind_of_infinity_is_its_own_sum_and_mean_and_has_no_var(infinity: float) -> None:
    values = (1.0, infinity, infinity)
    assert [of(aggregation, *values) for aggregation in ("sum", "mean")] == [infinity, infinity]
    assert same(of("var", *values), NAN) and same(of("std", *values), NAN)


def test_min_and_max_pass_over_nan_and_see_infinities() -> None:
    assert (of("min", NAN, 2.0, 1.0), of("max", 1.0, 2.0, NAN)) == (1.0, 2.0)
    assert (of("min", NAN, -INFINITY, 1.0), of("max", INFINITY, 2.0)) == (-INFINITY, INFINITY)
    assert same(of("min", NAN, NAN), NAN) and same(of("max", NAN, None), NAN)


def test_range_is_as_exact_as_its_ends_are_not_rounded() -> None:
    assert of("range", 0.1, 0.3) == 0.3 - 0.1
    assert (of("range", 1.0, INFINITY), of("range", -INFINITY, INFINITY)) == (INFINITY, INFINITY)
    assert same(of("range", INFINITY, INFINITY, NAN), NAN) and same(of("range", NAN), NAN)
    assert (of("range", NAN, 5.0), of("range", LARGEST, -LARGEST)) == (0.0, INFINITY)
    assert of("range", 2**53 + 1, -(2**53) - 1, column=Column("fixed")) == float(2**54 + 2)


def test_count_counts_what_is_not_null() -> None:
    assert of("count", 1.0, NAN, None, INFINITY) == 3.0


def test_first_and_last_are_by_event_time_then_log_order() -> None:
    plan = Plan((Column("fixed"),), (None,), (Output("first", 0, 0), Output("last", 0, 0)))
    log = [Event(5, 5, (1,)), Event(3, 6, (2,)), Event(3, 6, (3,)), Event(5, 7, (4,)), Event(6, 7, (None,))]
    assert [answer(plan, log, 7, known_at) for known_at in (5, 6, 7)] == [(1.0, 1.0), (2.0, 1.0), (2.0, 4.0)]


def test_first_and_last_may_be_nan_or_infinite() -> None:
    assert same(of("first", None, NAN, 1.0), NAN)
    assert of("last", 1.0, -INFINITY, None) == -INFINITY


@pytest.mark.parametrize("aggregation", [name for name in AGGREGATIONS if name != "count"])
def test_minus_zero_enters_as_zero(aggregation: str) -> None:
    assert same(of(aggregation, -0.0, -0.0), 0.0)


# Numbers.


def test_a_sum_is_exact_and_rounded_once() -> None:
    assert of("sum", 1e16, 1.0, -1e16) == 1.0
    assert of("sum", 1.0, 2.0**-53, SMALLEST) == 1 + 2.0**-52
    assert of("sum", 1.0, 2.0**-53, -SMALLEST) == of("sum", 1.0, 2.0**-53) == 1.0
    assert of("sum", *[0.1] * 10) == 1.0
    assert of("sum", 1, 2, column=Column("fixed", 1)) == 0.3
    assert same(of("sum", 1.5, -1.5), 0.0)


def test_a_mean_does_not_overflow_on_the_way_and_keeps_the_sign_of_what_is_too_small() -> None:
    assert of("mean", LARGEST, LARGEST) == LARGEST
    assert of("sum", LARGEST, LARGEST) == INFINITY
    assert same(of("mean", -SMALLEST, 0.0), -0.0)
    assert same(of("mean", SMALLEST, 0.0), 0.0)
    assert of("mean", SMALLEST * 3, 0.0) == SMALLEST * 2


def test_a_root_is_taken_of_what_was_not_rounded() -> None:
    assert (of("var", 1e200, -1e200), of("std", 1e200, -1e200)) == (INFINITY, 1e200 * math.sqrt(2))
    assert (of("var", 1e-200, 0.0, 0.0, 0.0), of("std", 1e-200, 0.0, 0.0, 0.0)) == (0.0, 5e-201)


@given(st.lists(st.integers(-(10**6), 10**6), min_size=2, max_size=9), st.integers(0, 3))
def test_var_is_the_sample_variance(values: list[int], places: int) -> None:
    exact = statistics.variance([Fraction(value, 10**places) for value in values])
    assert of("var", *values, column=Column("fixed", places)) == round_fraction(Fraction(exact))


ratios = st.tuples(st.integers(), st.integers(min_value=1))
large_ratios = st.builds(
    lambda mantissa, exponent, below: (mantissa << max(exponent, 0), below << max(-exponent, 0)),
    st.integers(-(2**70), 2**70),
    st.integers(-1200, 1200),
    st.integers(1, 2**70),
)
midway = st.builds(
    lambda mantissa, exponent, beside: Fraction(2 * mantissa + 1) * Fraction(2) ** exponent + Fraction(beside, 2**3000),
    st.integers(-(2**53), 2**53),
    st.integers(-1080, 971),
    st.integers(-1, 1),
)


def divided(above: int, below: int) -> float:
    """Python's own division of integers, which is rounded once, to nearest even."""
    try:
        return above / below
    except OverflowError:
        return INFINITY if above > 0 else -INFINITY


@given(ratios | large_ratios)
def test_a_fraction_is_rounded_as_python_divides_integers(ratio: tuple[int, int]) -> None:
    assert same(round_fraction(Fraction(*ratio)), divided(*ratio))


@given(midway)
def test_a_fraction_beside_the_middle_of_two_floats_is_rounded_as_python_divides(exact: Fraction) -> None:
    assert same(round_fraction(exact), divided(exact.numerator, exact.denominator))


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_float_is_its_own_nearest(value: float) -> None:
    assert round_fraction(Fraction(value)) == value


def test_the_largest_that_does_not_become_infinite() -> None:
    edge = Fraction(2**1024 - 2**970)
    assert (round_fraction(edge), round_fraction(edge - 1)) == (INFINITY, LARGEST)
    assert (round_sqrt(edge * edge), round_sqrt(edge * edge - 1)) == (INFINITY, LARGEST)


@given((ratios | large_ratios).map(lambda ratio: abs(Fraction(*ratio))))
def test_a_root_is_rounded_as_a_thousand_digits_say(exact: Fraction) -> None:
    with decimal.localcontext(prec=1000, Emax=10**6, Emin=-(10**6)):
        root = (decimal.Decimal(exact.numerator) / decimal.Decimal(exact.denominator)).sqrt()
        right = round_fraction(Fraction(root))
    assert same(round_sqrt(exact), right)


@given(midway.map(abs))
def test_a_root_beside_the_middle_of_two_floats_is_on_the_right_side(exact: Fraction) -> None:
    assert same(round_sqrt(exact * exact), round_fraction(exact))
    beside = exact * exact + Fraction(1, 2**6500)
    assert round_sqrt(beside) == round_fraction(exact + Fraction(1, 2**4000))


@given(st.fractions(min_value=0))
def test_a_root_is_nearer_than_its_neighbours(exact: Fraction) -> None:
    assume(exact > 0)
    root = round_sqrt(exact)
    below, above = Fraction(math.nextafter(root, 0)), Fraction(math.nextafter(root, INFINITY))
    assert ((below + Fraction(root)) / 2) ** 2 <= exact <= ((above + Fraction(root)) / 2) ** 2


def test_plans_that_differ_have_different_ids() -> None:
    column, other = Column("fixed"), Column("fixed", 2)
    plans = [
        Plan((column, other), (5, None), (Output("sum", 0, 0),)),
        Plan((other, column), (5, None), (Output("sum", 0, 0),)),
        Plan((column, other), (None, 5), (Output("sum", 0, 0),)),
        Plan((column, other), (5, None), (Output("sum", 0, 1),)),
        Plan((column, other), (5, None), (Output("mean", 0, 0),)),
        Plan((column, other), (5, None), (Output("sum", 0, 0),), has_ids=True),
        Plan((column, other), (5, None), (Output("sum", 0, 0),), remember_us=1),
        Plan((column, Column("float")), (5, None), (Output("sum", 0, 0),)),
    ]
    assert len({plan.id for plan in plans}) == len(plans)
    assert all(-(2**63) <= plan.id < 2**63 for plan in plans)
