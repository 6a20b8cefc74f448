"""One connection: its requests to the service, and the answers back in the order of the requests."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from time import perf_counter
from typing import Final, cast

import msgspec

from unisono.drivers.serving.exchange import Cancel, Request, Response
from unisono.drivers.serving.http.connections import Connections
from unisono.drivers.serving.http.reader import BODY, NOTHING, STEP_BYTES, Reader
from unisono.drivers.serving.http.responses import CLOSES, CONTINUE, KEEPS, KEEPS_OLD, full, render
from unisono.drivers.serving.refusals import RefusalError, problem

_LOGGER = logging.getLogger(__name__)

LINGER_S: Final = 2.0
LINGER_BYTES: Final = 4 << 20
"""A client that was refused may send so much, for so long, until it has read why: a connection closed over bytes that
nobody has read takes the answer with it."""


class Exchange(msgspec.Struct, eq=False):
    """A request that was read, and the response to it once it is there.

    connection: whose.
    ending:     of the response's head: whether the connection is kept.
    is_head:    whether only the head of the response is sent.
    cancel:     takes the request back while there is no response.
    """

    connection: Connection
    ending: bytes
    is_head: bool = False
    response: Response | None = None
    cancel: Cancel | None = None

    def reply(self, response: Response) -> None:
        """Take the response."""
        if self.response is not None:
            _LOGGER.error("a request was answered twice; only the first answer is sent")
            return
        self.response = response
        self.cancel = None
        self.connection.answered(self)


class Connection(asyncio.Protocol):
    """One connection.

    connections: all of the worker, with what is served to them and what they may use up.

    It reads; or it is deaf, since no more requests will be answered, until what was asked is; or it lingers: all is
    answered, and what still comes is thrown away until the client has seen that it is over.
    """

    __slots__ = (
        "_blocked_s",
        "_cut_at_s",
        "_discarded_bytes",
        "_idle_s",
        "_is_continue_due",
        "_is_deaf",
        "_is_flushing",
        "_is_half_closed",
        "_is_paused",
        "_is_refused",
        "_later",
        "_made_s",
        "_owner",
        "_reader",
        "_rest",
        "_service",
        "_transport",
        "_under_way",
        "_waiting",
    )

    _transport: asyncio.Transport

    def __init__(self, connections: Connections) -> None:
        self._owner = connections
        self._service = connections.service
        self._reader = Reader(connections.limits, self._take, self._expected)
        self._waiting: deque[Exchange] = deque()  # not sent, in order
        self._later: deque[tuple[Exchange, Request]] = deque()  # of these, not begun
        self._under_way = 0
        self._rest = b""
        self._blocked_s = self._idle_s = 0.0
        self._cut_at_s = float("inf")
        self._discarded_bytes = 0
        self._is_continue_due = self._is_deaf = self._is_flushing = self._is_half_closed = False
        self._is_paused = self._is_refused = False
        self._made_s = perf_counter()

    # Life -------------------------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client is there."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's are none by name
        if not self._is_encrypted:  # what is below a limit uvloop writes once it has read all that is ready
            self._transport.set_write_buffer_limits(high=0)
        if self._owner.add(self):
            return
        self._is_deaf = True
        self._is_refused = self._owner.may_linger
        self._transport.write(full(self._owner.limits.max_connections))
        self._leave()

    def connection_lost(self, error: Exception | None) -> None:
        """The client is gone: nobody waits for what it asked."""
        self._owner.remove(self)
        self._is_deaf = True
        waiting, self._waiting = self._waiting, deque()
        self._later.clear()
        for exchange in waiting:
            if exchange.cancel is not None:
                self._owner.counts.cancelled += 1
                exchange.cancel()
        self._reader.close()

    def eof_received(self) -> bool:
        """The client sends nothing more. What it has asked whole is answered: it may still read."""
        if not self._waiting or self._is_encrypted:
            return False
        self._is_half_closed = True
        self._be_deaf()
        return True

    @property
    def _is_encrypted(self) -> bool:
        return self._transport.get_extra_info("sslcontext") is not None

    @property
    def is_idle(self) -> bool:
        """Whether nothing is asked, and nothing begun."""
        return not self._waiting and self._reader.phase == NOTHING and not self._is_deaf

    # Bytes come in ----------------------------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        """Bytes of requests."""
        if self._is_deaf:
            self._discard(len(data))
            return
        self._reader.now_s = perf_counter()
        try:
            if len(data) <= STEP_BYTES:
                self._reader.feed(data)
            else:
                self._feed_in_steps(data)
        except RefusalError as refusal:
            self._refuse(refusal)
        if self._later or self._blocked_s:
            self._pause()

    def _feed_in_steps(self, data: bytes) -> None:
        at = 0
        while at < len(data) and not self._is_deaf:
            if self._later:
                self._rest = data[at:]
                return
            end = at + self._reader.step
            self._reader.feed(data[at:end])
            at = end

    def _discard(self, size: int) -> None:
        self._discarded_bytes += size
        if self._discarded_bytes > LINGER_BYTES:
            self._transport.abort()

    def _expected(self) -> None:
        """The client waits to be told to send its body; the answers to its earlier requests come first."""
        if self._waiting:
            self._is_continue_due = True
        else:
            self._transport.write(CONTINUE)

    # Requests go out --------------------------------------------------------------------------------------------------

    def _take(self, request: Request, is_kept: bool, version: str) -> None:
        """A request is whole."""
        is_kept = is_kept and not self._owner.is_leaving
        ending = (KEEPS if version == "1.1" else KEEPS_OLD) if is_kept else CLOSES
        exchange = Exchange(self, ending, request.method == "HEAD")
        self._waiting.append(exchange)
        if not is_kept:
            self._is_deaf = self._reader.is_over = True
        if self._has_room and not self._later:
            self._begin(exchange, request)
        else:
            self._later.append((exchange, request))

    @property
    def _has_room(self) -> bool:
        return self._under_way < self._owner.limits.max_pipelined and not self._blocked_s

    def _begin(self, exchange: Exchange, request: Request) -> None:
        self._under_way += 1
        self._owner.counts.requests += 1
        cancel = self._service.handle(request, exchange.reply)
        if exchange.response is None:
            exchange.cancel = cancel

    def _refuse(self, refusal: RefusalError) -> None:
        """Answer what is no request, after all that was asked before it; then be deaf."""
        self._owner.counts.refused += 1
        exchange = Exchange(self, CLOSES, response=problem(refusal))
        self._is_deaf = self._is_refused = True
        self._rest = b""
        self._waiting.append(exchange)
        self._flush()

    # Answers come back ------------------------------------------------------------------------------------------------

    def answered(self, exchange: Exchange) -> None:
        """The response to one request is there."""
        self._under_way -= 1
        if self._waiting and (self._waiting[0] is exchange or self._later):
            self._flush()

    def _flush(self) -> None:
        """Send what can be, in order; begin what may be. Answers that come at once are sent by the outermost call."""
        if self._is_flushing:
            return
        self._is_flushing = True
        waiting, later = self._waiting, self._later
        while waiting:
            response = waiting[0].response
            if response is not None:
                self._send(waiting.popleft(), response)
            elif later and self._has_room:
                self._begin(*later.popleft())
            else:
                break
        self._is_flushing = False
        if not waiting:
            self._rest_awhile()
        if self._is_paused and not later and not self._blocked_s:
            self._resume()

    def _send(self, exchange: Exchange, response: Response) -> None:
        ending = exchange.ending
        if self._owner.is_leaving and not self._waiting and not self._rest and self._reader.phase == NOTHING:
            ending = CLOSES
        self._transport.write(render(response, ending, is_head=exchange.is_head))
        if ending is CLOSES:
            self._is_deaf = True
            self._waiting.clear()
            self._leave()

    def _rest_awhile(self) -> None:
        """All that was asked is answered."""
        self._idle_s = self._owner.now_s
        if self._is_continue_due and self._reader.phase == BODY and not self._is_deaf:
            self._transport.write(CONTINUE)
        self._is_continue_due = False

    # Saying goodbye ---------------------------------------------------------------------------------------------------

    def _be_deaf(self) -> None:
        """Read no more requests, and close after the last one that was read."""
        self._is_deaf = True
        self._rest = b""
        self._waiting[-1].ending = CLOSES

    def _leave(self) -> None:
        """All is said: close, but not over bytes that nobody has read."""
        if self._is_refused and self._transport.can_write_eof() and not self._transport.is_closing():
            self._transport.write_eof()
            self._cut_at_s = perf_counter() + LINGER_S
            self._resume()
        else:
            self._close()

    def _close(self) -> None:
        """Close once the client has read what was sent."""
        self._cut_at_s = perf_counter() + self._owner.limits.write_timeout_s
        self._transport.close()

    def drain(self) -> None:
        """Close once all that was asked, or begun, is answered; at once, if nothing was."""
        if self.is_idle:
            self._close()
        elif self._waiting and self._reader.phase == NOTHING:
            self._be_deaf()

    def cut(self) -> None:
        """Close at once."""
        self._transport.abort()

    # Flow -------------------------------------------------------------------------------------------------------------

    def pause_writing(self) -> None:
        """The client does not read its answers: neither are its requests read."""
        self._blocked_s = perf_counter()
        self._pause()

    def resume_writing(self) -> None:
        """It reads again."""
        self._blocked_s = 0.0
        self._flush()

    def _pause(self) -> None:
        if not self._is_paused and not self._transport.is_closing():
            self._is_paused = True
            self._transport.pause_reading()

    def _resume(self) -> None:
        """Read on: first what was left over, and only then what comes."""
        if not self._is_paused or self._transport.is_closing():
            return
        self._reader.go_on()
        if self._rest:
            asyncio.get_running_loop().call_soon(self._read_rest)
            return
        self._is_paused = False
        self._transport.resume_reading()

    def _read_rest(self) -> None:
        rest, self._rest = self._rest, b""
        if rest:
            self.data_received(rest)
        if not self._later and not self._blocked_s:
            self._resume()

    # Time -------------------------------------------------------------------------------------------------------------

    def judge(self, now_s: float) -> None:
        """Close if the client takes too long. Asked now and then, since a timer a connection is too dear."""
        if now_s > self._cut_at_s:
            self.cut()
        elif self._blocked_s:
            if now_s - self._blocked_s > self._owner.limits.write_timeout_s:
                self.cut()
        elif self._is_half_closed:
            self._ask_whether_somebody_reads()
        elif not self._is_deaf and not self._is_paused:
            self._judge_reading(now_s)

    def _ask_whether_somebody_reads(self) -> None:
        """A client that closed its connection looks like one that only sends nothing more, until it is written to."""
        if self._waiting and not self._reader.is_old:
            self._transport.write(CONTINUE)

    def _judge_reading(self, now_s: float) -> None:
        if self._reader.is_late(now_s):
            self._refuse(self._reader.late())
        elif self.is_idle:
            self._judge_idling(now_s)

    def _judge_idling(self, now_s: float) -> None:
        limits = self._owner.limits
        if self._idle_s == 0.0:
            if now_s - self._made_s > limits.header_timeout_s:
                self._refuse(self._reader.late())
        elif now_s - self._idle_s > limits.keep_alive_s:
            self._close()
