"""The keeper and the processes it keeps; what the workers answer with is an actor's."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from msgspec.structs import replace

import unisono as un
from tests.serving.workers.actor import BROKEN, HARMFUL
from tests.serving.workers.kept import ROUTES, SETTINGS, is_alive, kept, until
from unisono.drivers.serving.security.token_file import TokenFile
from unisono.drivers.serving.security.tokens import Token, draw
from unisono.drivers.serving.security.watching import TokenWatch
from unisono.drivers.serving.settings import Calls, Log, Serve, Tokens, Workers
from unisono.drivers.serving.workers.address import reserve
from unisono.spec.errors import InputError

pytestmark = pytest.mark.slow  # processes start and end in each


def test_all_workers_share_a_port_and_have_their_routes_before_it_is_announced() -> None:
    with kept() as server:
        answers = [server.get() for _ in range(40)]
    assert {answer["slot"] for answer in answers} == {0, 1}
    assert {allowed == most for answer in answers for allowed, most in [answer["files"]]} == {True}
    assert {answer["routes"]["risk"]["versions"]["v1"] for answer in answers} == {"folder"}


def test_a_killed_worker_is_replaced_and_the_other_goes_on() -> None:
    with kept() as server:
        victim, other = server.pids()
        assert victim is not None
        os.kill(victim, signal.SIGKILL)
        until(lambda: server.told("worker_ended"))
        until(server.all_listen)
        assert server.pids()[1] == other
        assert server.pids()[0] not in (victim, None)
        assert "SIGKILL" in server.told("worker_ended")[0].message
        until(lambda: server.get()["pid"] == server.pids()[0])


def test_a_replacement_knows_what_came_since_the_start() -> None:
    with kept(workers=1) as server:
        server.watcher.waiting = [replace(ROUTES, versions={"v2": "later"}, aliases={"champion": "v2"}, revision=2)]
        until(lambda: server.get()["routes"]["risk"]["revision"] == 2)
        assert server.try_get("/die") is None
        until(lambda: (server.try_get() or {"routes": {}})["routes"].get("risk", {}).get("revision") == 2)
        assert server.told("worker_ended")[0].fields == {"worker": 0, "restarts": 1}


def test_a_worker_whose_loop_stands_still_is_killed_and_replaced() -> None:
    settings = replace(SETTINGS, workers=Workers(silence_s=2.0))
    with kept(workers=1, settings=settings) as server:
        (victim,) = server.pids()
        assert victim is not None
        threading.Thread(target=server.try_get, args=("/hang",)).start()
        until(lambda: server.told("worker_ended"))
        assert "did not react for 2 s" in server.told("worker_ended")[0].message
        assert not is_alive(victim)
        until(lambda: server.try_get() is not None)


def test_requests_under_way_are_answered_before_a_worker_stops() -> None:
    answers: list[object] = []
    with kept(workers=1) as server:
        callers = [threading.Thread(target=lambda: answers.append(server.get("/slow/1"))) for _ in range(4)]
        for caller in callers:
            caller.start()
        until(lambda: server.get()["connections"] == 5)  # these four, and the one that asks
    for caller in callers:
        caller.join()
    assert len(answers) == 4
    assert server.told("worker_ended") == []


def test_who_does_not_stop_within_the_grace_period_is_killed() -> None:
    settings = replace(SETTINGS, workers=Workers(grace_s=0.1, silence_s=1000))
    with kept(workers=1, settings=settings) as server:
        (victim,) = server.pids()
        threading.Thread(target=server.try_get, args=("/hang",)).start()
        until(lambda: server.keeper._slots[0]._unanswered >= 2)
    assert victim is not None
    assert not is_alive(victim)
    assert server.told("worker_killed")


def test_routes_that_cannot_be_applied_are_reported_and_cost_nothing_else() -> None:
    other = replace(ROUTES, predictor="other", versions={"v": BROKEN}, aliases={"champion": "v"})
    with kept([ROUTES, other]) as server:
        assert set(server.get()["routes"]) == {"risk"}
        assert "other: it is broken" in server.told("not_applied")[0].message


def test_workers_that_never_start_end_the_keeper_with_the_reason() -> None:
    broken = replace(ROUTES, versions={"v": HARMFUL})
    with pytest.raises(un.StoreError, match="worker 0 did not start in 3 tries"), kept([broken], workers=1):
        pass


def test_workers_that_cannot_be_started_end_the_keeper_with_the_reason() -> None:
    reason = "/nowhere/python: No such file or directory"
    with pytest.raises(un.StoreError, match=reason), kept(workers=1, command=["/nowhere/python"]):
        pass


def test_a_taken_port_is_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(un.StoreError, match=f"127.0.0.1:{port}"), kept(settings=replace(SETTINGS, port=port)):
            pass


def test_the_port_of_another_server_is_refused_though_it_could_be_shared() -> None:
    with kept(workers=1) as server:
        port = urlsplit(server.url).port
        assert port is not None
        with pytest.raises(un.StoreError, match="Address already in use"):
            reserve("127.0.0.1", port)


def test_without_any_version_there_is_nothing_to_serve() -> None:
    with pytest.raises(un.StoreError, match="unisono register"), kept([]) as server:
        server.get()


@pytest.mark.parametrize("what", ["load", "unload", "rollback"])
def test_what_a_caller_asks_for_is_done_before_it_is_told_so(what: str) -> None:
    with kept() as server:
        server.watcher.waiting = [replace(ROUTES, revision=2, pinned=True)]
        assert server.get(f"/ask/{what}/risk") is None
        assert server.watcher.calls == [(what, "risk")]
        assert all(server.get()["routes"]["risk"]["revision"] == 2 for _ in range(10))
        server.watcher.error = un.StoreError("there was none before")
        assert "there was none before" in server.get(f"/ask/{what}/risk")


def test_configuration_is_read_again_and_a_wrong_one_changes_nothing() -> None:
    found: list[Serve | Exception] = [replace(SETTINGS, calls=Calls(rows=17))]

    def reread() -> Serve:
        read = found[0]
        if isinstance(read, Exception):
            raise read
        return read

    with kept(reread=reread) as server:
        assert server.get("/ask/reload") is None
        until(lambda: all(server.get()["settings"]["calls"]["rows"] == 17 for _ in range(10)))
        assert server.watcher.shaped == 17
        found[0] = InputError("rows: -1; allowed: more")
        assert "rows: -1" in server.get("/ask/reload")
        assert server.get()["settings"]["calls"]["rows"] == 17
        assert "what was read before stays" in server.told("not_reloaded")[0].message


def test_the_status_says_what_each_worker_is_at() -> None:
    with kept() as server:
        status = until(lambda: (found := server.get("/ask/status")) and found["workers"][1]["positions"] and found)
        assert [one["worker"] for one in status["workers"]] == [0, 1]
        assert [one["pid"] for one in status["workers"]] == server.pids()
        assert status["workers"][0]["positions"] == {"risk": 7}
        assert status["workers"][0]["resident_bytes"] > 1 << 20
        assert status["predictors"][0]["aliases"] == {"champion": "v1"}


def test_tokens_that_change_are_in_force_in_every_worker(tmp_path: Path) -> None:
    file = TokenFile(tmp_path / "tokens.json")
    with kept(tokens=TokenWatch(file, Tokens(), "127.0.0.1")) as server:
        assert server.get()["tokens"] is None
        file.add(token("ada"))
        until(lambda: all(server.get()["tokens"] == ["ada"] for _ in range(10)))
        file.revoke("ada")
        until(lambda: all(server.get()["tokens"] == [] for _ in range(10)))
        assert len(server.told("tokens")) == 2


def token(name: str) -> Token:
    fresh = draw()
    return Token(
        id=fresh.id,
        name=name,
        sha256=fresh.sha256,
        actions=("read",),
        models=("*",),
        place=0,
        made=datetime(2026, 1, 1, tzinfo=UTC),
    )


def test_the_writer_of_the_prediction_log_is_there_for_the_workers_and_started_again() -> None:
    settings = replace(SETTINGS, log=Log(predictions=True))
    with kept(settings=settings) as server:
        writer = server.keeper._writer
        assert writer is not None
        assert Path(writer.address).is_socket()
        os.kill(writer.pid, signal.SIGKILL)
        until(lambda: server.told("writer_ended"))
        assert is_alive(writer.pid)
    assert not is_alive(writer.pid)


ORPHANS = """
import sys
sys.path.insert(0, {root!r})
from tests.serving.workers.kept import kept
import json, time
with kept() as server:
    print(json.dumps([server.url, *server.pids()]), flush=True)
    time.sleep(1000)
"""


def test_workers_of_a_killed_keeper_stop_by_themselves_and_free_the_port(tmp_path: Path) -> None:
    import subprocess

    script = tmp_path / "keeper.py"
    script.write_text(ORPHANS.format(root=str(Path.cwd())))
    with subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True) as keeper:
        assert keeper.stdout is not None
        url, *pids = json.loads(keeper.stdout.readline())
        keeper.kill()
    for pid in pids:
        until(lambda pid=pid: not is_alive(pid))  # type: ignore[misc]  # bound at once
    port = urlsplit(url).port
    assert port is not None
    reserve("127.0.0.1", port).close()
