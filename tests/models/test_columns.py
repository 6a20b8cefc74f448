from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import unisono as un
from unisono.models.columns import decode, encode
from unisono.spec.types import DType

INT64 = st.integers(-(2**63), 2**63 - 1)


@given(st.lists(st.one_of(st.none(), INT64), min_size=1), st.integers(0, 18))
def test_a_decimal_is_rounded_once(digits: list[int | None], places: int) -> None:
    written = [None if one is None else Decimal(one).scaleb(-places) for one in digits]
    column = pl.Series("fare", written, pl.Decimal(38, places))
    values, nulls = encode(column, un.Decimal(places=places), place="frame")
    assert nulls.tolist() == [one is None for one in digits]
    assert values.tolist() == [0.0 if one is None else float(Fraction(one, 10**places)) for one in digits]


@given(st.lists(st.integers(-(10**15), 10**15), min_size=1), st.integers(0, 6))
def test_a_float_that_is_a_decimal_stays_itself(digits: list[int], places: int) -> None:
    floats = [one / 10**places for one in digits]
    values, _ = encode(pl.Series(floats), un.Decimal(places=places), place="frame")
    assert values.tolist() == floats


def times(*values: datetime | None, unit: Any = "us", zone: str | None = "UTC") -> pl.Series:
    plain = pl.Series("at", [None if one is None else one.replace(tzinfo=None) for one in values], pl.Datetime(unit))
    return plain if zone is None else plain.dt.replace_time_zone(zone)


NOON = datetime(2013, 7, 1, 12, tzinfo=UTC)
NOON_US = 1_372_680_000_000_000


@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
def test_every_unit_of_time_becomes_microseconds(unit: str) -> None:
    values, nulls = encode(times(NOON, None, unit=unit), un.Timestamp, place="frame")
    assert values.tolist() == [NOON_US, 0]
    assert nulls.tolist() == [False, True]


def test_a_local_time_needs_a_zone() -> None:
    local = times(NOON, zone=None)
    values, _ = encode(local, un.Timestamp, place="frame", timezone="America/New_York")
    assert values.tolist() == [NOON_US + 4 * 3_600_000_000]
    with pytest.raises(
        un.InputError, match=r'frame, column "at": timestamps without a time zone; allowed: .* with one'
    ):
        encode(local, un.Timestamp, place="frame")


def test_a_local_time_that_does_not_exist_is_refused() -> None:
    lost = times(datetime(2013, 3, 10, 2, 30), zone=None)
    with pytest.raises(un.InputError, match=r"row 0: .*a local time that exists once in America/New_York"):
        encode(lost, un.Timestamp, place="frame", timezone="America/New_York")


@pytest.mark.parametrize(
    ("values", "dtype", "message"),
    [
        ([1.5], un.Int64, "dtype Float64; allowed: Int64"),
        ([2**63], un.Int64, "row 0: 9223372036854775808; allowed: whole numbers of 64 bits"),
        ([2**53 + 1], un.Float64, r"allowed: whole numbers up to 2\*\*53"),
        (["1"], un.Float64, "dtype String; allowed: Float64"),
        ([1], un.String, "dtype Int64; allowed: String"),
        ([1], un.Bool, "dtype Int64; allowed: Bool"),
        (["1"], un.Decimal(places=2), "dtype String; allowed: Decimal"),
        ([0.125], un.Decimal(places=2), "row 0: 0.125; allowed: .* of 2 places"),
        ([Decimal("0.125")], un.Decimal(places=2), "at most 2 decimal places"),
        ([1], un.Timestamp, "dtype Int64; allowed: Timestamp"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_place(values: list[Any], dtype: DType, message: str) -> None:
    kind = pl.UInt64 if values == [2**63] else None
    with pytest.raises(un.InputError, match=message) as caught:
        encode(pl.Series("c", values, kind), dtype, place="events of source taps")
    assert str(caught.value).startswith('events of source taps, column "c"')


@pytest.mark.parametrize("dtype", [un.String, un.Int64, un.Float64, un.Bool, un.Timestamp, un.Decimal(places=2)])
def test_a_column_of_nulls_fits_every_dtype(dtype: DType) -> None:
    values, nulls = encode(pl.Series("c", [None, None]), dtype, place="frame")
    assert nulls.all()
    assert len(values) == 2


@pytest.mark.parametrize(
    "column",
    [
        pl.Series("c", ["a", None, ""]),
        pl.Series("c", [1, None, -(2**63)]),
        pl.Series("c", [0.1, None, -0.0, float("inf")]),
        pl.Series("c", [True, None, False]),
        times(NOON, None).alias("c"),
    ],
)
def test_a_column_comes_back_as_it_went(column: pl.Series) -> None:
    names = {pl.String: un.String, pl.Int64: un.Int64, pl.Float64: un.Float64, pl.Boolean: un.Bool}
    dtype = names.get(type(column.dtype), un.Timestamp)
    values, nulls = encode(column, dtype, place="frame")
    assert decode("c", values, nulls, dtype).equals(column, check_dtypes=True)


def test_every_nan_comes_back_as_the_same_nan() -> None:
    strange = np.array([0xFFF8_0000_0000_0000, 0x7FF8_0000_0000_0001], np.uint64).view(np.float64)
    bits = decode("c", strange, None, un.Float64).to_numpy().view(np.uint64)
    assert (bits == np.array([np.nan]).view(np.uint64)).all()
