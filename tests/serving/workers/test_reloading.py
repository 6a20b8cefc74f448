"""What of unisono.toml a running server takes over."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from unisono.drivers.serving.settings import Access, Calls, Grpc, Http, Log, Model, Serve, Workers
from unisono.drivers.serving.workers.reloading import taken_over

NOW = Serve(port=8000, workers=Workers(count=2))


@pytest.mark.parametrize(
    "read",
    [
        replace(NOW, calls=Calls(rows=5)),
        replace(NOW, http=Http(max_body_bytes=5)),
        replace(NOW, models={"risk": Model(pinned=True)}),
        replace(NOW, workers=Workers(count=2, grace_s=3.0, linger_s=1.0)),
    ],
    ids=["calls", "limits", "models", "grace"],
)
def test_what_needs_no_new_process_is_taken_over(read: Serve) -> None:
    assert taken_over(NOW, read) == (read, [])


@pytest.mark.parametrize(
    ("read", "waiting"),
    [
        (replace(NOW, port=9000), ["port"]),
        (replace(NOW, host="0.0.0.0"), ["host"]),
        (replace(NOW, grpc=Grpc(port=1)), ["grpc"]),
        (replace(NOW, log=Log(predictions=True), access=Access(path="stderr")), ["log", "access"]),
        (replace(NOW, workers=Workers(count=3)), ["workers"]),
        (replace(NOW, http=Http(certificate="a.pem", key="b.pem")), ["http.certificate"]),
    ],
    ids=["port", "host", "grpc", "logs", "workers", "TLS"],
)
def test_what_needs_one_is_kept_and_named(read: Serve, waiting: list[str]) -> None:
    read = replace(read, calls=Calls(rows=5))
    assert taken_over(NOW, read) == (replace(NOW, calls=Calls(rows=5)), waiting)


def test_a_certificate_that_was_renewed_under_another_name_is_taken_over() -> None:
    now = replace(NOW, http=Http(certificate="a.pem", key="b.pem"))
    read = replace(NOW, http=Http(certificate="c.pem", key="d.pem"))
    assert taken_over(now, read) == (read, [])


def test_another_engine_waits_for_a_restart_and_what_else_is_said_of_a_model_does_not() -> None:
    now = replace(NOW, models={"risk": Model(engine="openvino"), "rent": Model()})
    read = replace(NOW, models={"risk": Model(engine="trees", pinned=True), "rent": Model()})
    kept = {"risk": Model(engine="openvino", pinned=True), "rent": Model()}
    assert taken_over(now, read) == (replace(NOW, models=kept), ["models.engine"])
