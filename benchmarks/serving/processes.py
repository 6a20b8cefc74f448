"""What a server's processes use up, as Linux tells in /proc, and the server as a process on one core."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

_TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")
_STOP_S = 20.0


@dataclass(frozen=True, slots=True)
class Usage:
    """What a process and those it started have used.

    cpu_s: process -> CPU seconds since its start.
    """

    cpu_s: Mapping[int, float]

    def since(self, before: Usage) -> float:
        """CPU seconds of all processes since then."""
        return sum(used - before.cpu_s.get(pid, 0.0) for pid, used in self.cpu_s.items())

    def busiest_since(self, before: Usage) -> int:
        """The process that did most of the work since then: the worker."""
        return max(self.cpu_s, key=lambda pid: self.cpu_s[pid] - before.cpu_s.get(pid, 0.0))


def usage_of(root: int) -> Usage:
    """Of a process and all that stem from it."""
    fields = {pid: found for pid in _processes() if (found := _stat(pid)) is not None}
    children: dict[int, list[int]] = {}
    for pid, found in fields.items():
        children.setdefault(int(found[1]), []).append(pid)
    tree = [root]
    for pid in tree:  # grows as we go
        tree += children.get(pid, [])
    return Usage({pid: _cpu_s(fields[pid]) for pid in tree if pid in fields})


def _cpu_s(fields: Sequence[str]) -> float:
    return (int(fields[11]) + int(fields[12])) / _TICKS_A_SECOND


def resident_mb(pid: int) -> float:
    """Memory of a process that is in RAM, shared pages included."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def _processes() -> Iterator[int]:
    return (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit())


def _stat(pid: int) -> list[str] | None:
    """The fields after the name, from the state on; None if it has ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None


@contextmanager
def running(
    command: Sequence[str], *, core: int, environ: Mapping[str, str], folder: Path, log: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """A server on one core, stopped in the end with all that stem from it.

    folder: it is started in.
    log:    where it writes what it says.
    """
    with log.open("wb") as said:
        process = subprocess.Popen(
            ["taskset", "-c", str(core), *command],
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            cwd=folder,
            env={**os.environ, **environ},
            start_new_session=True,
        )
        try:
            yield process
        finally:
            _stop(process)


def _stop(process: subprocess.Popen[bytes]) -> None:
    family = list(usage_of(process.pid).cpu_s)
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(timeout=_STOP_S)
    for pid in family:  # those that the server did not stop itself
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    process.wait()
