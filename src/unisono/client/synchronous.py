"""The client for ordinary code: the one for asyncio, on a loop of its own."""

from __future__ import annotations

import asyncio
import os
import ssl
import threading
import weakref
from collections.abc import Coroutine
from concurrent.futures import CancelledError, Future
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar, overload

from unisono.client.answers import Answer, Features, Version
from unisono.client.asynchronous import TIMEOUT_S, AsyncClient
from unisono.client.retrying import Budget
from unisono.client.rows import Frame, Row, Rows
from unisono.spec.errors import StoreError

if TYPE_CHECKING:
    import polars as pl

T = TypeVar("T")


class Client:
    """Asks one server, from any thread.

    address:   `http://HOST:PORT` or `https://...`, with the path that the server is mounted under, if there is one.
    token:     sent with every request; None: none.
    timeout_s: of calls that do not say how long they wait.
    tls:       what is trusted; None: what this machine trusts.
    budget:    how often calls may be sent again.

    It does what AsyncClient does, in a thread of its own: only so is the time of a call kept whatever a server does,
    for a blocking socket counts the time of each piece. A process that forks makes its clients afterwards. Raises
    InputError for an address or a token that is none, StoreError without aiohttp.
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
        self._client = AsyncClient(address, token=token, timeout_s=timeout_s, tls=tls, budget=budget)
        self._process = os.getpid()
        self._loop = _new_loop()
        thread = threading.Thread(target=self._loop.run_forever, name="unisono-client", daemon=True)
        thread.start()
        self._lock = threading.Lock()  # no call begins behind the back of the end
        # Also for those who forget it, at the latest when Python ends.
        self._end = weakref.finalize(self, _end, self._client, self._loop, thread, self._lock)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections, and end the thread. Calls under way are given up."""
        self._end()

    @overload
    def predict(self, name: str, rows: Row, *, version: str | None = ..., timeout_s: float | None = ...) -> Answer: ...

    @overload
    def predict(
        self, name: str, rows: Rows, *, version: str | None = ..., timeout_s: float | None = ...
    ) -> list[Answer]: ...

    def predict(
        self, name: str, rows: Row | Rows, *, version: str | None = None, timeout_s: float | None = None
    ) -> Answer | list[Answer]:
        """Ask a predictor.

        name:      of the predictor.
        rows:      one row as a mapping; or several, or a frame, which goes in pieces, one after the other.
        version:   id or alias of the version that is to answer; None: whichever answers.
        timeout_s: for all of it.

        Returns the answer to one row, or a list of them in the order of the rows. Raises CallError, InputError.
        """
        call: Coroutine[Any, Any, Any] = self._client.predict(name, rows, version=version, timeout_s=timeout_s)
        answer: Answer | list[Answer] = self._run(call)
        return answer

    def predict_frame(
        self, name: str, frame: Frame, *, version: str | None = None, timeout_s: float | None = None
    ) -> pl.DataFrame:
        """Ask a predictor about a large frame, in binary form: quicker than `predict`, which makes objects of answers.

        name, version, timeout_s: as for `predict`.
        frame: Polars, pandas, pyarrow, DuckDB, or whatever else has `__arrow_c_stream__`; a row a request.

        Returns its columns, then the outputs, as `Project.predict` does, and `served.version` and `served.position`.
        Raises CallError, InputError.
        """
        return self._run(self._client.predict_frame(name, frame, version=version, timeout_s=timeout_s))

    @overload
    def features(self, name: str, rows: Row, *, timeout_s: float | None = ...) -> Features: ...

    @overload
    def features(self, name: str, rows: Rows, *, timeout_s: float | None = ...) -> list[Features]: ...

    def features(self, name: str, rows: Row | Rows, *, timeout_s: float | None = None) -> Features | list[Features]:
        """What a predictor's model would see; arguments, order and errors are those of `predict`."""
        call: Coroutine[Any, Any, Any] = self._client.features(name, rows, timeout_s=timeout_s)
        features: Features | list[Features] = self._run(call)
        return features

    def models(self, *, timeout_s: float | None = None) -> list[Version]:
        """The versions that the server has. Raises CallError."""
        return self._run(self._client.models(timeout_s=timeout_s))

    def ready(self, *, timeout_s: float | None = None) -> bool:
        """Whether the server is there and can answer. It is asked once. Raises CallError for anything else."""
        return self._run(self._client.ready(timeout_s=timeout_s))

    def _run(self, call: Coroutine[Any, Any, T]) -> T:
        future = self._begin(call)
        try:
            return future.result()
        except CancelledError as error:
            raise StoreError("client: it was closed during the call; allowed: an open one; make a new one") from error
        except BaseException:
            future.cancel()
            raise

    def _begin(self, call: Coroutine[Any, Any, T]) -> Future[T]:
        with self._lock:
            if self._end.alive and self._process == os.getpid():
                return asyncio.run_coroutine_threadsafe(call, self._loop)
        call.close()
        seen = "it is closed" if self._process == os.getpid() else "it was made before this process was forked"
        raise StoreError(f"client: {seen}; allowed: an open one, of this process; make a new one")


def _end(client: AsyncClient, loop: asyncio.AbstractEventLoop, thread: threading.Thread, lock: threading.Lock) -> None:
    if not thread.is_alive():  # forked from it: the thread is not here
        return
    with lock:
        ended = asyncio.run_coroutine_threadsafe(_give_up(client), loop)
    ended.result()
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


async def _give_up(client: AsyncClient) -> None:
    """End the calls of other threads, who would wait for ever, and close the connections."""
    calls = asyncio.all_tasks() - {asyncio.current_task()}
    for call in calls:
        call.cancel()
    await asyncio.gather(*calls, return_exceptions=True)
    await client.close()


def _new_loop() -> asyncio.AbstractEventLoop:
    """Of the fastest kind: with uvloop, which Windows has not, a call takes half the time."""
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
    return loop
