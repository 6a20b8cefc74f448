"""The client over TLS, against the server's own HTTP layer."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

import unisono as un
from tests.client.scripted import scripted
from tests.serving.http.carriers import own
from tests.serving.http.desk import desk
from tests.serving.http.test_tls import make_certificate
from unisono.client import LateError, RefusedError, UnreachableError
from unisono.drivers.serving.http.tls import context_of
from unisono.drivers.serving.settings import Http


def test_a_server_is_reached_by_who_trusts_it_and_by_nobody_else(tmp_path: Path) -> None:
    certificate, key = make_certificate(tmp_path, "one")
    other, _ = make_certificate(tmp_path, "other")
    with own(desk(), Http(), tls=context_of(certificate, key)) as address:
        with un.Client(address, tls=ssl.create_default_context(cafile=str(certificate))) as client:
            with pytest.raises(RefusedError) as caught:  # the desk predicts nothing
                client.predict("delay", {})
            assert caught.value.code == "no_such_path"
        for tls in (None, ssl.create_default_context(cafile=str(other))):
            with (
                un.Client(address, tls=tls) as client,
                pytest.raises(UnreachableError, match="certificate verify"),
            ):
                client.predict("delay", {})


def test_no_token_goes_to_a_server_that_is_not_trusted() -> None:
    with scripted() as server:
        address = server.address.replace("http://", "https://")
        with un.Client(address, token="uns_a_b", timeout_s=0.5) as client, pytest.raises(LateError):
            client.predict("delay", {})
        assert server.asked == []
