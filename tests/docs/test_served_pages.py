"""Pages whose examples ask a server: they run against a real one, with its address and a token of its own put in."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.cli.shell import running, unisono

DOCS = Path(__file__).parents[2] / "docs"
ADDRESS, TOKEN = "http://127.0.0.1:8080", "uns_..."
FIXED = ("type", "title", "status", "code")
BLOCK = re.compile(r"^```(sh|py|json)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Served:
    """A server, and a token that may predict and read but not change anything."""

    address: str
    token: str

    def put_into(self, example: str) -> str:
        """An example with its own address and token."""
        return example.replace(ADDRESS, self.address).replace(TOKEN, self.token)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    home = tmp_path_factory.mktemp("served") / "parcels"
    assert unisono("init", home, folder=home.parent).exit_code == 0
    for command in (("register", "late", "train:fit"), ("stream", "late")):
        done = unisono(*command, "--quiet", folder=home)
        assert done.exit_code == 0, done.err
    token = unisono("tokens", "new", "reader", "--json", folder=home).answer["token"]
    with running("serve", "--port", "0", "--json", folder=home) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, process.communicate(timeout=20)
        yield Served(json.loads(line)["url"], token)
        process.terminate()
        process.wait(30)


def blocks(page: str) -> list[tuple[str, str]]:
    """Language and text of a page's examples, in order."""
    return [(found[1], found[2]) for found in BLOCK.finditer((DOCS / page).read_text())]


def shape(value: Any) -> Any:
    """What an answer is made of: names, kinds, and the values that are always the same."""
    if isinstance(value, dict):
        return {
            name: value[name] if name in ("type", "title", "status", "code") else shape(value[name]) for name in value
        }
    return [shape(one) for one in value] if isinstance(value, list) else type(value).__name__


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
@pytest.mark.parametrize("page", ["serving.md", "security.md", "client.md", "protocols.md"])
def test_the_curl_examples_of_a_page_are_answered_as_it_says(page: str, served: Served) -> None:
    run, before, out = 0, "", ""
    for language, text in blocks(page):
        if language == "sh" and "curl" in text:
            exported = "".join(re.findall(r"^export .*\n", before, re.MULTILINE))
            script = served.put_into(exported + text)
            done = subprocess.run(
                ["bash", "-euo", "pipefail", "-c", script], capture_output=True, text=True, timeout=60
            )
            assert done.returncode == 0, done.stdout + done.stderr
            run, before, out = run + 1, before + text, done.stdout
        elif language == "json":
            assert shape(json.loads(out)) == shape(json.loads(text))
    assert run


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_the_example_with_curl_is_answered_all_through(served: Served) -> None:
    script = DOCS.parent / "examples" / "serving" / "curl.sh"
    done, refused = (
        subprocess.run([script, served.address, token], capture_output=True, text=True, timeout=60, check=False)
        for token in (served.token, "uns_x")
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("\n== ") == 10
    assert refused.returncode == 22 and '"unauthorized"' in refused.stdout


def test_the_python_examples_of_the_client_run(served: Served) -> None:
    text = "".join(text for language, text in blocks("client.md") if language == "py")
    exec(compile(served.put_into(text), "client.md", "exec"), {"__name__": "__main__"})
