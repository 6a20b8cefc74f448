"""One worker's place: a process in it, and another as soon as that one ends."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic

from unisono.drivers.serving.workers.channel import Channel
from unisono.drivers.serving.workers.messages import (
    Applied,
    Ask,
    Boot,
    Done,
    Failed,
    FromKeeper,
    FromWorker,
    Listening,
    Ping,
    Pong,
    Stop,
)
from unisono.drivers.serving.workers.reports import Event, Report

PING_S = 1.0
START_S = 120.0
"""A worker that neither listens nor has loaded one version more after so long is killed."""
SETTLED_S = 10.0
"""A worker that lived for so long is replaced at once when it ends."""

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.2, 10.0
_STDERR = 2  # stdout carries nothing but the keeper's answer
_STUBBORN_S = 2.0  # how much longer than its grace a worker may take to end

COMMAND = (sys.executable, "-P", "-m", "unisono.drivers.serving.workers.worker")


@dataclass(frozen=True, slots=True)
class House:
    """What all places have in common.

    boot:      the first message to a worker of a number.
    asked:     called with what a worker's caller wants.
    changed:   called whenever a worker says something of itself.
    report:    told what becomes of workers.
    silence_s: a worker that does not react for so long is killed.
    command:   starts a worker; the number of its end of the channel is added.
    """

    boot: Callable[[int], Boot]
    asked: Callable[[Slot, Ask], None]
    changed: Callable[[], None]
    report: Report
    silence_s: float
    command: Sequence[str] = COMMAND


class Slot:
    """The place of a worker.

    number: from 0.
    house:  what it shares with the others.

    pid:      of the process that is in it; None: none is.
    restarts: how often there was another.
    applied:  predictor -> what the worker said last of its routes.
    pong:     what it said last of itself.
    failure:  why it could not start, if it said so.
    """

    def __init__(self, number: int, house: House) -> None:
        self.number = number
        self._house = house
        self._stopping: Stop | None = None
        self._pause_s = 0.0
        self.restarts = 0
        self.failure = ""
        self._begin()

    def _begin(self) -> None:
        self.pid: int | None = None
        self.is_listening = False
        self.applied: dict[str, Applied] = {}
        self.pong: Pong | None = None
        self._channel: Channel[FromWorker] | None = None
        self._unanswered = 0
        self._got_on_s = monotonic()

    # Keeping one there ------------------------------------------------------------------------------------------------

    async def keep(self) -> None:
        """Keep a worker here, until `stop`."""
        while self._stopping is None:
            began_s, self.failure = monotonic(), ""
            reason = await self._live()
            if self.failure and not self.is_listening:
                reason = f"did not start ({self.failure})"
            lived_s = monotonic() - began_s
            listened = self.is_listening
            self._begin()
            self._house.changed()
            if self._stopping is None:
                await self._before_the_next(reason, lived_s if listened else 0.0)

    async def _before_the_next(self, reason: str, lived_s: float) -> None:
        self.restarts += 1
        self._pause_s = 0.0 if lived_s > SETTLED_S else max(_FIRST_PAUSE_S, self._pause_s)
        when = f"in {self._pause_s:.1f} s" if self._pause_s else "now"
        message = f"worker {self.number} {reason}; another takes its place {when}"
        fields = {"worker": self.number, "restarts": self.restarts}
        self._house.report(Event("worker_ended", message, "error", fields))
        deadline_s = monotonic() + self._pause_s
        self._pause_s = min(2 * self._pause_s, _LONGEST_PAUSE_S)
        while self._stopping is None and monotonic() < deadline_s:
            await asyncio.sleep(0.05)

    async def _live(self) -> str:
        """Start a worker and wait for its end; returns how it came to it."""
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                process = await self._start(theirs)
            except OSError as error:
                ours.close()
                self.failure = f"{self._house.command[0]}: {error.strerror}"
                return "was not started"
        self.pid, self._got_on_s = process.pid, monotonic()
        channel: Channel[FromWorker] = Channel(FromWorker, self._heard, lambda: None)
        await channel.open(ours)
        self._channel = channel
        watch = asyncio.ensure_future(self._watch())
        try:
            channel.send(self._house.boot(self.number))
            if self._stopping is not None:
                self._end(self._stopping)
            code = await process.wait()
        finally:
            watch.cancel()
            channel.close()
        return watch.result() if watch.done() and not watch.cancelled() else _ending(code)

    async def _start(self, theirs: socket.socket) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            *self._house.command,
            str(theirs.fileno()),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=_STDERR,
            pass_fds=(theirs.fileno(),),
            process_group=0,  # Ctrl-C is for the keeper, who stops the workers in order
        )

    async def _watch(self) -> str:
        """Kill the worker when it says nothing any more; returns why that was done.

        Pings are counted, not seconds: if it is the keeper that stood still, answers are read before the next count.
        """
        while self._unanswered * PING_S < self._house.silence_s:
            if not self.is_listening and monotonic() - self._got_on_s > START_S:
                self.kill(signal.SIGKILL)
                return f"did not get on with its start for {START_S:g} s and was killed"
            self.send(Ping(self._unanswered))
            self._unanswered += 1
            await asyncio.sleep(PING_S)
            if not self.is_listening:
                self._unanswered = 0  # loading may take the loop for long
        self.kill(signal.SIGKILL)
        return f"did not react for {self._house.silence_s:g} s and was killed"

    # Talking to it ----------------------------------------------------------------------------------------------------

    def send(self, message: FromKeeper) -> None:
        """Tell the worker something, if one is there; the next one learns it from its `Boot`."""
        if self._channel is not None:
            self._channel.send(message)

    def answer(self, number: int, error: str = "", answer: bytes = b"") -> None:
        """Answer what the worker asked."""
        self.send(Done(number, error, answer))

    def _heard(self, message: FromWorker) -> None:
        if isinstance(message, Pong):
            self._unanswered = 0
            self.pong = message
        elif isinstance(message, Applied):
            self._note_applied(message)
        elif isinstance(message, Listening):
            self.is_listening = True
            self.send(Ping(self._unanswered))  # how it is, is known at once
            self._house.report(Event("worker_listens", f"worker {self.number} listens", fields=self._who()))
        elif isinstance(message, Failed):
            self.failure = message.error
        else:
            self._house.asked(self, message)
        self._house.changed()

    def _note_applied(self, message: Applied) -> None:
        known = self.applied.get(message.predictor)
        if known is None or message.revision >= known.revision:  # an older one that was passed over ends later
            self.applied[message.predictor] = message
        self._got_on_s = monotonic()
        if message.error:
            said = f"worker {self.number}: {message.predictor}: {message.error}"
            fields = {**self._who(), "predictor": message.predictor}
            self._house.report(Event("not_applied", said, "error", fields))

    def _who(self) -> dict[str, object]:
        return {"worker": self.number, "pid": self.pid}

    # Stopping ---------------------------------------------------------------------------------------------------------

    def stop(self, how: Stop) -> None:
        """Let the worker stop in order, and no other take its place; `keep` returns then."""
        self._stopping = how
        self._end(how)

    def _end(self, how: Stop) -> None:
        self.send(how)
        if self.pid is not None:
            pid, allowed_s = self.pid, how.linger_s + how.grace_s + _STUBBORN_S
            asyncio.get_running_loop().call_later(allowed_s, self._kill_if_there, pid)

    def _kill_if_there(self, pid: int) -> None:
        if self.pid == pid:
            self.kill(signal.SIGKILL)
            message = f"worker {self.number} did not stop in time and was killed"
            self._house.report(Event("worker_killed", message, "error", self._who()))

    def kill(self, number: signal.Signals) -> None:
        """Send a signal to the worker, if one is there."""
        if self.pid is not None:
            with suppress(ProcessLookupError):  # it has just ended
                os.kill(self.pid, number)


def _ending(code: int) -> str:
    return f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
