"""Each fact is stated once and holds whatever carries the requests; gaps are declared, and turn red when they close."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest

from tests.serving.conftest import LIMITS, Client, service
from tests.serving.http import carriers
from tests.serving.http.carriers import CARRIERS
from unisono.drivers.online.predictor import OnlinePredictor

ONE_BY_ONE = "uvicorn begins a connection's next request when the one before is answered"
GAPS: Mapping[str, str] = {
    "test_answers_come_in_the_order_of_the_requests": ONE_BY_ONE,
    "test_no_more_than_so_many_are_under_way_and_the_rest_waits": ONE_BY_ONE,
    "test_answers_that_are_there_at_once_do_not_pile_up_on_the_stack": ONE_BY_ONE,
    "test_a_refusal_waits_for_the_answers_before_it": ONE_BY_ONE,
    "test_all_that_it_asked_is_taken_back_but_for_what_is_answered": ONE_BY_ONE,
    "test_a_client_that_only_sends_nothing_more_gets_its_answers": "to uvicorn, the end of what it sends is its going",
    "test_all_that_it_asked_before_is_answered_however_much_waits": "to uvicorn, the end of what it sends is its going",
    "test_a_kept_connection_of_http_1_0_says_so": "uvicorn closes after each request of HTTP/1.0",
}
"""Tests that do not hold under uvicorn, each with the reason."""


@pytest.fixture(params=CARRIERS)
def carrier(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """What carries the requests."""
    name: str = request.param
    gap = GAPS.get(request.node.originalname)
    if name == "asgi" and gap:
        request.applymarker(pytest.mark.xfail(reason=gap, strict=True))
        monkeypatch.setattr(carriers, "PATIENCE_S", 0.3)
    return name


@pytest.fixture(scope="session", params=CARRIERS)
def client(request: pytest.FixtureRequest, online: OnlinePredictor) -> Iterator[Client]:
    """The predictor `risk`, over each carrier."""
    with CARRIERS[request.param](service(online), LIMITS) as address:
        yield Client(address)
