"""A server whose parts are taken away, killed and misled: the others go on, and it says how it is.

UNISONO_ROUNDS: quick and test switch versions 6 times and burst for 2 s; soak 50 times, and for 30 s.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import cycle, islice
from pathlib import Path
from urllib.parse import urlsplit

import pytest

import unisono as un
from benchmarks.serving.callers import Seen, post
from tests.faults.servers import PATIENCE_S, REQUESTS, SETTINGS, Target, asked, load, make, until
from tests.faults.strange_models import HANGS, NO_NUMBER, RAISES, strange_model
from tests.serving.load.served import ServedProject, serving

ROUND = os.environ.get("UNISONO_ROUNDS", "test")
SWITCHES = {"quick": 3, "test": 6, "soak": 50}[ROUND]
BURST_S = {"quick": 1.0, "test": 2.0, "soak": 30.0}[ROUND]
CONNECTIONS = 8
GROWTH_MB = 64.0

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("faults") / "project"
    make(made)
    return made


@pytest.fixture(scope="module")
def target(folder: Path) -> Iterator[Target]:
    """A server with two workers."""
    with serving(folder, SETTINGS) as served:
        yield Target(un.load(folder), served)


def test_a_killed_worker_costs_no_answer_but_those_of_its_own_connections_and_comes_back(target: Target) -> None:
    victim = target.workers()[0]["pid"]
    with load(target, connections=CONNECTIONS) as going:
        going.wait(200)
        os.kill(victim, signal.SIGKILL)
        until(lambda: is_replaced(target, victim))
        going.wait(200)
    statuses = going.statuses()
    assert set(statuses) <= {0, 200}
    assert statuses.get(0, 0) <= 2 * CONNECTIONS  # a connection, and one that was made before its socket was gone
    assert '"worker_ended"' in target.said


def is_replaced(target: Target, victim: int) -> bool:
    """Whether another worker listens in its place. Who asks may have been in the victim's queue."""
    with suppress(OSError):
        worker = target.workers()[0]
        return bool(worker["listens"]) and worker["pid"] != victim
    return False


def test_a_model_that_fails_on_a_request_costs_no_other_one_its_answer(target: Target) -> None:
    mixed = [post("/predict/plain", json.dumps({"shop": shop}).encode()) for shop in (1, RAISES, 2, 3)]
    with load(target, connections=CONNECTIONS, requests=mixed) as going:
        going.wait(200)
    for one in going.seen:
        assert one.status == (200 if one.number != 1 else 422), one
    assert target.readiness()[0] == 200


def test_no_number_is_null(target: Target) -> None:
    assert target.ask(NO_NUMBER)[1]["prediction"] == {"prediction": None}


def test_a_model_that_hangs_is_given_up_and_answers_again_once_it_is_stopped(target: Target) -> None:
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
        until(lambda: all(target.readiness()[0] == 503 for _ in range(10)))  # whichever worker is asked
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
    second = target.project.register("plain", strange_model(-3.0), sample=asked(), alias="challenger").version
    until(lambda: is_served(target, second.id))
    expected = {one.id: answer_of(target, one.id) for one in (first, second)}
    assert len(set(expected.values())) == 2
    with load(target, connections=CONNECTIONS, requests=[post("/predict/plain", b'{"shop": 3}')]) as going:
        for version in islice(cycle([second, first]), SWITCHES):
            registry.promote(version)
            until(lambda id=version.id: latest(going.seen) == {id})  # type: ignore[misc]  # bound at once
            going.wait(20)
    registry.promote(first)
    assert set(going.statuses()) == {200}
    for one in going.seen:
        answer = json.loads(one.body)
        assert answer["prediction"]["prediction"] == expected[answer["version"]]


def is_served(target: Target, version: str) -> bool:
    """Whether a version is known, whichever worker is asked."""
    path = f"/predict/plain?version={version}"
    return all(target.send("POST", path, {"shop": 1})[0] == 200 for _ in range(10))


def answer_of(target: Target, version: str) -> float:
    _, answer, _ = target.send("POST", f"/predict/plain?version={version}", {"shop": 3})
    return float(answer["prediction"]["prediction"])


def latest(answers: list[Seen]) -> set[str]:
    """The versions of the last answers of all connections."""
    return {json.loads(one.body)["version"] for one in answers[-4 * CONNECTIONS :]}


