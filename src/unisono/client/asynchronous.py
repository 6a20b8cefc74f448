"""The client for asyncio, which does the work of both."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Mapping
from time import monotonic
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeVar, overload
from urllib.parse import quote

from unisono.client.answers import (
    Answer,
    Features,
    Version,
    answer_of,
    answers_of,
    decoded,
    features_of,
    features_of_rows,
)
from unisono.client.errors import BusyError, CallError, LateError, UnreachableError, error_of
from unisono.client.retrying import Budget, Patience
from unisono.client.rows import Frame, Row, Rows, body_of, piece_rows, pieces, table_of
from unisono.client.transport import Ask, LostError, Reply, Transport
from unisono.spec.errors import InputError

if TYPE_CHECKING:
    import polars as pl

T = TypeVar("T")

TIMEOUT_S = 10.0
PIECE_ROWS = 1000
"""Rows that are sent at a time."""


class AsyncClient:
    """Asks one server, from one event loop.

    address:   `http://HOST:PORT` or `https://...`, with the path that the server is mounted under, if there is one.
    token:     sent with every request; None: none.
    timeout_s: of calls that do not say how long they wait.
    tls:       what is trusted; None: what this machine trusts.
    budget:    how often calls may be sent again.

    A call is sent again if there is no connection, if the connection is lost before the answer, or at 429 and 503, when
    the server says so; never once its time is over, and never past the budget. The time is for all tries together, and
    the server is told what is left of it. Raises InputError for an address or a token that is none, StoreError without
    aiohttp.
    """

    def __init__(
        self,
        address: str,
        *,
        token: str | None = None,
        timeout_s: float = TIMEOUT_S,
        tls: ssl.SSLContext | None = None,
        budget: Budget | None = None,
    ) -> None:
        self._transport = Transport(address, token=token, tls=tls)
        self._timeout_s = timeout_s
        self._budget = budget or Budget()
        self._patience = Patience()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close all connections."""
        await self._transport.close()

    @overload
    async def predict(
        self, name: str, rows: Row, *, version: str | None = ..., timeout_s: float | None = ...
    ) -> Answer: ...

    @overload
    async def predict(
        self, name: str, rows: Rows, *, version: str | None = ..., timeout_s: float | None = ...
    ) -> list[Answer]: ...

    async def predict(
        self, name: str, rows: Row | Rows, *, version: str | None = None, timeout_s: float | None = None
    ) -> Answer | list[Answer]:
        """Ask a predictor.

        name:      of the predictor.
        rows:      one row as a mapping; or several, or a frame, which goes in pieces, one after the other.
        version:   id or alias of the version that is to answer; None: whichever answers.
        timeout_s: for all of it.

        Returns the answer to one row, or a list of them in the order of the rows. Raises CallError, InputError.
        """
        path = f"/predict/{_quoted(name)}" + (f"?version={_quoted(version)}" if version else "")
        return await self._ask(path, rows, f"predict {name}", timeout_s, answer_of, answers_of)

    async def predict_frame(
        self, name: str, frame: Frame, *, version: str | None = None, timeout_s: float | None = None
    ) -> pl.DataFrame:
        """Ask a predictor about a large frame, in binary form: quicker than `predict`, which makes objects of answers.

        name, version, timeout_s: as for `predict`.
        frame: Polars, pandas, pyarrow, DuckDB, or whatever else has `__arrow_c_stream__`; a row a request.

        Returns its columns, then the outputs, as `Project.predict` does, and `served.version` and `served.position`.
        Raises CallError, InputError.
        """
        from unisono.client import tensors  # Polars takes time to import; who sends mappings needs none of it

        what, until_s = f"predict {name}", self._until(timeout_s)
        path = f"/v2/models/{_quoted(name)}" + (f"/versions/{_quoted(version)}" if version else "") + "/infer"
        table = table_of(frame, what)
        answers: list[pl.DataFrame] = []
        for piece in table.iter_slices(piece_rows(table, PIECE_ROWS)):
            body, headers = tensors.encode(piece, what)
            reply = await self._call(Ask(what, "POST", path, body, headers), until_s)
            answers.append(tensors.decode(reply, piece.height, what))
        return tensors.beside(table, answers, what)

    @overload
    async def features(self, name: str, rows: Row, *, timeout_s: float | None = ...) -> Features: ...

    @overload
    async def features(self, name: str, rows: Rows, *, timeout_s: float | None = ...) -> list[Features]: ...

    async def features(
        self, name: str, rows: Row | Rows, *, timeout_s: float | None = None
    ) -> Features | list[Features]:
        """What a predictor's model would see; arguments, order and errors are those of `predict`."""
        path = f"/features/{_quoted(name)}"
        return await self._ask(path, rows, f"features {name}", timeout_s, features_of, features_of_rows)

    async def models(self, *, timeout_s: float | None = None) -> list[Version]:
        """The versions that the server has. Raises CallError."""
        reply = await self._call(Ask("models", "POST", "/v2/repository/index", b"{}"), self._until(timeout_s))
        return decoded(reply.body, list[Version], "models")

    async def ready(self, *, timeout_s: float | None = None) -> bool:
        """Whether the server is there and can answer. It is asked once. Raises CallError for anything else."""
        until_s = self._until(timeout_s)
        try:
            async with asyncio.timeout(until_s - monotonic()):
                await self._try(Ask("ready", "GET", "/health/ready"), until_s)
        except (BusyError, UnreachableError, TimeoutError):
            return False
        return True

    async def _ask(
        self,
        path: str,
        rows: Row | Rows,
        what: str,
        timeout_s: float | None,
        one: Callable[[bytes, str], T],
        some: Callable[[bytes, str], list[T]],
    ) -> T | list[T]:
        """What one row, or each of several, is answered; one, some: read an answer."""
        until_s = self._until(timeout_s)
        if isinstance(rows, Mapping):
            return one((await self._call(Ask(what, "POST", path, body_of(rows, what)), until_s)).body, what)
        answers: list[T] = []
        for piece in pieces(rows, PIECE_ROWS, what):
            reply = await self._call(Ask(what, "POST", path, body_of(piece, what)), until_s)
            answers += some(reply.body, what)
        return answers

    def _until(self, timeout_s: float | None) -> float:
        given_s = self._timeout_s if timeout_s is None else timeout_s
        if not given_s > 0:
            raise InputError(f"timeout_s: {given_s}; allowed: seconds above 0; correct it")
        return monotonic() + given_s

    async def _call(self, ask: Ask, until_s: float) -> Reply:
        """The answer, after as many tries as it takes. Raises CallError."""
        self._budget.earn()
        last: CallError | None = None
        tries = 0
        try:
            async with asyncio.timeout(until_s - monotonic()):
                while True:
                    try:
                        return await self._try(ask, until_s)
                    except CallError as error:
                        last = error
                    tries += 1
                    await asyncio.sleep(self._pause_s(last, tries, until_s))
        except TimeoutError:
            raise _late(ask.what, last) from last

    def _pause_s(self, error: CallError, tries: int, until_s: float) -> float:
        """How long to wait before the next try; raises the error if there is to be none."""
        pause_s = self._patience.pause_s(error, tries)
        if pause_s is None or monotonic() + pause_s >= until_s or not self._budget.spend():
            raise error
        return pause_s

    async def _try(self, ask: Ask, until_s: float) -> Reply:
        try:
            reply = await self._transport.send(ask, timeout_s=until_s - monotonic())
        except LostError as lost:
            raise UnreachableError(self._unreachable(ask.what, lost), may_repeat=lost.may_repeat) from lost
        if reply.status != 200:
            raise error_of(reply, ask.what)
        return reply

    def _unreachable(self, what: str, lost: LostError) -> str:
        return (
            f"{what}: no answer from {self._transport.address} ({lost}); allowed: a server that can be reached; check "
            "the address, and that `unisono serve` runs"
        )


def _quoted(part: str) -> str:
    """Part of a path."""
    return quote(part, safe="")


def _late(what: str, last: CallError | None) -> LateError:
    seen = f"{what}: no answer in time" + (f", after {last}" if last else "")
    return LateError(f"{seen}; allowed: an answer within timeout_s; allow more time, or ask for fewer rows")
