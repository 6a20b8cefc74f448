"""The client: what it sends, what it makes of answers, and that it keeps to its time and its budget."""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import socket
import subprocess
import sys
import threading
from datetime import UTC, datetime
from decimal import Decimal
from queue import Queue
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import unisono as un
from tests.client.scripted import (
    ONE,
    Scripted,
    Step,
    answer_one,
    answer_rows,
    cut,
    drip,
    drop,
    hang,
    problem,
    reply,
    scripted,
)
from tests.serving.conftest import Client as PlainClient
from unisono.client import (
    Answer,
    BusyError,
    CallError,
    DeniedError,
    FailedError,
    LateError,
    RefusedError,
    UnreachableError,
    Version,
)
from unisono.client.asynchronous import PIECE_ROWS
from unisono.client.retrying import Budget, Patience

pytestmark = pytest.mark.slow

ROW = {"carrier": "UA"}
ANSWER = Answer({"late": 0.5}, "v1", 7, datetime(2026, 1, 1, tzinfo=UTC))


def ask(script: Step, *more: Step, rows: Any = ROW, **options: Any) -> tuple[Any, Scripted]:
    """What comes of one call, the error if there is one; and what the server saw."""
    budget = options.pop("budget", None)
    with scripted(script, *more) as server, un.Client(server.address, token="uns_a_b", budget=budget) as client:
        try:
            return client.predict("delay", rows, **options), server
        except CallError as error:
            return error, server


# Against the real server ----------------------------------------------------------------------------------------------


def test_the_real_server_answers_one_row_and_several(client: PlainClient, request_row: dict[str, Any]) -> None:
    said = client.ask(request_row)[1]
    with un.Client(client.address) as real:
        assert real.ready()
        one = real.predict("risk", request_row)
        assert one.prediction == said["prediction"]
        assert (one.version, one.position) == (said["version"], said["position"])
        assert one.time == datetime.fromisoformat(said["time"])
        assert real.predict("risk", [request_row] * 3) == [one] * 3


def test_a_frame_of_any_library_is_answered_row_by_row(client: PlainClient, request_row: dict[str, Any]) -> None:
    rows = [{**request_row, "user": f"u{number}"} for number in range(5)]
    frame = pl.DataFrame(rows).with_columns(pl.col("asked_at").str.to_datetime(time_unit="us", time_zone="UTC"))
    with un.Client(client.address) as real:
        expected = [real.predict("risk", row) for row in rows]
        for form in (frame, frame.to_arrow(), frame.to_pandas()):
            assert real.predict("risk", form) == expected


def test_the_real_server_refuses_in_its_own_words(client: PlainClient, request_row: dict[str, Any]) -> None:
    with un.Client(client.address) as real:
        with pytest.raises(RefusedError, match=r"predict risk: request to risk: .*shop.*; allowed: ") as caught:
            real.predict("risk", {**request_row, "shop": "x"})
        assert (caught.value.code, caught.value.status) == ("invalid_request", 422)
        assert caught.value.problem["title"] == "The request does not fit the predictor"
        with pytest.raises(RefusedError) as caught:
            real.predict("no such/model", request_row)
        assert caught.value.code == "no_such_model"


def test_the_client_for_asyncio_asks_many_at_once(client: PlainClient, request_row: dict[str, Any]) -> None:
    async def main() -> None:
        async with un.AsyncClient(client.address) as real:
            assert await real.ready()
            answers = await asyncio.gather(*(real.predict("risk", request_row) for _ in range(50)))
        assert answers == [answers[0]] * 50

    asyncio.run(main())


# What is sent ---------------------------------------------------------------------------------------------------------


def test_a_call_sends_its_token_its_time_and_its_row() -> None:
    answer, server = ask(answer_one, timeout_s=5.0, version="a b")
    (asked,) = server.asked
    assert answer == ANSWER
    assert asked.line == "POST /predict/delay?version=a%20b HTTP/1.1"
    assert asked.headers["authorization"] == "bearer uns_a_b"  # the script reads all in small letters
    assert 4000 < int(asked.headers["x-timeout-ms"]) <= 5000
    assert json.loads(asked.body) == ROW


