"""Frames in binary form, against a server with a column of every kind and outputs of every kind."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from queue import Queue
from typing import Any, NamedTuple

import msgspec
import numpy as np
import polars as pl
import pytest

import unisono as un
from tests.client.scripted import Step, hang, problem, reply, scripted
from tests.serving.protocols.parts import MOST_BYTES, Echo, make_parts
from tests.serving.running import Server
from unisono.client import BusyError, FailedError, LateError, RefusedError, Version
from unisono.client.retrying import Budget
from unisono.drivers.serving.settings import Http

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
ROWS = 5
FRAME = pl.DataFrame(
    {
        "name": ["a", "é", "", "d", "e"],
        "shop": pl.Series([1, -2, 2**62 + 1, None, 5], dtype=pl.Int64),
        "price": pl.Series(["0.10", "-1.25", None, "3", "1000"]).cast(pl.Decimal(18, 2)),
        "weight": [0.1, None, float("inf"), -0.0, 1e300],
        "flag": [True, False, None, True, False],
        "due": [NOON, NOON + timedelta(microseconds=1), None, NOON, NOON],
        "window": pl.Series([[[1.5, 2], [3, 4]]] * ROWS, dtype=pl.Array(pl.Float32, (2, 2))),
        "asked_at": [NOON + timedelta(seconds=number) for number in range(ROWS)],
    }
)


class Served(NamedTuple):
    """A server of the predictor `kinds`, and the version that answers with what it was asked."""

    address: str
    echo: Echo


@pytest.fixture(scope="module")
def kinds() -> Iterator[Served]:
    parts, addresses = make_parts(), Queue[str]()
    server = Server(parts.service(), "127.0.0.1", 0, addresses.put, limits=Http(max_body_bytes=MOST_BYTES))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield Served(addresses.get(timeout=20), parts.echo)
    finally:
        server.stop()
        thread.join()


@pytest.fixture
def client(kinds: Served) -> Iterator[un.Client]:
    with un.Client(kinds.address) as client:
        yield client


def plain(rows: list[Any]) -> list[Any]:
    """Rows with arrays as lists, so that they can be compared; -0.0 and 0.0 are two."""
    return [[repr(value.tolist() if isinstance(value, np.ndarray) else value) for value in row] for row in rows]


def test_a_frame_brings_its_rows_bit_by_bit_and_gets_its_outputs(kinds: Served, client: un.Client) -> None:
    found = client.predict_frame("kinds", FRAME)
    asked = plain(kinds.echo.rows)
    assert found.columns == [
        *FRAME.columns,
        *("prediction", "shares", "seen", "large"),
        "served.version",
        "served.position",
    ]
    assert found.select(FRAME.columns).equals(FRAME)
    assert found["prediction"].to_list() == [0.1, 0.0, float("inf"), 0.0, 1e300]
    assert found["shares"].to_list()[0] == pytest.approx([0.1, 0.9])
    assert found["seen"].to_list() == FRAME["name"].to_list()
    assert found["large"].to_list() == [False, False, True, False, True]
    assert (found["served.version"].unique().item(), found["served.position"].unique().item()) == ("echo1", 5)
    shop, price, weight = ([row[place] for row in asked] for place in (1, 2, 3))
    assert (shop[2], shop[3]) == (str(2**62 + 1), "None")
    assert price == ["10", "-125", "None", "300", "100000"]
    assert weight == ["0.1", "None", "inf", "-0.0", "1e+300"]


def test_both_ways_to_send_a_frame_ask_for_the_same(kinds: Served, client: un.Client) -> None:
    frame = FRAME.with_columns(pl.col("weight").fill_null(0.5).replace(float("inf"), 2.5))  # JSON has no infinity
    answers = client.predict("kinds", frame)
    as_json = plain(kinds.echo.rows)
    found = client.predict_frame("kinds", frame)
    assert plain(kinds.echo.rows) == as_json
    assert found["prediction"].to_list() == [one.prediction["prediction"] for one in answers]


@pytest.mark.parametrize("library", ["polars", "pyarrow", "pandas"])
def test_frames_of_other_libraries_are_taken(client: un.Client, library: str) -> None:
    frame = FRAME.drop("window", "price").with_columns(shop=pl.lit(1), flag=pl.lit(True))
    rest = {"price": pl.Series([1.5] * ROWS), "window": FRAME["window"]}
    whole: Any = frame.with_columns(**rest)
    forms = {"polars": whole, "pyarrow": whole.to_arrow(), "pandas": whole.to_pandas(use_pyarrow_extension_array=True)}
    assert client.predict_frame("kinds", forms[library])["prediction"].to_list()[0] == 0.1


def test_a_large_frame_goes_in_pieces_that_a_server_takes(client: un.Client) -> None:
    large = pl.concat([FRAME] * 1000).with_columns(name=pl.int_range(5000).cast(pl.String) + "x" * 500)
    found = client.predict_frame("kinds", large, timeout_s=60.0)
    assert found["seen"].equals(large["name"].alias("seen"))
    assert found.height == 5000


def test_a_version_can_be_asked_for_by_its_alias(client: un.Client) -> None:
    assert client.predict_frame("kinds", FRAME, version="champion")["served.version"][0] == "echo1"
    with pytest.raises(RefusedError) as caught:
        client.predict_frame("kinds", FRAME, version="nosuch")
    assert caught.value.code == "no_such_version"
    assert client.models() == [Version("kinds", "echo1", "READY")]


def test_features_come_from_the_real_server(client: un.Client) -> None:
    row = json.loads(FRAME.with_columns(weight=0.5, price=pl.lit("1.5")).slice(0, 1).write_json())[0]
    row |= {"due": NOON, "asked_at": NOON}
    found = client.features("kinds", row)
    assert found.values == {"first": 0.0, "second": 0.0}
    assert found.time == NOON


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        (FRAME.clear(), "a frame without rows; allowed: at least one"),
        (FRAME.with_columns(due=date(2026, 1, 1)), 'column "due": a column of Date; allowed: numbers, text'),
        (FRAME.with_columns(due=datetime(2026, 1, 1)), 'column "due": times without a zone'),
        (pl.DataFrame({"window": [[1], [1, 2]]}), 'column "window": List.Int64. with nulls, or of no numbers'),
        (pl.DataFrame({"window": [[1], [None]]}), 'column "window": List.Int64. with nulls, or of no numbers'),
        (pl.DataFrame({"window": [["a"], ["b"]]}), 'column "window": List.String. with nulls, or'),
        (pl.DataFrame({"window": [[1], None]}), 'column "window": List.Int64. with nulls, or'),
        ([{"name": "a"}], "predict kinds: .* allowed: a frame with Arrow's PyCapsule interface"),
    ],
)
def test_what_cannot_be_sent_is_refused(client: un.Client, frame: Any, said: str) -> None:
    with pytest.raises(un.InputError, match=said):
        client.predict_frame("kinds", frame)


def test_what_does_not_fit_is_refused_by_the_server_in_its_words(client: un.Client) -> None:
    with pytest.raises(RefusedError, match=r'predict kinds: .*"shop": FP64 .*; allowed: INT64') as caught:
        client.predict_frame("kinds", FRAME.with_columns(shop=0.5))
    assert (caught.value.code, caught.value.status) == ("invalid_request", 400)


# Answers that are none ------------------------------------------------------------------------------------------------

SMALL = pl.DataFrame({"x": [1.0, 2.0]})


def binary(raw: bytes = bytes(16), *, length: int | None = None, **changes: Any) -> Step:
    """An answer to SMALL in binary form, sound but for what is changed."""
    output = {"name": "y", "datatype": "FP64", "shape": [2], "parameters": {"binary_data_size": 16}} | changes
    said = {"model_version": "v1", "parameters": {"position": 7}, "outputs": [output]}
    text = msgspec.json.encode(said)
    return reply(200, text + raw, inference_header_content_length=str(len(text) if length is None else length))


def test_a_sound_answer_is_read() -> None:
    with scripted(binary(np.array([0.25, -0.5]).tobytes())) as server, un.Client(server.address) as client:
        found = client.predict_frame("a b", SMALL, version="v1")
        assert found.to_dict(as_series=False) == {
            "x": [1.0, 2.0],
            "y": [0.25, -0.5],
            "served.version": ["v1"] * 2,
            "served.position": [7] * 2,
        }
        (asked,) = server.asked
        assert asked.line == "POST /v2/models/a%20b/versions/v1/infer HTTP/1.1"
        length = int(asked.headers["inference-header-content-length"])
        assert asked.body[length:] == np.array([1.0, 2.0]).tobytes()


@pytest.mark.parametrize(
    "step",
    [
        binary(bytes(15)),
        binary(bytes(17)),
        binary(length=5),
        binary(length=10**6),
        binary(length=-1),
        binary(shape=[3]),
        binary(shape=[]),
        binary(shape=[2, 2]),
        binary(datatype="FP8"),
        binary(datatype="BYTES"),
        binary(datatype="BYTES", raw=b"\x01\0\0\0\xff" * 2, parameters={"binary_data_size": 10}),
        binary(parameters={"binary_data_size": -1}),
        reply(200, {"outputs": []}),
        reply(200, b"<html>"),
    ],
)
def test_an_answer_that_is_none_is_the_servers_fault(step: Step) -> None:
    wrong = pytest.raises(FailedError, match="predict x: not an answer of unisono's server")
    with scripted(step) as server, un.Client(server.address) as client, wrong:
        client.predict_frame("x", SMALL)


def test_an_output_that_is_called_as_a_column_is_refused() -> None:
    twice = pytest.raises(un.InputError, match='column "x": an output has this name, too')
    with scripted(binary(name="x")) as server, un.Client(server.address) as client, twice:
        client.predict_frame("x", SMALL)


def test_frames_are_sent_again_and_keep_their_time_as_rows_are() -> None:
    with scripted(problem(503, "overloaded"), binary(), hang) as server, un.Client(server.address) as client:
        assert client.predict_frame("x", SMALL)["y"].to_list() == [0.0, 0.0]
        with pytest.raises(LateError):
            client.predict_frame("x", SMALL, timeout_s=0.2)
    busy, budget = pytest.raises(BusyError), Budget(reserve=0)
    with scripted(problem(503, "stopping")) as server, un.Client(server.address, budget=budget) as client, busy:
        client.predict_frame("x", SMALL)
