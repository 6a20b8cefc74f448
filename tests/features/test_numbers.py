"""Columns as numbers: taken over exactly, or refused with column and row."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal as Number

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import unisono as un
from unisono.features import numbers
from unisono.features.places import Place
from unisono.kernel.codec import NULL_FLOAT_BITS, NULL_INT

PLACE = Place("events of source taps", "x")


def decimal(values: list[object], places: int = 2, dtype: pl.DataType | None = None) -> list[int]:
    taken: list[int] = numbers.fixed(pl.Series("x", values, dtype), un.Decimal(places=places), PLACE).tolist()
    return taken


@given(st.integers(-(2**53), 2**53), st.integers(0, 18))
def test_a_float_that_is_a_decimal_is_that_decimal(digits: int, places: int) -> None:
    value = digits / 10**places
    taken = decimal([value], places)
    assert taken[0] / 10**places == value
    if places <= 15 and abs(digits) < 10**15:  # so few digits survive a float64
        assert taken == [digits]


@given(st.floats(allow_nan=True, allow_infinity=True), st.integers(0, 18))
def test_a_float_is_taken_faithfully_or_refused(value: float, places: int) -> None:
    try:
        taken = decimal([value], places)[0]
    except un.InputError as error:
        assert 'column "x", row 0: ' in str(error)
        assert f"allowed: Decimal({places})" in str(error)
    else:
        assert taken / 10**places == value


@given(st.decimals(min_value=-(10**16), max_value=10**16, places=2), st.integers(0, 4))
def test_a_decimal_is_rescaled_exactly_or_refused(value: Number, places: int) -> None:
    column = pl.Series("x", [value], pl.Decimal(38, 2))
    digits = value.scaleb(places)
    if digits == digits.to_integral_value() and abs(digits) < 2**63:
        assert numbers.fixed(column, un.Decimal(places=places), PLACE).tolist() == [int(digits)]
    else:
        with pytest.raises(un.InputError, match=rf"row 0: .*; allowed: Decimal\({places}\): at most"):
            numbers.fixed(column, un.Decimal(places=places), PLACE)


def test_decimals_come_from_whole_numbers_floats_decimals_and_nothing() -> None:
    assert decimal([1, None, -3]) == [100, NULL_INT, -300]
    assert decimal([1.25, None, -0.0]) == [125, NULL_INT, 0]
    assert decimal([Number("1.25"), None], dtype=pl.Decimal(9, 2)) == [125, NULL_INT]
    assert decimal([Number("1.2"), None], dtype=pl.Decimal(9, 1)) == [120, NULL_INT]
    assert decimal([Number("1.200"), None], dtype=pl.Decimal(9, 3)) == [120, NULL_INT]
    assert decimal([None, None]) == [NULL_INT, NULL_INT]


def test_a_fault_is_found_in_whatever_row_it_is() -> None:
    values = np.arange(200_000) / 100
    values[150_001] = 0.001
    with pytest.raises(un.InputError, match=r'column "x", row 150001: 0.001; allowed: Decimal\(2\)'):
        numbers.fixed(pl.Series("x", values), un.Decimal(places=2), PLACE)


BAD = [
    (pl.Series("x", ["1"]), un.Int64, "dtype String; allowed: Int64"),
    (pl.Series("x", [1.0]), un.Int64, "dtype Float64; allowed: Int64"),
    (pl.Series("x", [2**63], pl.UInt64), un.Int64, "row 0: 9223372036854775808; allowed: whole numbers of 64 bits"),
    (pl.Series("x", [0, -(2**63)]), un.Int64, "row 1: -9223372036854775808; allowed: whole numbers above -2**63"),
    (pl.Series("x", ["1"]), un.Decimal(places=0), "dtype String; allowed: Decimal(0)"),
    (pl.Series("x", [2**62]), un.Decimal(places=2), "row 0: 4611686018427387904; allowed: Decimal(2)"),
    (pl.Series("x", [1]), un.Bool, "dtype Int64; allowed: Bool"),
    (pl.Series("x", [1]), un.String, "dtype Int64; allowed: String"),
    (pl.Series("x", [1]), un.Timestamp, "dtype Int64; allowed: Timestamp"),
    (pl.Series("x", [datetime(2020, 1, 1)]), un.Timestamp, "timestamps without a time zone"),
]


@pytest.mark.parametrize(("column", "dtype", "message"), BAD, ids=[message for _, _, message in BAD])
def test_what_does_not_fit_is_refused(column: pl.Series, dtype: object, message: str) -> None:
    with pytest.raises(un.InputError) as caught:
        numbers.fixed(column, dtype, PLACE)  # type: ignore[arg-type]
    assert message in str(caught.value) and str(caught.value).startswith("events of source taps, column")


def test_floats_keep_their_bits_and_null_is_a_payload_of_its_own() -> None:
    payload = np.array([NULL_FLOAT_BITS], np.int64).view(np.float64)[0]
    column = pl.Series("x", np.array([1.5, payload, np.nan, -0.0, np.inf]))
    bits = numbers.floats(column, PLACE).view(np.int64)
    assert bits[1] != NULL_FLOAT_BITS and np.isnan(bits.view(np.float64)[1])
    column = pl.Series("x", [1.5, None, float("nan")])
    assert (numbers.floats(column, PLACE).view(np.int64) == NULL_FLOAT_BITS).tolist() == [False, True, False]
    assert numbers.floats(pl.Series("x", [3, None]), PLACE)[0] == 3.0
    assert numbers.floats(pl.Series("x", [0.1], pl.Float32), PLACE)[0] == np.float32(0.1)
    with pytest.raises(un.InputError, match="row 0: 9007199254740993; allowed: whole numbers up to"):
        numbers.floats(pl.Series("x", [2**53 + 1]), PLACE)
    with pytest.raises(un.InputError, match="dtype Boolean; allowed: Float64"):
        numbers.floats(pl.Series("x", [True]), PLACE)


def test_plain_columns_are_not_copied() -> None:
    for column, taken in (
        (pl.Series("x", [1, 2]), lambda column: numbers.whole(column, PLACE)),
        (pl.Series("x", [1.0, 2.0]), lambda column: numbers.floats(column, PLACE)),
        (pl.Series("x", [datetime(2020, 1, 1)]).dt.replace_time_zone("UTC"), lambda c: numbers.times(c, PLACE, None)),
    ):
        assert np.shares_memory(taken(column), column.to_physical().to_numpy(allow_copy=False))


@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "+05:00"])
def test_instants_are_microseconds_in_utc_whatever_unit_and_zone(unit: str, zone: str) -> None:
    moment = pl.Series("x", [datetime(2013, 7, 1, 12), None]).dt.replace_time_zone("UTC")
    column = moment.dt.convert_time_zone(zone).dt.cast_time_unit(unit)  # type: ignore[arg-type]
    assert numbers.times(column, PLACE, None).tolist() == [1_372_680_000_000_000, NULL_INT]


def test_finer_instants_and_those_out_of_range_are_refused() -> None:
    finer = pl.Series("x", [1001], pl.Int64).cast(pl.Datetime("ns", "UTC"))
    with pytest.raises(un.InputError, match="whole microseconds; round first"):
        numbers.times(finer, PLACE, None)
    for unit, ticks in (("us", 2**60), ("us", -(2**60)), ("ms", 2**60)):
        far = pl.Series("x", [0, ticks], pl.Int64).cast(pl.Datetime(unit, "UTC"))  # type: ignore[arg-type]
        with pytest.raises(un.InputError, match=r"row 1: .*; allowed: the years 1 to 9999"):
            numbers.times(far, PLACE, None)


def test_local_times_need_a_zone_and_must_exist_once() -> None:
    def local(*moment: int) -> pl.Series:
        return pl.Series("x", [datetime(2013, 5, 1), datetime(*moment)])  # type: ignore[arg-type]

    fine = numbers.times(local(2013, 1, 1, 12), PLACE, "America/New_York").tolist()
    assert fine[1] == 1_357_059_600_000_000
    for moment in ((2013, 11, 3, 1, 30), (2013, 3, 10, 2, 30)):  # twice; never
        with pytest.raises(un.InputError, match=r"row 1: 2013-.*; allowed: a local time that exists once in America"):
            numbers.times(local(*moment), PLACE, "America/New_York")