@pytest.mark.parametrize(
    ("value", "sent"),
    [
        (datetime(2026, 1, 1, 12, 0, 0, 5, tzinfo=UTC), "2026-01-01T12:00:00.000005Z"),
        (np.datetime64("2026-01-01T12:00:00.000005"), "2026-01-01T12:00:00.000005Z"),
        (pd.Timestamp("2026-01-01T13:00:00.000005+01:00"), "2026-01-01T13:00:00.000005+01:00"),
        (Decimal("0.10"), "0.10"),
        (np.int64(2**62 + 1), 2**62 + 1),
        (np.float32(1.5), 1.5),
        (np.float64(0.1), 0.1),
        (np.bool_(True), True),
        (np.arange(6).reshape(2, 3), [[0, 1, 2], [3, 4, 5]]),
        (float("nan"), None),
        (np.datetime64("NaT"), None),
        (pd.NaT, None),
        (pd.NA, None),
        ("é", "é"),
    ],
    ids=repr,
)
def test_values_are_sent_as_what_they_stand_for(value: object, sent: object) -> None:
    _, server = ask(answer_one, rows={"value": value})
    assert json.loads(server.asked[0].body) == {"value": sent}


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ({"a": object()}, "cannot be sent; allowed: text, numbers"),
        ({"a": pd.Series([1])}, "cannot be sent"),
        ({"a": np.timedelta64(1, "s")}, "cannot be sent"),
        ({"a": "\ud800"}, "surrogates not allowed"),
        (5, "5 .of type int. has no rows; allowed: a mapping"),
        ("text", '"text" has no rows'),
        (pl.DataFrame({"at": [datetime(2026, 1, 1)]}), 'column "at": times without a zone; allowed: times with a zone'),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_cannot_be_sent_is_refused_before_anything_is(rows: Any, said: str) -> None:
    with scripted(answer_one) as server, un.Client(server.address) as client:
        with pytest.raises(un.InputError, match=f"predict delay.*{said}"):
            client.predict("delay", rows)
        assert server.asked == []


def test_many_rows_go_in_pieces_and_come_back_in_order() -> None:
    frame = pl.DataFrame({"row": range(2 * PIECE_ROWS + 1)})
    answers, server = ask(answer_rows, rows=frame)
    assert [one.prediction["row"] for one in answers] == frame["row"].to_list()
    assert [len(json.loads(asked.body)) for asked in server.asked] == [PIECE_ROWS, PIECE_ROWS, 1]
    assert (
        ask(answer_rows, rows=(row for row in [ROW, ROW]))[0]
        == [Answer(ROW, "v1", 7, datetime(2026, 1, 1, tzinfo=UTC))] * 2
    )
    assert ask(answer_rows, rows=pa.table({"row": pa.array([], pa.int64())}))[0] == []


def test_wide_frames_go_in_smaller_pieces() -> None:
    frame = pl.DataFrame({f"a_long_name_of_a_column_{place}": np.linspace(0, 1, 1500) for place in range(60)})
    answers, server = ask(answer_rows, rows=frame)
    assert [one.prediction for one in answers] == frame.to_dicts()
    assert max(len(asked.body) for asked in server.asked) < 2**20 / 2


def test_features_are_numbers_also_those_that_json_has_not() -> None:
    one = {"a": 1.5, "b": None, "c": "NaN", "d": "-Infinity"}
    time = "2026-01-01T00:00:00Z"
    script = (
        reply(200, {"features": one, "position": 7, "time": time}),
        reply(200, {"features": [one, one], "position": 7, "times": [time, time]}),
        reply(200, {"features": {"a": "text"}, "position": 7, "time": time}),
    )
    with scripted(*script) as server, un.Client(server.address) as client:
        found = client.features("delay", ROW)
        assert repr(found.values) == repr({"a": 1.5, "b": None, "c": float("nan"), "d": float("-inf")})
        assert (found.position, found.time) == (7, datetime(2026, 1, 1, tzinfo=UTC))
        assert repr(client.features("delay", [ROW, ROW])) == repr([found, found])
        with pytest.raises(FailedError, match="features delay: not an answer of unisono's server"):
            client.features("delay", ROW)
        assert {asked.line for asked in server.asked} == {"POST /features/delay HTTP/1.1"}


def test_the_versions_of_the_server_are_listed() -> None:
    listed = [{"name": "delay", "version": "v1", "state": "READY", "reason": ""}]
    with scripted(reply(200, listed)) as server, un.Client(server.address) as client:
        assert client.models() == [Version("delay", "v1", "READY")]
        assert server.asked[0].line == "POST /v2/repository/index HTTP/1.1"


def test_a_server_may_be_mounted_under_a_path() -> None:
    with scripted(answer_one) as server, un.Client(server.address + "/ml/") as client:
        client.predict("a/b", ROW)
        assert server.asked[0].line == "POST /ml/predict/a%2Fb HTTP/1.1"


# What is sent again ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "failing", [drop, problem(503, "overloaded"), problem(429, "rate_limited")], ids=["dropped", "503", "429"]
)
def test_what_may_help_is_tried_again(failing: Step) -> None:
    answer, server = ask(failing, failing, answer_one)
    assert answer == ANSWER
    assert len(server.asked) == 3


