"""Frames in and out: keys, codes, order, ids, canonical columns, answers."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal as Number

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import unisono as un
from unisono.features import answers, canonical, keys
from unisono.features.compile import compile_view
from unisono.features.frames import EventTable, RequestTable, is_rising, key_frame
from unisono.features.places import Place
from unisono.kernel import Column, Output
from unisono.kernel.codec import NULL

TAPS = un.Source("taps", {"user": un.String, "n": un.Int64}, event_time="at", ingest_time="known_at", id="tap")


def moments(*hours: int) -> list[datetime]:
    return [datetime(2020, 1, 1, hour, tzinfo=UTC) for hour in hours]


def taps(**columns: object) -> pl.DataFrame:
    given_columns = {"user": ["a", "b", "c"], "n": [1, 2, 3], "at": moments(1, 2, 3), "known_at": moments(5, 4, 4)}
    return pl.DataFrame({**given_columns, "tap": ["x", "y", "z"], **columns})


def test_events_are_sorted_by_ingest_time_and_keep_their_order_within_it() -> None:
    table = EventTable(taps(), TAPS)
    assert table.series("user").to_list() == ["b", "c", "a"]
    assert is_rising(table.ingest) and not is_rising(table.time)
    sorted_already = EventTable(table.frame(), TAPS)
    assert sorted_already.frame().equals(table.frame())


@given(st.lists(st.integers(-3, 3), max_size=50))
def test_rising_means_never_falling(times: list[int]) -> None:
    assert is_rising(np.array(times, np.int64)) == (times == sorted(times))


def test_string_ids_are_hashed_and_whole_numbers_are_themselves() -> None:
    table = EventTable(taps(known_at=moments(4, 4, 4), tap=["x", "y", "x"]), TAPS)
    ids = table.ids()
    assert ids is not None and ids[0] == ids[2] != ids[1]
    longer = EventTable(taps(known_at=moments(4, 4, 4), tap=["a" * 100, "\N{SNOWMAN}", "a" * 100]), TAPS).ids()
    assert longer is not None and longer[0] == longer[2] != longer[1]
    whole = un.Source("taps", {"user": un.String, "tap": un.Int64}, event_time="at", id="tap")
    assert EventTable(taps(tap=[7, 8, 9]), whole).ids().tolist() == [7, 8, 9]  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("column", "values", "message"),
    [
        ("at", [None, *moments(1, 2)], 'column "at", row 0: no value'),
        ("known_at", [*moments(1, 2), None], 'column "known_at", row 2: no value'),
        ("tap", ["x", None, "z"], "no value; allowed: a value in every row; give every event an id"),
        ("user", ["x", None, "z"], "a key is needed: drop such rows, or fill them"),
    ],
)
def test_an_event_without_time_id_or_key_is_refused(column: str, values: list[object], message: str) -> None:
    with pytest.raises(un.InputError) as caught:
        table = EventTable(taps(**{column: values}), TAPS)
        table.ids()
        table.keys(["user"])
    assert message in str(caught.value)


KEYS = st.lists(st.tuples(st.sampled_from(["a", "b", ""]), st.integers(-2, 2)), max_size=20)


@given(KEYS, KEYS)
def test_codes_are_equal_where_keys_are(events: list[tuple[str, int]], requests: list[tuple[str, int]]) -> None:
    frames = [pl.DataFrame(rows, schema={"k": pl.String, "n": pl.Int64}, orient="row") for rows in (events, requests)]
    for columns in (["k"], ["n"], ["k", "n"]):
        first, second, count = keys.encode(frames[0].select(columns), frames[1].select(columns))
        rows = [*frames[0].select(columns).rows(), *frames[1].select(columns).rows()]
        codes = [*first.tolist(), *second.tolist()]
        assert len(set(zip(rows, codes, strict=True))) == len(set(rows)) == len(set(codes))
        assert all(0 <= code < count for code in codes)


def test_whole_numbers_far_apart_are_coded_too() -> None:
    events = pl.DataFrame({"n": [-(2**62), 2**62, 5]})
    first, second, count = keys.encode(events, pl.DataFrame({"n": [5, 2**62, 77]}))
    assert count == 4 and first[2] == second[0] and first[1] == second[1]


def test_a_key_has_one_form_whatever_it_comes_as() -> None:
    columns = {"d": un.Decimal(places=2), "b": un.Bool, "t": un.Timestamp}
    time = pl.Series([datetime(2020, 1, 1)]).dt.replace_time_zone("UTC")
    one = pl.DataFrame({"d": [1.5], "b": [True], "t": time.dt.cast_time_unit("ms")})
    two = pl.DataFrame({"d": pl.Series([Number("1.50")]), "b": [True], "t": time.dt.convert_time_zone("Asia/Tokyo")})
    forms = [key_frame(frame, columns, Place("x"), None) for frame in (one, two)]
    assert forms[0].equals(forms[1])


def test_canonical_columns_are_those_of_their_dtypes() -> None:
    frame = pl.DataFrame(
        {
            "s": pl.Series(["a", None], dtype=pl.Categorical),
            "i": pl.Series([1, None], dtype=pl.Int8),
            "f": pl.Series([1, None], dtype=pl.Int64),
            "b": [True, None],
            "t": pl.Series([datetime(2020, 1, 1), None]).dt.replace_time_zone("Asia/Tokyo"),
            "d": [-1.25, None],
            "n": [None, None],
        }
    )
    dtypes = {"s": un.String, "i": un.Int64, "f": un.Float64, "b": un.Bool, "t": un.Timestamp}
    wanted = {**dtypes, "d": un.Decimal(places=2), "n": un.Timestamp}
    made = canonical.canonical(frame, wanted, Place("x"), None)
    assert dict(made.schema) == {name: canonical.polars_dtype(dtype) for name, dtype in wanted.items()}
    assert made.row(0) == ("a", 1, 1.0, True, datetime(2019, 12, 31, 15, tzinfo=UTC), Number("-1.25"), None)
    assert made.row(1) == (None,) * 7
    assert canonical.canonical(made, wanted, Place("x"), None).equals(made)
    with pytest.raises(un.InputError, match='x, column "z": there is no such column'):
        canonical.canonical(frame, {"z": un.Int64}, Place("x"), None)


def test_answers_go_into_columns_and_back() -> None:
    matrix = np.array([[1.0, NULL], [np.nan, 2.0]])
    columns = answers.feature_columns(["a", "b"], matrix)
    assert [column.null_count() for column in columns] == [0, 1]
    back = answers.matrix(pl.DataFrame(columns), ["a", "b"])
    assert (back.view(np.int64) == matrix.view(np.int64)).all()
    plain = answers.without_nulls(matrix)
    assert np.isnan(plain[0, 1]) and not (plain.view(np.int64) == np.array(NULL).view(np.int64)).any()


def test_a_view_becomes_a_plan() -> None:
    source = un.Source(
        "s",
        {"k": un.String, "d": un.Decimal(places=3), "f": un.Float64, "b": un.Bool, "w": un.String},
        event_time="t",
        id="i",
        remember_ids="1d",
    )
    aggregations = [un.count(), un.sum("d"), un.max("f"), un.count("w"), un.mean("b"), un.last("t")]
    view = un.FeatureView("v", source, key="k", windows=["1h", None], aggregations=aggregations)
    plan = compile_view(view).plan
    floats, fixed = Column("float"), Column("fixed")
    assert plan.columns == (Column("fixed", 3), floats, fixed, fixed, fixed)
    assert plan.windows == (3_600_000_000, None)
    assert plan.outputs[:2] == (Output("count", -1, 0), Output("sum", 0, 0))
    assert plan.outputs[6:8] == (Output("count", -1, 1), Output("sum", 0, 1))
    assert (plan.has_ids, plan.remember_us) == (True, 86_400_000_000)
    finite = un.FeatureView("v", source, key="k", windows="1h", aggregations=un.count())
    assert compile_view(finite).plan.remember_us == 0


def test_a_column_that_nobody_derives_is_a_fault() -> None:
    @un.transform
    def double(taps: dict[str, object]) -> dict[str, object]:
        return {"twice": taps["n"]}

    view = un.FeatureView("v", TAPS, key="user", windows="1h", aggregations=un.mean("thrice"), derive=double)
    with pytest.raises(un.DefinitionError, match="thrice"):
        compile_view(view, {"twice": un.Int64})


def test_requests_need_their_time() -> None:
    with pytest.raises(un.InputError, match='requests, column "asked": there is no such column'):
        RequestTable(pl.DataFrame({"ask": moments(1)}), "asked")
    with pytest.raises(un.InputError, match='column "asked", row 1: no value'):
        RequestTable(pl.DataFrame({"asked": [*moments(1), None]}), "asked")
