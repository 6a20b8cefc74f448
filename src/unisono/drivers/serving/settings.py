"""What unisono.toml says of the server: [serve] and the sections under it, one a room."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

Positive = Annotated[int, Meta(gt=0)]
Seconds = Annotated[float, Meta(gt=0)]
Port = Annotated[int, Meta(ge=0, le=65535)]


class Http(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """[serve.http]: what a connection may use up, each of them of one worker.

    max_body_bytes:   larger request bodies are refused before they are read.
    body_timeout_s:   a body that takes longer is refused.
    max_target_bytes: longer addresses are refused.
    max_header_bytes: more of names and values of a request's headers is refused; so is as much around a body's chunks.
    max_headers:      more different headers are refused.
    header_timeout_s: a request must have begun, and its headers must be there, after so long.
    keep_alive_s:     a connection without a request is closed after so long.
    write_timeout_s:  a client that does not read its answers for so long is cut off.
    max_connections:  more are answered 503 and closed.
    max_pipelined:    requests of one connection that are under way at once; its next ones are not read.
    certificate, key: PEM files, relative to the project; both: TLS. Empty: none.
    """

    max_body_bytes: Positive = 1 << 20
    body_timeout_s: Seconds = 10.0
    max_target_bytes: Positive = 8192
    max_header_bytes: Positive = 1 << 15
    max_headers: Positive = 100
    header_timeout_s: Seconds = 10.0
    keep_alive_s: Seconds = 75.0
    write_timeout_s: Seconds = 30.0
    max_connections: Positive = 4096
    max_pipelined: Positive = 16
    certificate: str = ""
    key: str = ""


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
    """[serve.log]: the prediction log.

    predictions:  whether every answer is written down, with request, feature bits, position and version.
    flush_s:      longest that an answer waits before it is in a file; so much a killed writer loses at most.
    file_rows:    a file is written as soon as there are so many rows for it, or
    file_bytes:   so many bytes, before they are compressed.
    buffer_bytes: what a worker keeps while the writer is busy; what is more is dropped, and counted.
    keep_days:    older days are deleted; None: never.
    keep_bytes:   if a predictor's files take more, the oldest are deleted; None: never.
    """

    predictions: bool = False
    flush_s: Seconds = 10.0
    file_rows: Positive = 500_000
    file_bytes: Positive = 32 << 20
    buffer_bytes: Positive = 8 << 20
    keep_days: Positive | None = None
    keep_bytes: Positive | None = None


class Metrics(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """[serve.metrics]: what is counted, for `GET /metrics`.

    enabled: whether anything is.
    """

    enabled: bool = True


class Tracing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """[serve.tracing]: spans, for an OpenTelemetry collector.

    endpoint: where they are sent, e.g. "http://127.0.0.1:4318/v1/traces"; "": nowhere, and nothing is traced.
    ratio:    share of the requests that are traced, of those whose callers did not decide it.
    service:  what the server is called there.
    """

    endpoint: str = ""
    ratio: Annotated[float, Meta(ge=0, le=1)] = 0.01
    service: str = "unisono"


class Access(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """[serve.access]: a line of JSON for each request.

    path:  file it is appended to, from the project's folder; "stderr"; "": nowhere.
    lines: most that wait to be written; what is more is dropped, and counted.
    """

    path: str = ""
    lines: Positive = 10_000


class Tokens(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """[serve.tokens]: who may ask.

    file:     with the tokens, relative to the project's folder; empty: tokens.json in its store.
    insecure: whether a server without tokens may listen on an address that others reach.
    """

    file: str = ""
    insecure: bool = False


class Workers(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """[serve.workers]: the processes that answer.

    count:     how many; 0: one for each core that the server may use.
    linger_s:  when told to stop: how long to go on, but not ready, so that balancers send their requests elsewhere.
    grace_s:   how long requests under way may take then.
    silence_s: a worker that does not react for so long is killed, and replaced.
    """

    count: Annotated[int, Meta(ge=0, le=1024)] = 0
    linger_s: Annotated[float, Meta(ge=0)] = 0.0
    grace_s: Seconds = 10.0
    silence_s: Seconds = 10.0


class Memory(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """[serve.memory]: how much all workers together may have in memory.

    bytes: what is more makes versions leave that were not asked for longest; they are loaded again when they are.
    """

    bytes: Positive = 4 << 30


class Model(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """[serve.models.NAME]: which versions of a predictor answer.

    split:  alias -> its share of the callers who ask for no version; the champion has what is left.
    shadow: aliases that see the same requests; nobody gets their answers.
    pinned: whether its versions stay in memory, whatever else wants room.
    engine: what runs their graphs; "": the quickest that has the reference's bits.
    """

    split: dict[str, Annotated[float, Meta(ge=0, le=1)]] = {}
    shadow: list[str] = []
    pinned: bool = False
    engine: str = ""


class Grpc(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """[serve.grpc]: the protocol over gRPC; wants `pip install unisono[grpc]`.

    port:              where it listens, on the host of [serve]; None: it does not.
    threads:           of a worker, each of which carries one call at a time.
    calls:             of a worker at once, those that wait for a thread among them; more are refused.
    max_message_bytes: larger messages are refused before they are read.
    """

    port: Port | None = None
    threads: Positive = 16
    calls: Positive = 1024
    max_message_bytes: Positive = 4 << 20


class Serve(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """[serve]: how the server listens.

    host: address; the default is this machine only.
    port: 0 takes a free one.
    """

    host: str = "127.0.0.1"
    port: Port = 8080
    http: Http = Http()
    grpc: Grpc = Grpc()
    calls: Calls = Calls()
    log: Log = Log()
    metrics: Metrics = Metrics()
    tracing: Tracing = Tracing()
    access: Access = Access()
    tokens: Tokens = Tokens()
    workers: Workers = Workers()
    memory: Memory = Memory()
    models: dict[str, Model] = {}