@pytest.mark.parametrize(
    ("step", "kind"),
    [
        (problem(400, "bad_request"), RefusedError),
        (problem(401, "unauthorized"), DeniedError),
        (problem(403, "forbidden"), DeniedError),
        (problem(404, "no_such_model"), RefusedError),
        (problem(413, "body_too_large"), RefusedError),
        (problem(422, "invalid_request"), RefusedError),
        (problem(500, "model_failed"), FailedError),
        (problem(504, "deadline_exceeded"), LateError),
        (reply(302, b"", location="http://127.0.0.1:1/"), FailedError),
        (reply(502, b"<html>bad gateway"), FailedError),
        (reply(200, b"<html>hello"), FailedError),
        (reply(200, {**ONE, "position": "x"}), FailedError),
        (cut, UnreachableError),
    ],
)
def test_what_would_not_help_is_not_tried_again(step: Step, kind: type[CallError]) -> None:
    error, server = ask(step, answer_one)
    assert type(error) is kind
    assert isinstance(error, un.UnisonoError)
    assert "predict delay: " in str(error) and "allowed: " in str(error)
    assert len(server.asked) == 1


def test_the_server_says_when_to_come_again() -> None:
    answer, server = ask(problem(503, "overloaded", retry_after="1"), answer_one)
    assert answer == ANSWER
    assert server.asked[1].at_s - server.asked[0].at_s >= 1.0
    assert int(server.asked[1].headers["x-timeout-ms"]) <= 9000  # what is left of ten seconds


def test_nobody_waits_for_a_try_that_would_be_too_late() -> None:
    error, server = ask(problem(503, "overloaded", retry_after="60"), answer_one, timeout_s=30)
    assert isinstance(error, BusyError)
    assert (error.code, error.status, error.retry_after_s) == ("overloaded", 503, 60)
    assert len(server.asked) == 1


@pytest.mark.parametrize("silent", [hang, drip], ids=["says nothing", "never ends"])
def test_the_time_of_a_call_is_kept_whatever_the_server_does(silent: Step) -> None:
    error, server = ask(silent, timeout_s=0.3)
    assert isinstance(error, LateError)
    assert len(server.asked) == 1


def test_the_time_is_for_all_tries_together() -> None:
    error, server = ask(drop, timeout_s=0.5, budget=Budget(reserve=1e6))
    assert isinstance(error, LateError | UnreachableError)
    times = [int(asked.headers["x-timeout-ms"]) for asked in server.asked]
    assert len(times) > 2
    assert times == sorted(times, reverse=True)


def test_the_time_of_a_frame_is_for_all_its_pieces() -> None:
    error, server = ask(answer_rows, hang, rows=pl.DataFrame({"row": range(PIECE_ROWS + 1)}), timeout_s=0.4)
    assert isinstance(error, LateError)
    assert len(server.asked) == 2


def test_a_server_that_is_not_there_is_unreachable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with un.Client(f"http://127.0.0.1:{port}", budget=Budget(reserve=2)) as client:
        with pytest.raises(
            UnreachableError, match=r"no answer from http://127.0.0.1:\d+ .*; allowed: a server that can"
        ):
            client.predict("delay", ROW)
        assert not client.ready()


@pytest.mark.parametrize(("step", "ready"), [(reply(200, {}), True), (problem(503, "not_available"), False)])
def test_readiness_is_asked_once(step: Step, ready: bool) -> None:
    with scripted(step) as server, un.Client(server.address) as client:
        assert client.ready() is ready
        assert len(server.asked) == 1


def test_a_server_in_trouble_gets_at_most_a_tenth_more() -> None:
    with scripted(problem(503, "overloaded")) as server, un.Client(server.address, budget=Budget(0.1, 3)) as client:
        client._client._patience = Patience(chance=lambda: 0.0)
        for _ in range(100):
            with pytest.raises(BusyError):
                client.predict("delay", ROW)
        assert 110 <= len(server.asked) <= 113


def test_pauses_grow_up_to_a_bound_and_are_as_long_as_asked() -> None:
    patience = Patience(chance=lambda: 1.0)
    lost = UnreachableError("lost", may_repeat=True)
    assert [patience.pause_s(lost, tries) for tries in (1, 2, 3, 10)] == [0.05, 0.1, 0.2, 2.0]
    assert patience.pause_s(UnreachableError("cut", may_repeat=False), 1) is None
    for chance in (0.0, 0.5, 1.0):
        asked = Patience(chance=lambda: chance).pause_s(BusyError("busy", retry_after_s=3), 1)  # noqa: B023
        assert asked is not None and 3 <= asked <= 3.75


