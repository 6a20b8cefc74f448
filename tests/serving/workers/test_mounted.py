"""The server inside of somebody's process."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

import unisono as un
from tests.drivers.projects import make_project, register
from tests.faults.servers import asked
from tests.faults.strange_models import strange_model
from unisono.drivers.project import Project

pytestmark = pytest.mark.slow

DEFINITIONS = """
import unisono as un

plain = un.Predictor("plain", request={"shop": un.Int64}, time="asked_at", features=[])
"""
PATIENCE_S = 60.0


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """One predictor that needs no state."""
    (tmp_path / "definitions.py").write_text(DEFINITIONS)
    (tmp_path / "unisono.toml").write_text('definitions = "definitions.py"\n')
    found = un.load(tmp_path)
    found.register("plain", strange_model(2.0), sample=asked())
    return found


async def ask(application: Any, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    """One request to an application that is mounted at /ml."""
    content = b"" if body is None else json.dumps(body).encode()
    scope = {
        "type": "http",
        "method": method,
        "path": f"/ml{path}",
        "root_path": "/ml",
        "query_string": b"",
        "headers": [(b"content-length", str(len(content)).encode())],
    }
    incoming = [{"type": "http.request", "body": content}]
    sent: list[dict[str, Any]] = []
    gone: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()

    async def receive() -> dict[str, Any]:
        return incoming.pop() if incoming else await gone

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await application(scope, receive, send)
    return sent[0]["status"], json.loads(sent[1]["body"])


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not await condition():
            await asyncio.sleep(0.02)


def test_it_answers_under_a_prefix_and_follows_the_registry(project: Project) -> None:
    application = project.asgi()
    first = project.registry.active("plain")

    async def test() -> None:
        status, answer = await ask(application, "POST", "/predict/plain", {"shop": 2})
        assert (status, answer["version"]) == (200, first.id)
        assert (await ask(application, "GET", "/health/ready"))[0] == 200
        second = project.register("plain", strange_model(-3.0), sample=asked()).version

        async def is_served() -> bool:
            _, answer = await ask(application, "POST", "/predict/plain", {"shop": 2})
            return bool(answer["version"] == second.id)

        await until(is_served)
        assert await ask(application, "POST", "/admin/models/plain/rollback") == (200, {})
        _, answer = await ask(application, "POST", "/predict/plain", {"shop": 2})
        assert answer["version"] == first.id

    asyncio.run(test())


def test_what_the_keeper_does_elsewhere_is_done_here_too(project: Project) -> None:
    application = project.asgi()

    async def test() -> None:
        assert (await ask(application, "POST", "/v2/repository/models/plain/unload"))[0] == 200
        assert (await ask(application, "POST", "/predict/plain", {"shop": 2}))[0] == 503
        assert (await ask(application, "POST", "/v2/repository/models/plain/load"))[0] == 200
        assert (await ask(application, "POST", "/predict/plain", {"shop": 2}))[0] == 200
        (project.root / "unisono.toml").write_text('definitions = "definitions.py"\n[serve.calls]\nrows = 1\n')
        assert (await ask(application, "POST", "/admin/reload"))[0] == 200
        assert (await ask(application, "POST", "/predict/plain", [{"shop": 2}] * 2))[0] == 413
        (project.root / "unisono.toml").write_text('definitions = "definitions.py"\n[serve.calls]\nrows = 0\n')
        status, answer = await ask(application, "POST", "/admin/reload")
        assert (status, answer["code"]) == (409, "not_done")
        assert "rows" in answer["detail"]
        _, status_answer = await ask(application, "GET", "/admin/status")
        assert status_answer["workers"][0]["reasons"] == {"plain": ""}

    asyncio.run(test())


def test_without_a_version_there_is_nothing_to_mount(tmp_path: Path) -> None:
    make_project(tmp_path / "empty")
    with pytest.raises(un.StoreError, match="unisono register"):
        un.load(tmp_path / "empty").asgi()


def test_a_state_that_is_missing_is_told_by_readiness(tmp_path: Path) -> None:
    project = make_project(tmp_path / "project")
    register(project)
    assert not project.state_path("risk").exists()
    application = project.asgi()

    async def test() -> None:
        status, answer = await ask(application, "GET", "/health/ready")
        assert status == 503
        assert "unisono stream" in answer["reasons"]["risk"]

    asyncio.run(test())
