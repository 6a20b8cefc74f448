"""The gate: who gets in, for what, and how often."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unisono.drivers.serving.exchange import Request
from unisono.drivers.serving.refusals import RefusalError, problem
from unisono.drivers.serving.security.gate import Gate
from unisono.drivers.serving.security.rates import Rates
from unisono.drivers.serving.security.tokens import ACTIONS, Action, Token, draw

OTHERS: list[tuple[Action, str | None]] = [
    ("predict", "churn"),
    ("read", "delay"),
    ("admin", "delay"),
    ("read", None),
]
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def make(name: str = "bot", **rights: Any) -> tuple[Token, Request]:
    """A token, and a request that bears it."""
    fresh = draw()
    given = {"actions": ("read", "predict"), "models": ("*",), "place": 0, "made": NOW, **rights}
    return Token(id=fresh.id, name=name, sha256=fresh.sha256, **given), bearing(f"Bearer {fresh.text}")


def bearing(header: str) -> Request:
    return Request("POST", "/predict/delay", headers={b"authorization": header.encode("latin-1")})


def refusal(gate: Gate, request: Request, action: Action = "predict", model: str | None = "delay") -> RefusalError:
    with pytest.raises(RefusalError) as caught:
        gate.admit(request, action, model)
    assert "allowed: " in str(caught.value)
    return caught.value


def test_without_tokens_all_get_in() -> None:
    gate = Gate(None)
    assert gate.is_open
    for action in ACTIONS:
        gate.admit(Request("GET", "/"), action, None)


def test_a_list_without_a_token_lets_nobody_in() -> None:
    gate = Gate([])
    assert not gate.is_open
    assert refusal(gate, make()[1]).code == "unauthorized"


def test_a_token_gets_in_for_what_it_allows_and_for_nothing_else() -> None:
    token, request = make(actions=("predict",), models=("delay", "price"))
    gate = Gate([token])
    gate.admit(request, "predict", "delay")
    gate.admit(request, "predict", "price")
    others: list[tuple[Action, str | None]] = [
        ("predict", "churn"),
        ("read", "delay"),
        ("admin", "delay"),
        ("read", None),
    ]
    for action, model in others:
        refused = refusal(gate, request, action, model)
        assert (refused.code, refused.status) == ("forbidden", 403)
        assert "allowed: predict on delay, price" in str(refused)


def test_what_is_about_no_one_model_can_be_read_but_only_changed_by_a_token_for_all() -> None:
    some, request = make(actions=("read", "admin"), models=("delay",))
    gate = Gate([some])
    gate.admit(request, "read", None)
    gate.admit(request, "admin", "delay")
    assert refusal(gate, request, "admin", None).code == "forbidden"
    every, request = make(actions=("admin",), models=("*",))
    Gate([every]).admit(request, "admin", None)


def test_a_token_for_no_model_allows_nothing() -> None:
    token, request = make(models=())
    for model in ("delay", None):
        assert refusal(Gate([token]), request, "read", model).code == "forbidden"


@pytest.mark.parametrize("change", ["secret", "id", "prefix", "longer", "shorter", "empty"])
def test_a_token_that_is_not_quite_right_does_not_get_in(change: str) -> None:
    token, request = make()
    right = request.headers[b"authorization"].decode()
    last = "A" if right[-1] != "A" else "B"
    wrong = {
        "secret": right[:-1] + last,
        "id": right.replace(token.id, "0" * 16),
        "prefix": right.replace("uns_", "unx_"),
        "longer": right + "A",
        "shorter": right[:-1],
        "empty": "Bearer ",
    }[change]
    gate = Gate([token])
    gate.admit(request, "predict", "delay")  # and not once the right one is known, either
    refused = refusal(gate, bearing(wrong))
    assert (refused.code, refused.status) == ("unauthorized", 401)
    assert right[-20:-1] not in str(refused)  # never the secret


@given(st.binary(max_size=120))
def test_no_header_whatever_its_bytes_gets_in_or_breaks_the_gate(header: bytes) -> None:
    token, _ = make()
    for given_header in (header, b"Bearer " + header, b"Bearer uns_" + token.id.encode() + b"_" + header):
        with pytest.raises(RefusalError):
            Gate([token]).admit(Request("GET", "/", headers={b"authorization": given_header}), "read", None)


def test_the_scheme_is_read_as_http_has_it_and_only_one_way_to_write_it_is_remembered() -> None:
    token, request = make()
    right = request.headers[b"authorization"].decode()
    gate = Gate([token])
    for header in (right, right.replace("Bearer", "bearer"), right.replace("Bearer ", "BEARER   "), right + "  "):
        gate.admit(bearing(header), "predict", "delay")
    assert list(gate._known) == [right.encode()]
    assert refusal(gate, bearing(right.replace("Bearer", "Basic"))).code == "unauthorized"


def test_wrong_headers_are_not_remembered() -> None:
    gate = Gate([make()[0]])
    for number in range(100):
        refusal(gate, bearing(f"Bearer uns_{number:016x}_x"))
    assert gate._known == {}


def test_for_an_unknown_id_the_same_is_done_as_for_a_known_one(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[tuple[int, int]] = []

    def compare(one: bytes, other: bytes) -> bool:
        compared.append((len(one), len(other)))
        return False

    monkeypatch.setattr("unisono.drivers.serving.security.tokens.hmac.compare_digest", compare)
    token, request = make()
    for header in (request.headers[b"authorization"].decode(), f"Bearer uns_{'0' * 16}_secret", "Bearer nonsense"):
        refusal(Gate([token]), bearing(header))
    assert compared == [(32, 32)] * 3


def test_a_revoked_token_is_refused_from_the_next_request_on() -> None:
    (one, its), (other, others) = make("one", place=0), make("other", place=1)
    gate = Gate([one, other])
    gate.admit(its, "predict", "delay")
    gate.replace([other])
    assert refusal(gate, its).code == "unauthorized"
    gate.admit(others, "predict", "delay")
    gate.replace([])
    assert refusal(gate, others).code == "unauthorized"


def test_a_token_that_has_expired_is_refused_also_if_it_was_known(monkeypatch: pytest.MonkeyPatch) -> None:
    token, request = make(expires=datetime.now(UTC) + timedelta(hours=1))
    gate = Gate([token])
    gate.admit(request, "predict", "delay")
    later = datetime.now(UTC).timestamp() + 3601
    monkeypatch.setattr("unisono.drivers.serving.security.gate.time", lambda: later)
    refused = refusal(gate, request)
    assert refused.code == "unauthorized"
    assert "has expired" in str(refused)


class Clock:
    """Stands until it is moved."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_s = 1000.0
        monkeypatch.setattr("unisono.drivers.serving.security.gate.perf_counter", lambda: self.now_s)