def test_a_burst_is_refused_politely_and_forgotten(target: Target) -> None:
    """Sixty times as many rows at once as may wait; each caller comes again at once, whatever it was told."""
    rows = json.dumps([{"user": f"u{number % 7}", "shop": number % 3} for number in range(500)]).encode()
    burst = [post("/predict/risk", rows, "x-timeout-ms: 500")]
    resident = target.served.resident_mb
    with load(target, connections=128, requests=burst) as going:
        ends_s = time.monotonic() + BURST_S
        until(lambda: time.monotonic() > ends_s)
    statuses = going.statuses()
    assert {200, 503} <= set(statuses) <= {200, 429, 503, 504}, statuses
    assert all(one.retry_after for one in going.seen if one.is_refused)
    assert target.send("POST", "/predict/risk", {"user": "u1", "shop": 1})[0] == 200
    after = target.served.resident_mb
    assert after.keys() == resident.keys(), "a process ended"
    assert max(after[pid] - resident[pid] for pid in after) < GROWTH_MB


def test_a_server_that_is_told_to_stop_says_so_first_and_answers_what_it_has_accepted(
    target: Target, folder: Path
) -> None:
    with (
        settings_of(folder, lambda text: text.replace("count = 2", "count = 2\nlinger_s = 1.0")),
        starting(folder) as process,
    ):
        stopping = Target(target.project, ServedProject(port_of(process), process.pid, folder / "said.txt"))
        with load(stopping, connections=CONNECTIONS) as going:
            going.wait(200)
            process.terminate()
            until(lambda: stopping.readiness()[1]["status"] == "stopping")
            going.wait(100)
            assert process.wait(PATIENCE_S) == 0
        assert set(going.statuses()) == {200}


@pytest.mark.parametrize("harm", [os.close, lambda reader: None], ids=["has gone", "does not read"])
def test_a_server_stops_though_whoever_read_its_stderr(harm: Callable[[int], None], folder: Path) -> None:
    reader, writer = os.pipe()
    with starting(folder, "--workers", "1", stderr=writer) as process:
        port_of(process)
        fill(writer)
        harm(reader)
        os.kill(process.pid, signal.SIGHUP)  # which it says, too
        process.terminate()
        assert process.wait(PATIENCE_S) == 0


def fill(writer: int) -> None:
    """A pipe, until it takes no more."""
    os.set_blocking(writer, False)
    with suppress(BlockingIOError):
        while os.write(writer, b"\n" * 4096):
            pass
    with suppress(BlockingIOError):
        while os.write(writer, b"\n"):
            pass
    os.set_blocking(writer, True)


def lingering(text: str) -> str:
    return text.replace("count = 2", "count = 2\nlinger_s = 1.0")


@contextmanager
def settings_of(folder: Path, change: Callable[[str], str]) -> Iterator[Callable[[Callable[[str], str]], None]]:
    """Changes unisono.toml for a while; gives what changes it again, from what it was at first."""
    path = folder / "unisono.toml"
    before = path.read_text()

    def write(change: Callable[[str], str]) -> None:
        path.write_text(change(before))

    write(change)
    try:
        yield write
    finally:
        path.write_text(before)


@contextmanager
def starting(folder: Path, *options: str, stderr: int | None = None) -> Iterator[subprocess.Popen[bytes]]:
    """Another server over the same project."""
    options = options or ("--quiet",)
    command = [sys.executable, "-m", "unisono", "serve", "--json", "--port", "0", "--project", str(folder), *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stderr) as process:
        try:
            yield process
        finally:
            process.kill()


def port_of(process: subprocess.Popen[bytes]) -> int:
    """Once it can be reached."""
    assert process.stdout is not None
    return urlsplit(str(json.loads(process.stdout.readline())["url"])).port or 0


def test_a_changed_unisono_toml_is_taken_over_on_sighup_and_a_wrong_one_is_not(folder: Path, target: Target) -> None:
    large = {"user": "u1" * 500, "shop": 1}
    with settings_of(folder, lambda text: text.replace("[serve.http]", "[serve.http]\nmax_body_bytes = 300")) as write:
        os.kill(target.served.pid, signal.SIGHUP)
        until(lambda: all(target.send("POST", "/predict/risk", large)[0] == 413 for _ in range(10)))
        write(lambda text: text.replace("[serve.http]", "[serve.http]\nmax_body_bytes = -1"))
        status, answer, _ = target.send("POST", "/admin/reload")
        assert status == 409
        assert "max_body_bytes" in answer["detail"]
        assert target.send("POST", "/predict/risk", large)[0] == 413
    assert target.send("POST", "/admin/reload")[0] == 200
    until(lambda: all(target.send("POST", "/predict/risk", large)[0] == 200 for _ in range(10)))
