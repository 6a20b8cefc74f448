"""What unisono.toml says of the server: [serve] and the sections under it, one a room."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

Positive = Annotated[int, Meta(gt=0)]
Seconds = Annotated[float, Meta(gt=0)]
Port = Annotated[int, Meta(ge=0, le=65535)]


class Http(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """[serve.http]: what a connection may use up.

    max_body_bytes: larger request bodies are refused before they are read.
    body_timeout_s: a body that takes longer is refused.
    """

    max_body_bytes: Positive = 1 << 20
    body_timeout_s: Seconds = 10.0


class Calls(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """[serve.calls]: when a call is refused, or given up.

    timeout_s: how long callers wait who do not say so; later, nobody answers them.
    wait_s:    longest that a call is let wait for its turn; who would wait longer is refused.
    rows:      most rows that wait for one version.
    model_s:   longest that a model may take for a batch.
    """

    timeout_s: Seconds = 10.0
    wait_s: Seconds = 1.0
    rows: Positive = 10_000
    model_s: Seconds = 10.0


class Log(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """[serve.log]: what is written down.

    predictions: whether every answer is, with request, feature bits, position and version.
    """

    predictions: bool = False


class Serve(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """[serve]: how the server listens.

    host: address; the default is this machine only.
    port: 0 takes a free one.
    """

    host: str = "127.0.0.1"
    port: Port = 8080
    http: Http = Http()
    calls: Calls = Calls()
    log: Log = Log()
