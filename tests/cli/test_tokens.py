"""`unisono tokens`: made, shown once, listed, revoked."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import RunHere
from unisono.cli.app import COMMANDS
from unisono.drivers.serving.exchange import Request
from unisono.drivers.serving.security.gate import Gate
from unisono.drivers.serving.security.token_file import TokenFile

Refused = Callable[..., tuple[int, str, str]]
FIELDS = {command.name: list(command.fields) for command in COMMANDS}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a project, as far as tokens need it; the current one."""
    (tmp_path / "unisono.toml").write_text('definitions = "definitions.py"\n')
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_token_is_shown_once_and_gets_its_bearer_in(home: Path, run_here: RunHere) -> None:
    made = run_here("tokens", "new", "shop", "--models", "delay,price", "--rate", "2.5", "--expires", "90d", "--json")
    answer = made.answer
    assert list(answer) == FIELDS["tokens new"]
    (token,) = TokenFile(home / ".unisono" / "tokens.json").read() or ()
    assert (token.models, token.actions, token.rate, token.burst) == (("delay", "price"), ("read", "predict"), 2.5, 3)
    assert token.expires is not None and (token.expires - token.made).days == 90
    bearer = Request("POST", "/", headers={b"authorization": f"Bearer {answer['token']}".encode()})
    Gate([token]).admit(bearer, "predict", "price")
    listed = run_here("tokens", "list")
    assert answer["token"].rpartition(answer["id"])[2] not in listed.out + Path(answer["file"]).read_text()


def test_people_are_told_that_it_is_shown_this_once(home: Path, run_here: RunHere) -> None:
    shown = run_here("tokens", "new", "shop")
    assert re.search(r"^  token +uns_[0-9a-f]{16}_[A-Za-z0-9_-]{43}$", shown.out, re.MULTILINE)
    assert re.search(r"^  expires +never$", shown.out, re.MULTILINE)
    assert shown.out.endswith("The token is shown this once: keep it where only its user finds it.\n")


def test_tokens_are_listed_with_what_they_allow(home: Path, run_here: RunHere) -> None:
    assert run_here("tokens", "list").out.endswith("the server answers everybody who reaches it\n")
    assert run_here("tokens", "new", "shop", "--rate", "100", "--burst", "7", "--expires", "1h").exit_code == 0
    assert run_here("tokens", "new", "operator", "--actions", "read,predict,admin").exit_code == 0
    answer = run_here("tokens", "list", "--json").answer
    assert list(answer) == FIELDS["tokens list"]
    shop, operator = answer["tokens"]
    assert (shop["name"], shop["rate"], shop["burst"], shop["has_expired"]) == ("shop", 100, 7, False)
    assert (operator["actions"], operator["models"]) == (["read", "predict", "admin"], ["*"])
    assert (operator["rate"], operator["burst"], operator["expires"]) == (None, None, None)
    first, *rows = run_here("tokens", "list").out.splitlines()
    assert first.split() == ["name", "id", "actions", "models", "requests/s", "expires"]
    assert rows[1].split() == ["operator", operator["id"], "read,predict,admin", "*", "any", "never"]


def test_a_token_is_revoked_by_its_name_or_id(home: Path, run_here: RunHere) -> None:
    ids = [run_here("tokens", "new", name, "--json").answer["id"] for name in ("one", "two")]
    revoked = run_here("tokens", "revoke", "one", "--json").answer
    assert list(revoked) == FIELDS["tokens revoke"]
    assert (revoked["name"], revoked["id"]) == ("one", ids[0])
    assert run_here("tokens", "revoke", ids[1]).out == f"revoked two ({ids[1]})\n"
    assert run_here("tokens", "list").out.endswith("the server answers nobody\n")


def test_the_file_is_where_the_settings_say(home: Path, run_here: RunHere) -> None:
    (home / "unisono.toml").write_text('definitions = "d.py"\n[serve.tokens]\nfile = "secret/tokens.json"\n')
    made = run_here("tokens", "new", "shop", "--json").answer
    assert made["file"] == "secret/tokens.json"
    assert TokenFile(home / "secret" / "tokens.json").read()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("new", "a b"), "token a b: .*; allowed: a name of letters"),
        (("new", "x", "--models", "../x"), "token x: .*models that are names"),
        (("new", "x", "--models", ""), "token x: "),
        (("new", "x", "--actions", "fly"), "token x: Invalid enum value 'fly'"),
        (("new", "x", "--rate", "0"), "--rate 0; allowed: above 0"),
        (("new", "x", "--rate", "inf"), "--rate inf; allowed: above 0"),
        (("new", "x", "--rate", "nan"), "--rate nan; allowed: above 0"),
        (("new", "x", "--rate", "1", "--burst", "0"), "token x: "),
        (("new", "x", "--burst", "3"), "--burst 3 without --rate; allowed: both, or neither"),
        (("new", "x", "--expires", "soon"), '--expires: "soon" .*; allowed: from 1us'),
        (("revoke", "nobody"), "token nobody: there is none; allowed: none"),
    ],
)
def test_what_cannot_be_is_refused(home: Path, refused: Refused, arguments: tuple[str, ...], said: str) -> None:
    code, kind, message = refused("tokens", *arguments)
    assert (code, kind) == (4, "input")
    assert re.search(said, message), message
    assert not (home / ".unisono" / "tokens.json").exists()


def test_two_tokens_cannot_have_one_name(home: Path, run_here: RunHere, refused: Refused) -> None:
    assert run_here("tokens", "new", "shop").exit_code == 0
    assert "there is one of this name" in refused("tokens", "new", "shop")[2]


def test_outside_a_project_there_are_no_tokens(tmp_path: Path, refused: Refused) -> None:
    assert refused("tokens", "list", "--project", tmp_path)[:2] == (6, "store")