def admitted(gate: Gate, request: Request, times: int) -> int:
    """How many of so many requests get in."""
    count = 0
    for _ in range(times):
        try:
            gate.admit(request, "predict", "delay")
            count += 1
        except RefusalError as error:
            assert error.code == "rate_limited"
    return count


def test_a_token_gets_its_burst_and_then_its_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    token, request = make(rate=10.0, burst=5)
    gate = Gate([token])
    assert admitted(gate, request, 20) == 5
    refused = refusal(gate, request)
    assert refused.status == 429
    assert refused.retry_after_s == pytest.approx(0.1)
    assert dict(problem(refused).headers)[b"retry-after"] == b"1"
    assert "allowed: 10 a second, 5 at once" in str(refused)
    clock.now_s += 0.1
    assert admitted(gate, request, 20) == 1
    clock.now_s += 3600
    assert admitted(gate, request, 20) == 5
    refused_in_time = 0
    for _ in range(1000):  # ten seconds, a request each 10 ms
        clock.now_s += 0.01
        refused_in_time += admitted(gate, request, 1) == 0
    assert 899 <= refused_in_time <= 901


def test_tokens_have_counts_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    Clock(monkeypatch)
    (one, its), (other, others) = make("one", rate=1.0, place=0), make("other", rate=1.0, place=1)
    gate = Gate([one, other])
    assert admitted(gate, its, 3) == 1
    assert admitted(gate, others, 3) == 1


def test_workers_share_the_rate_whichever_of_them_is_asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    clock = Clock(monkeypatch)
    token, request = make(rate=10.0, burst=4)
    gates = [Gate([token], Rates(tmp_path / "rates")) for _ in range(3)]
    assert [admitted(gate, request, 2) for gate in gates] == [2, 2, 0]
    clock.now_s += 0.2
    assert [admitted(gate, request, 1) for gate in gates] == [1, 1, 0]
    assert (tmp_path / "rates").stat().st_mode & 0o777 == 0o600


def test_a_count_of_before_the_machine_started_says_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    clock = Clock(monkeypatch)
    token, request = make(rate=1.0, burst=1)
    assert admitted(Gate([token], Rates(tmp_path / "rates")), request, 2) == 1
    clock.now_s = 3.0
    assert admitted(Gate([token], Rates(tmp_path / "rates")), request, 2) == 1


def test_a_refusal_for_want_of_a_token_says_what_is_wanted() -> None:
    headers: Mapping[bytes, bytes] = dict(problem(refusal(Gate([]), Request("GET", "/"))).headers)
    assert headers[b"www-authenticate"] == b"Bearer"
