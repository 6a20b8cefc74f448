"""What keeper and workers say to each other."""

from __future__ import annotations

from typing import Literal

import msgspec

from unisono.drivers.online.plan_json import PlanJson
from unisono.drivers.serving.security.tokens import Token
from unisono.drivers.serving.settings import Serve
from unisono.drivers.serving.versions.routes import Routes

What = Literal["load", "unload", "rollback", "reload", "status"]


class Message(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag=True):
    """One of these."""


# Keeper to worker -----------------------------------------------------------------------------------------------------


class Predictor(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A predictor that may be served.

    plan:   how its requests are read and looked up.
    states: folder of its stream's states.
    """

    plan: PlanJson
    states: str


class Boot(Message, frozen=True):
    """The first message: all that a worker needs.

    slot:       its number, from 0; it keeps it when it is replaced.
    workers:    how many there are.
    host, port: where all of them listen.
    root:       folder of the project.
    shared:     folder with the memory that all workers of this server share.
    log:        address of the writer of the prediction log; "": nothing is written down.
    is_json:    whether its own log is lines of JSON.
    settings:   [serve] of unisono.toml.
    tokens:     of those who may ask; None: anybody may.
    predictors: all that are defined, whether they have a version or not.
    routes:     of those that have one.
    """

    slot: int
    workers: int
    host: str
    port: int
    root: str
    shared: str
    log: str
    is_json: bool
    settings: Serve
    tokens: list[Token] | None
    predictors: list[Predictor]
    routes: list[Routes]


class Configure(Message, frozen=True):
    """unisono.toml was read again.

    settings: its [serve].
    """

    settings: Serve


class Tokens(Message, frozen=True):
    """Other tokens are in force.

    tokens: all of them; None: nobody needs one.
    """

    tokens: list[Token] | None


class Stop(Message, frozen=True):
    """Stop in order.

    linger_s: how long to go on as before, but not ready, so that balancers send their requests elsewhere.
    grace_s:  how long requests under way may take then.
    """

    linger_s: float
    grace_s: float


class Ping(Message, frozen=True):
    """Says that the keeper is there; a worker whose loop turns answers with `Pong`."""

    number: int


class Done(Message, frozen=True):
    """The answer to `Ask`.

    number: of the question.
    error:  why it was not done; "" if it was.
    answer: JSON, where the question was one.
    """

    number: int
    error: str = ""
    answer: bytes = b""


FromKeeper = Boot | Routes | Configure | Tokens | Stop | Ping | Done


# Worker to keeper -----------------------------------------------------------------------------------------------------


class Listening(Message, frozen=True):
    """The worker has applied the routes of `Boot`, and takes requests."""


class Failed(Message, frozen=True):
    """The worker cannot start, and ends.

    error: why.
    """

    error: str


class Applied(Message, frozen=True):
    """Routes are what the worker does now.

    predictor, revision: which.
    error:               why they are not; what was served before still is. "" if they are.
    """

    predictor: str
    revision: int
    error: str = ""


class Pong(Message, frozen=True):
    """The worker's loop turns.

    number:         of the `Ping`.
    reasons:        predictor -> why it cannot answer; "" if it can.
    positions:      predictor -> position of the log that its states are at.
    resident_bytes: what the process has in memory.
    """

    number: int
    reasons: dict[str, str]
    positions: dict[str, int]
    resident_bytes: int


class Ask(Message, frozen=True):
    """A caller of this worker wants something that the keeper does.

    number:    of the question, this worker's own.
    predictor: about which; "" for none.
    """

    number: int
    what: What
    predictor: str = ""


FromWorker = Listening | Failed | Applied | Pong | Ask
