"""The file with tokens, the rule about addresses, and what the keeper sees of changes."""

from __future__ import annotations

import logging
import multiprocessing
import re
from pathlib import Path
from typing import Any

import pytest

from tests.serving.security.test_gate import make
from unisono.drivers.serving.security.exposure import is_loopback, require_guard
from unisono.drivers.serving.security.token_file import TokenFile, token_file
from unisono.drivers.serving.security.watching import TokenWatch
from unisono.drivers.serving.settings import Tokens
from unisono.spec.errors import InputError, StateError, StoreError


@pytest.fixture
def file(tmp_path: Path) -> TokenFile:
    return TokenFile(tmp_path / "store" / "tokens.json")


def test_tokens_are_kept_without_their_secrets_and_only_their_owner_reads_them(file: TokenFile) -> None:
    assert file.read() is None
    (one, its), (other, _) = make("one"), make("other")
    file.add(one)
    file.add(other)
    assert [(token.name, token.place) for token in file.read() or ()] == [("one", 0), ("other", 1)]
    assert file.path.stat().st_mode & 0o777 == 0o600
    secret = its.headers[b"authorization"].removeprefix(b"Bearer ")
    assert secret not in file.path.read_bytes()
    assert sorted(path.name for path in file.path.parent.iterdir()) == [".tokens.json.lock", "tokens.json"]


def test_a_token_is_revoked_by_name_or_id_and_its_place_is_free_again(file: TokenFile) -> None:
    for name in ("one", "two", "three"):
        file.add(make(name)[0])
    assert file.revoke("two").name == "two"
    file.add(make("four")[0])
    assert [(token.name, token.place) for token in file.read() or ()] == [("one", 0), ("three", 2), ("four", 1)]
    for token in file.read() or ():
        file.revoke(token.id)
    assert file.read() == ()  # which lets nobody in; None would let all in


def test_a_name_is_given_once(file: TokenFile) -> None:
    file.add(make("bot")[0])
    with pytest.raises(InputError, match=r"token bot: there is one of this name; allowed: a new name; .*revoke bot"):
        file.add(make("bot")[0])


def test_who_revokes_what_is_not_there_is_told_what_is(file: TokenFile) -> None:
    with pytest.raises(InputError, match="token bot: there is none; allowed: none; see"):
        file.revoke("bot")
    file.add(make("robot")[0])
    with pytest.raises(InputError, match='there is none; allowed: robot; did you mean "robot"'):
        file.revoke("bot")


def test_there_are_no_more_tokens_than_places(file: TokenFile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("unisono.drivers.serving.security.token_file.MOST_TOKENS", 2)
    file.add(make("one")[0])
    file.add(make("two")[0])
    with pytest.raises(InputError, match="2 tokens; allowed: no more; revoke what is not used"):
        file.add(make("three")[0])
    assert [token.name for token in file.read() or ()] == ["one", "two"]


def _add_some(path: Path, prefix: str) -> None:
    for number in range(10):
        TokenFile(path).add(make(f"{prefix}{number}")[0])


@pytest.mark.slow
def test_writers_at_the_same_time_lose_nothing(file: TokenFile) -> None:
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_add_some, args=(file.path, prefix)) for prefix in "ab"]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
    tokens = file.read() or ()
    assert len({token.name for token in tokens}) == len({token.place for token in tokens}) == 20


def doubled(content: str) -> str:
    """Each token twice."""
    return re.sub(r"\[\n(    \{.*\n    \})", r"[\n\1,\n\1", content, count=1, flags=re.DOTALL)


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (lambda content: content[:-5], "Input data was truncated"),
        (lambda content: content.replace('"predict"', '"fly"'), "Invalid enum value 'fly'"),
        (lambda content: content.replace('"*"', '"../x"'), "Expected `str` matching regex"),
        (lambda content: content.replace('"format": 1', '"format": 2'), "format"),
        (lambda content: content.replace('"models"', '"modles"'), "unknown field `modles`"),
        (doubled, "two tokens have one id"),
    ],
)
def test_a_file_that_is_not_sound_is_refused(file: TokenFile, edit: Any, said: str) -> None:
    file.add(make()[0])
    file.path.write_text(edit(file.path.read_text()))
    with pytest.raises(StateError, match=said):
        file.read()


def test_a_file_that_others_may_write_is_refused(file: TokenFile) -> None:
    file.add(make()[0])
    file.path.chmod(0o620)
    with pytest.raises(StoreError, match=r"others may write it \(mode 620\); allowed: its owner only; `chmod 600"):
        file.read()


def test_the_file_is_where_the_settings_say(tmp_path: Path) -> None:
    assert token_file(tmp_path, tmp_path / ".unisono", "").path == tmp_path / ".unisono" / "tokens.json"
    assert token_file(tmp_path, tmp_path / ".unisono", "mine.json").path == tmp_path / "mine.json"
    assert token_file(tmp_path, tmp_path, "/etc/unisono/tokens.json").path == Path("/etc/unisono/tokens.json")


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_addresses_of_this_machine_need_no_tokens(host: str) -> None:
    assert is_loopback(host)
    require_guard(host, has_tokens=False, insecure=False)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "", "192.0.2.1", "2001:db8::1"])
def test_addresses_that_others_reach_need_tokens_unless_that_is_not_wanted(host: str) -> None:
    assert not is_loopback(host)
    with pytest.raises(InputError, match="anybody could ask; allowed: an address of this machine only"):
        require_guard(host, has_tokens=False, insecure=False)
    require_guard(host, has_tokens=True, insecure=False)
    require_guard(host, has_tokens=False, insecure=True)


def test_the_keeper_sees_every_change_and_nothing_opens_a_server_that_had_tokens(
    file: TokenFile, caplog: pytest.LogCaptureFixture
) -> None:
    watch = TokenWatch(file, Tokens(), "127.0.0.1")
    assert (watch.tokens, watch.look()) == (None, False)
    file.add(make("one")[0])
    assert watch.look() and not watch.look()
    assert [token.name for token in watch.tokens or ()] == ["one"]
    with caplog.at_level(logging.ERROR):
        whole = file.path.read_text()
        file.path.write_text("{")
        assert not watch.look()
        file.path.unlink()
        assert not watch.look()
    assert [token.name for token in watch.tokens or ()] == ["one"]
    assert len(caplog.messages) == 2 and "tokens.json is gone" in caplog.messages[1]
    file.path.write_text(whole)
    assert not watch.look()  # the same tokens in another file
    file.revoke("one")
    assert watch.look() and watch.tokens == ()


def test_a_server_does_not_start_where_it_would_be_open_by_mistake(file: TokenFile) -> None:
    with pytest.raises(InputError, match="there are no tokens"):
        TokenWatch(file, Tokens(), "0.0.0.0")
    with pytest.raises(StoreError, match=r"there is no such file; allowed: the file that \[serve.tokens\] names"):
        TokenWatch(file, Tokens(file="tokens.json"), "127.0.0.1")
    assert TokenWatch(file, Tokens(insecure=True), "0.0.0.0").tokens is None
    file.add(make()[0])
    file.revoke("bot")
    assert TokenWatch(file, Tokens(), "0.0.0.0").tokens == ()
