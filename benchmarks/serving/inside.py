"""What the server does for a request, in memory: `python -m benchmarks.serving.inside [--project keyed] [--profile N]`.

From the bytes of a request to those of its answer, through everything but sockets and prediction log: microseconds a
request, the least of many rounds, which a busy machine hardly moves. In a round, so many requests come in one turn of
the loop.
"""

from __future__ import annotations

import asyncio
import cProfile
import pstats
from itertools import cycle
from time import perf_counter_ns
from typing import Any

import uvloop

import unisono as un
from benchmarks.harness import Result, finish, parser, pin_to_one_core
from benchmarks.serving.callers import post
from benchmarks.serving.workload import KEYED, PREDICTOR, ROWS, WIDE, Files, ensure
from unisono.drivers.serving.http.server import HttpServer
from unisono.drivers.serving.mounted import Mounted

SIZES = (1, 8, 64)
REQUESTS = 20_000  # of a size
PROFILED = 40  # lines


class Sink(asyncio.Transport):
    """A transport that counts what is written, and throws it away."""

    def __init__(self) -> None:
        super().__init__()
        self.answers = 0
        self.last = b""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.answers += 1
        self.last = bytes(data)

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def is_closing(self) -> bool:
        return False


class Inside:
    """A project, served to connections that nobody is at.

    files:   of the workload.
    project: WIDE or KEYED.
    """

    def __init__(self, files: Files, project: str) -> None:
        self._loaded = un.load(files.project(project))
        path = f"/predict/{PREDICTOR[project]}"
        bodies = files.first_bodies("keyed" if project == KEYED else "named", ROWS)
        self._requests = cycle([post(path, body, "x-timeout-ms: 5000") for body in bodies])
        self._sink = Sink()
        self._connections: list[Any] = []

    async def start(self) -> None:
        """Load the version, connect, warm up."""
        mounted: Any = Mounted(self._loaded)
        await mounted._begin()
        server: Any = HttpServer(mounted._worker.service, self._loaded.config.serve.http)
        for _ in range(max(SIZES)):
            connection = server._connect()
            connection.connection_made(self._sink)
            self._connections.append(connection)
        await self.rounds(max(SIZES), REQUESTS)
        assert self._sink.last.startswith(b"HTTP/1.1 200 "), self._sink.last

    async def rounds(self, size: int, requests: int) -> float:
        """Microseconds a request in the quickest of the rounds."""
        return min([await self._round(size) for _ in range(requests // size)]) / size / 1e3

    async def _round(self, size: int) -> int:
        sink, wanted = self._sink, self._sink.answers + size
        began = perf_counter_ns()
        for connection in self._connections[:size]:
            connection.data_received(next(self._requests))
        while sink.answers < wanted:
            await asyncio.sleep(0)
        return perf_counter_ns() - began


async def measure(inside: Inside, profile: int | None) -> Result:
    """All sizes; and the functions that take longest, if wanted."""
    await inside.start()
    least = {str(size): round(await inside.rounds(size, REQUESTS), 2) for size in SIZES}
    if profile:
        with cProfile.Profile() as seen:
            await inside.rounds(profile, REQUESTS // 2)
        pstats.Stats(seen).sort_stats("tottime").print_stats(PROFILED)
    return {"benchmark": "serving.inside", "us_a_request_by_requests_a_turn": least}


def main() -> None:
    options = parser(str(__doc__), runs=1, workload=False)
    options.add_argument("--project", choices=[WIDE, KEYED], default=WIDE)
    options.add_argument("--profile", type=int, choices=SIZES, help="print what takes longest, with so many a turn")
    arguments = options.parse_args()
    files = ensure()
    pin_to_one_core()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        result = runner.run(measure(Inside(files, arguments.project), arguments.profile))
    finish(result, as_json=arguments.json)


if __name__ == "__main__":
    main()