# Its life -------------------------------------------------------------------------------------------------------------


def test_connections_are_kept() -> None:
    ports: set[object] = set()

    def remember(asked: Any, writer: asyncio.StreamWriter) -> None:
        ports.add(writer.get_extra_info("peername"))
        answer_one(asked, writer)

    with scripted(remember) as server, un.Client(server.address) as client:
        for _ in range(10):
            client.predict("delay", ROW)
    assert len(ports) == 1


def test_threads_share_a_client() -> None:
    with scripted(answer_one) as server, un.Client(server.address) as client:
        found: list[Answer] = []
        threads = [threading.Thread(target=lambda: found.append(client.predict("delay", ROW))) for _ in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        assert found == [ANSWER] * 20


def test_a_closed_client_says_so_and_leaves_no_thread() -> None:
    with scripted(answer_one) as server:
        before = threading.active_count()
        client = un.Client(server.address)
        client.predict("delay", ROW)
        client.close()
        client.close()
        assert threading.active_count() == before
        with pytest.raises(un.StoreError, match="client: it is closed; allowed: an open one"):
            client.predict("delay", ROW)


def _ask_in_a_fork(client: un.Client, told: Any) -> None:
    try:
        client.predict("delay", ROW)
    except un.StoreError as error:
        client.close()  # which waits for nobody
        told.send(str(error))


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_client_is_not_for_a_process_that_was_forked_from_its_own() -> None:
    ours, theirs = multiprocessing.Pipe()
    with scripted(answer_one) as server, un.Client(server.address) as client:
        child = multiprocessing.get_context("fork").Process(target=_ask_in_a_fork, args=(client, theirs))
        child.start()
        assert ours.poll(20)
        assert "it was made before this process was forked" in ours.recv()
        child.join(20)


@pytest.mark.parametrize(
    "address",
    [
        *("", "127.0.0.1:8080", "ftp://x", "http://", "http://x/?a=1", "http://x/#a", "http://me:secret@x"),
        *("http://x:port", "http://x:99999", "http://[::1"),
    ],
)
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(un.InputError, match="is no address of a server; allowed: http:// or https://"):
        un.Client(address)


@pytest.mark.parametrize("token", ["", "\n", "uns_a b", "uns_a\r\nx: y", "uns_é"])
def test_what_is_no_token_is_refused_and_not_shown(token: str) -> None:
    with pytest.raises(un.InputError, match="the token has characters that no token has") as caught:
        un.Client("http://127.0.0.1:1", token=token)
    assert not token.strip() or token not in str(caught.value)


def test_a_token_may_come_from_a_file_with_a_line_break() -> None:
    with scripted(answer_one) as server, un.Client(server.address, token="uns_a_b\n") as client:
        client.predict("delay", ROW)
        assert server.asked[0].headers["authorization"] == "bearer uns_a_b"


def test_calls_of_other_threads_end_when_a_client_is_closed() -> None:
    ended: Queue[Exception] = Queue()

    def call(client: un.Client) -> None:
        try:
            client.predict("delay", ROW, timeout_s=60.0)
        except un.StoreError as error:
            ended.put(error)

    with scripted(hang) as server:
        client = un.Client(server.address)
        threads = [threading.Thread(target=call, args=(client,)) for _ in range(3)]
        for thread in threads:
            thread.start()
        while len(server.asked) < 3:
            threads[0].join(0.01)
        client.close()
        for thread in threads:
            thread.join(20)
    assert ["it was closed during the call" in str(ended.get(timeout=1)) for _ in threads] == [True] * 3


def test_a_client_that_nobody_closed_does_not_keep_the_process() -> None:
    with scripted(answer_one) as server:
        script = f"import unisono as un; print(un.Client({server.address!r}).predict('delay', {ROW!r}).version)"
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert (done.stdout, done.stderr) == ("v1\n", "")


@pytest.mark.parametrize("timeout_s", [0, -1, float("nan")])
def test_a_time_that_is_none_is_refused(timeout_s: float) -> None:
    with un.Client("http://127.0.0.1:1") as client, pytest.raises(un.InputError, match="allowed: seconds above 0"):
        client.predict("delay", ROW, timeout_s=timeout_s)


def test_without_the_extra_all_but_the_client_works_and_it_says_what_is_missing() -> None:
    script = (
        "import sys; sys.modules['aiohttp'] = None\n"
        "import unisono as un\n"
        "try: un.Client('http://127.0.0.1:1')\n"
        "except un.StoreError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "the client needs the library aiohttp; install it: pip install 'unisono[client]'\n"
