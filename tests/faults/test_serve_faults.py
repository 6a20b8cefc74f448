"""A server whose parts are taken away, killed and misled: the others go on, and it says how it is.

UNISONO_ROUNDS: quick and test switch versions 6 times and burst for 2 s; soak 50 times, and for 30 s.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import struct
import time
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path

import pytest

from benchmarks.serving.callers import Seen, post
from tests.faults.servers import REQUESTS, SETTINGS, Target, load, make, until
from tests.faults.strange_models import HANGS, NO_NUMBER, RAISES, strange_model
from tests.serving.load.served import serving

ROUND = os.environ.get("UNISONO_ROUNDS", "test")
SWITCHES = {"quick": 3, "test": 6, "soak": 50}[ROUND]
BURST_S = {"quick": 1.0, "test": 2.0, "soak": 30.0}[ROUND]
CONNECTIONS = 8

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("faults") / "project"
    make(made)
    return made


@pytest.fixture(scope="module")
def target(folder: Path) -> Iterator[Target]:
    """A server with two workers."""
    import unisono as un

    with serving(folder, SETTINGS) as served:
        yield Target(un.load(folder), served)


def test_a_killed_worker_costs_its_own_connections_one_answer_each_and_comes_back(target: Target) -> None:
    victim = target.workers()[0]["pid"]
    with load(target, connections=CONNECTIONS) as going:
        going.wait(200)
        os.kill(victim, signal.SIGKILL)
        until(lambda: target.workers()[0]["pid"] not in (victim, None) and target.workers()[0]["listens"])
        going.wait(200)
    statuses = going.statuses()
    assert set(statuses) <= {0, 200}
    assert statuses.get(0, 0) <= CONNECTIONS
    assert '"worker_ended"' in target.said


def test_a_model_that_fails_on_a_request_costs_no_other_one_its_answer(target: Target) -> None:
    mixed = [post("/predict/plain", json.dumps({"shop": shop}).encode()) for shop in (1, RAISES, 2, 3)]
    with load(target, connections=CONNECTIONS, requests=mixed) as going:
        going.wait(200)
    for one in going.seen:
        assert one.status == (200 if one.number != 1 else 422), one
    assert target.readiness()[0] == 200


def test_no_number_is_null(target: Target) -> None:
    assert target.ask(NO_NUMBER)[1]["prediction"] == {"prediction": None}


def test_a_model_that_hangs_is_given_up_and_readiness_tells_so_until_it_answers_again(target: Target) -> None:
    with load(target, connections=CONNECTIONS) as others:
        status, answer = target.ask(HANGS)
        assert (status, answer["code"]) == (504, "deadline_exceeded")
        others.wait(100)
        until(lambda: target.ask(1)[0] == 200, lambda: target.readiness())
    assert set(others.statuses()) == {200}
    until(lambda: target.readiness()[0] == 200)
    assert len(target.workers()) == 2


def test_states_that_are_removed_are_missed_by_those_who_need_them_only_and_found_again(target: Target) -> None:
    state = target.project.state_path("risk")
    gone = state.with_name("gone")
    state.rename(gone)
    try:
        until(lambda: target.readiness()[0] == 503)
        status, answer, headers = target.send("POST", "/predict/risk", {"user": "u1", "shop": 1})
        assert (status, answer["code"]) == (503, "not_available")
        assert {name.lower() for name in headers} >= {"retry-after"}
        assert "unisono stream" in answer["detail"]
        _, said = target.readiness()
        assert (list(said["reasons"]), list(said["positions"])) == (["risk"], ["plain"])
        assert target.send("GET", "/v2/health/ready")[0] == 503
        assert target.send("GET", "/health/live")[0] == 200
        assert target.ask(1)[0] == 200
    finally:
        gone.rename(state)
    until(lambda: all(target.readiness()[0] == 200 for _ in range(10)))
    assert target.send("POST", "/predict/risk", {"user": "u1", "shop": 1})[0] == 200


def test_clients_that_stall_or_vanish_hold_up_nobody_and_are_let_go(target: Target) -> None:
    address = ("127.0.0.1", target.served.port)
    stalled = [socket.create_connection(address) for _ in range(50)]
    for number, one in enumerate(stalled):
        one.sendall(REQUESTS[0][: 10 + number])
    for number in range(50):
        vanishing = socket.create_connection(address)
        vanishing.sendall(REQUESTS[0] if number % 2 else REQUESTS[0][:-5])
        vanishing.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        vanishing.close()
    with load(target, connections=CONNECTIONS) as going:
        going.wait(200)
    assert set(going.statuses()) == {200}
    for one in stalled:
        one.settimeout(60)
        with one:
            assert one.recv(1 << 16).startswith(b"HTTP/1.1 408 ")


def test_versions_are_switched_while_they_are_asked_and_each_answer_is_of_the_one_that_it_names(target: Target) -> None:
    registry = target.project.registry
    first = registry.active("plain")
    frame = target.project.training_frame("risk")  # the strange model reads no more than `shop` and the time
    second = target.project.register(
        "plain", strange_model(-3.0), sample=frame.select("shop", "asked_at").head(40), alias="challenger"
    ).version
    expected = {
        one.id: float(
            target.send("POST", f"/predict/plain?version={one.id}", {"shop": 3})[1]["prediction"]["prediction"]
        )
        for one in (first, until(lambda: is_served(target, second.id)) and second)
    }
    assert len(set(expected.values())) == 2
    requests = [post("/predict/plain", b'{"shop": 3}')]
    with load(target, connections=CONNECTIONS, requests=requests) as going:
        for version, _ in zip(cycle([second, first]), range(SWITCHES), strict=False):
            registry.promote(version)
            seen = len(going.seen)
            until(lambda seen=seen, id=version.id: named_by(going.seen[seen:]) == {id} or seen_last(going.seen, id))  # type: ignore[misc]  # bound at once
            going.wait(20)
    registry.promote(first)
    assert set(going.statuses()) == {200}
    for one in going.seen:
        answer = json.loads(one.body)
        assert answer["prediction"]["prediction"] == expected[answer["version"]]


def is_served(target: Target, version: str) -> bool:
    """Whether every worker knows a version."""
    return all(target.send("POST", f"/predict/plain?version={version}", {"shop": 1})[0] == 200 for _ in range(10))


def named_by(answers: list[Seen]) -> set[str]:
    return {json.loads(one.body)["version"] for one in answers if one.status == 200}


def seen_last(answers: list[Seen], version: str) -> bool:
    """Whether the last answers, of all connections, are of one version."""
    return named_by(answers[-4 * CONNECTIONS :]) == {version}


def test_a_burst_is_refused_politely_and_forgotten(target: Target) -> None:
    resident = target.served.resident_mb
    with load(target, connections=128) as going:
        deadline_s = time.monotonic() + BURST_S
        until(lambda: time.monotonic() > deadline_s)
    statuses = going.statuses()
    assert set(statuses) <= {200, 429, 503}
    assert all(one.retry_after for one in going.seen if one.is_refused)
    until(lambda: target.send("POST", "/predict/risk", {"user": "u1", "shop": 1})[0] == 200)
    after = target.served.resident_mb
    assert after.keys() == resident.keys()
    assert max(after[pid] - resident[pid] for pid in after) < 40


def test_a_server_that_is_told_to_stop_answers_what_it_has_accepted(folder: Path) -> None:
    import unisono as un

    with (
        pytest.raises(AssertionError, match='"stopped"'),
        serving(folder, SETTINGS) as served,
    ):  # it ends before the context does
        with load(Target(un.load(folder), served), connections=CONNECTIONS) as going:
            going.wait(200)
            os.kill(served.pid, signal.SIGTERM)
            until(lambda: '"stopped"' in served.said.read_text())
        assert set(going.statuses()) == {200}


def test_a_replaced_unisono_toml_is_taken_over_on_sighup_and_a_wrong_one_is_not(folder: Path, target: Target) -> None:
    path = folder / "unisono.toml"
    before = path.read_text()
    large = {"user": "u1" * 500, "shop": 1}
    try:
        path.write_text(before.replace("[serve.http]", "[serve.http]\nmax_body_bytes = 300"))
        os.kill(target.served.pid, signal.SIGHUP)
        until(lambda: all(target.send("POST", "/predict/risk", large)[0] == 413 for _ in range(10)))
        path.write_text(before.replace("[serve.http]", "[serve.http]\nmax_body_bytes = -1"))
        status, answer, _ = target.send("POST", "/admin/reload")
        assert status == 503
        assert "max_body_bytes" in answer["detail"]
        assert target.send("POST", "/predict/risk", large)[0] == 413
    finally:
        path.write_text(before)
    assert target.send("POST", "/admin/reload")[0] == 200
    until(lambda: all(target.send("POST", "/predict/risk", large)[0] == 200 for _ in range(10)))
