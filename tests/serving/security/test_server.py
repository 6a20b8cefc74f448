"""The whole server, with two workers: every path wants its right, every answer has the headers, changes reach all."""

from __future__ import annotations

import http.client
import json
import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.cli.shell import PATIENCE_S, running, unisono
from tests.drivers.projects import make_project, register
from unisono.drivers.serving.security.tokens import ACTIONS

pytestmark = pytest.mark.slow

OPEN = [("GET", f"{prefix}/health/{what}") for prefix in ("", "/v2") for what in ("live", "ready")] + [("GET", "/v2")]
WANTS = {
    ("POST", "/predict/risk"): "predict",
    ("POST", "/features/risk"): "predict",
    ("POST", "/v2/models/risk/infer"): "predict",
    ("GET", "/v2/models/risk"): "read",
    ("GET", "/v2/models/risk/ready"): "read",
    ("POST", "/v2/repository/index"): "read",
    ("GET", "/metrics"): "read",
    ("GET", "/openapi.json"): "read",
    ("POST", "/v2/repository/models/risk/load"): "admin",
    ("POST", "/v2/repository/models/risk/unload"): "admin",
    ("POST", "/admin/models/risk/rollback"): "admin",
    ("GET", "/admin/status"): "admin",
    ("POST", "/admin/reload"): "admin",
}


@dataclass(frozen=True)
class Told:
    """A response."""

    status: int
    headers: Mapping[str, str]
    body: Any


@dataclass(frozen=True)
class Guarded:
    """A server with tokens.

    home:    its project's folder.
    address: of the server.
    tokens:  one for each action.
    """

    home: Path
    address: str
    tokens: Mapping[str, str]

    def ask(self, method: str, path: str, token: str | None = None, body: bytes = b"") -> Told:
        """One request, on a connection of its own."""
        connection = http.client.HTTPConnection(urlsplit(self.address).netloc, timeout=PATIENCE_S)
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        content = response.read()
        connection.close()
        found = {name.lower(): value for name, value in response.getheaders()}
        return Told(response.status, found, json.loads(content) if "json" in found["content-type"] else content)


def new_token(home: Path, name: str, *options: str) -> str:
    """The text of a new token."""
    token: str = unisono("tokens", "new", name, "--json", *options, folder=home).answer["token"]
    return token


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with a version and a state."""
    home = tmp_path_factory.mktemp("guarded") / "project"
    project = make_project(home)
    register(project)
    project.stream("risk")
    return home


@pytest.fixture(scope="module")
def guarded(home: Path) -> Iterator[Guarded]:
    tokens: dict[str, str] = {action: new_token(home, action, "--actions", action) for action in ACTIONS}
    with running("serve", "--port", "0", "--workers", "2", "--json", folder=home) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, process.communicate(timeout=PATIENCE_S)
        yield Guarded(home, json.loads(line)["url"], tokens)
        process.terminate()
        process.wait(PATIENCE_S)


def until(condition: Callable[[], bool]) -> None:
    """Wait for what a running server does."""
    deadline_s = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline_s
        time.sleep(0.05)


@pytest.mark.parametrize(("method", "path"), OPEN)
def test_health_is_told_to_all(guarded: Guarded, method: str, path: str) -> None:
    assert guarded.ask(method, path).status == 200


@pytest.mark.parametrize(("method", "path"), WANTS)
def test_every_other_path_wants_a_token_with_its_right(guarded: Guarded, method: str, path: str) -> None:
    without = guarded.ask(method, path)
    assert (without.status, without.body["code"]) == (401, "unauthorized")
    assert without.headers["www-authenticate"] == "Bearer"
    for action in ACTIONS:
        told = guarded.ask(method, path, guarded.tokens[action])
        if action == WANTS[method, path]:
            assert told.status not in (401, 403, 404), told
        else:
            assert (told.status, told.body["code"]) == (403, "forbidden")


def test_no_path_that_the_server_names_is_forgotten_here(guarded: Guarded) -> None:
    said = guarded.ask("GET", "/nowhere").body["detail"].partition("allowed: ")[2].rpartition("; correct")[0]
    named = {tuple(one.replace("NAME", "risk").split(" ")) for one in said.split("; ")}
    assert named <= {*OPEN, *WANTS}


def test_whoever_may_not_ask_does_not_learn_which_models_there_are(guarded: Guarded) -> None:
    narrow = new_token(guarded.home, "narrow", "--models", "other", "--actions", ",".join(ACTIONS))
    until(lambda: guarded.ask("GET", "/v2/models/risk", narrow).status == 403)
    for method, path in WANTS:
        if "risk" in path:
            there = guarded.ask(method, path, narrow)
            absent = guarded.ask(method, path.replace("risk", "rise"), narrow)
            assert there.status == absent.status == 403
            assert there.body["detail"].replace("risk", "rise") == absent.body["detail"]


@pytest.mark.parametrize(
    ("method", "path"), [*OPEN, *WANTS, ("GET", "/nowhere"), ("GET", "/predict/../../etc/passwd"), ("PUT", "/v2")]
)
def test_every_answer_has_the_headers_and_says_nothing_of_the_server(guarded: Guarded, method: str, path: str) -> None:
    for token in (None, guarded.tokens["predict"]):
        told = guarded.ask(method, path, token)
        assert told.headers["x-content-type-options"] == "nosniff"
        assert told.headers["cache-control"] == "no-store"
        assert "server" not in told.headers
        if told.status >= 400:
            assert not re.search(r"Traceback|\.py\b|/site-packages/", str(told.body))
            assert told.body.keys() == {"type", "title", "status", "detail", "code", "error"}


def test_a_token_is_refused_once_it_is_revoked_by_every_worker(guarded: Guarded) -> None:
    token = new_token(guarded.home, "leaver")
    until(lambda: all(guarded.ask("GET", "/v2/models/risk", token).status == 200 for _ in range(8)))
    assert unisono("tokens", "revoke", "leaver", folder=guarded.home).exit_code == 0
    until(lambda: all(guarded.ask("GET", "/v2/models/risk", token).status == 401 for _ in range(8)))


def test_a_rate_is_a_tokens_whichever_worker_is_asked(guarded: Guarded) -> None:
    token = new_token(guarded.home, "eager", "--rate", "0.001", "--burst", "5")
    until(lambda: guarded.ask("GET", "/v2/models/risk", token).status == 200)
    told = [guarded.ask("GET", "/v2/models/risk", token) for _ in range(20)]
    assert [one.status for one in told] == [200] * 4 + [429] * 16
    assert all(int(one.headers["retry-after"]) > 1 for one in told[4:])


def test_a_file_that_breaks_or_goes_opens_nothing(guarded: Guarded) -> None:
    file = guarded.home / ".unisono" / "tokens.json"
    whole = file.read_bytes()
    watched = new_token(guarded.home, "late")
    until(lambda: guarded.ask("GET", "/v2/models/risk", watched).status == 200)  # it looks at the file
    file.unlink()
    file.write_bytes(b"{")
    file.chmod(0o600)
    assert guarded.ask("GET", "/v2/models/risk").status == 401
    assert guarded.ask("GET", "/v2/models/risk", guarded.tokens["read"]).status == 200
    file.write_bytes(whole)
    until(lambda: guarded.ask("GET", "/v2/models/risk", watched).status == 401)
    assert guarded.ask("GET", "/v2/models/risk", guarded.tokens["read"]).status == 200


def test_a_server_without_tokens_does_not_listen_where_others_reach_it(
    home: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    away = home.parent / "away.json"
    file = home / ".unisono" / "tokens.json"
    if file.exists():
        file.rename(away)
    try:
        refused = unisono("serve", "--host", "0.0.0.0", "--port", "0", folder=home)
    finally:
        if away.exists():
            away.rename(file)
    assert refused.exit_code == 4
    assert "0.0.0.0 can be reached by others, and there are no tokens: anybody could ask; allowed: " in refused.err
