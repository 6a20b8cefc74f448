"""A real PostgreSQL for tests: started once a run, on a socket in a folder of its own, as a user without privileges."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import pytest

PROGRAMS = Path("/usr/lib/postgresql")
UNPRIVILEGED = "postgres"  # whom Debian's package makes; the server refuses to run as root
SECRET = "correct-horse"
"""The password in every URL; the server does not ask for it, and no message may show it."""


@dataclass(frozen=True, slots=True)
class Postgres:
    """A running server.

    programs: folder of initdb and pg_ctl.
    folder:   of its data and its socket.
    durable:  whether a commit waits for the disk, as it must outside of tests.
    """

    programs: Path
    folder: Path
    durable: bool = False
    _numbers: Iterator[int] = field(default_factory=count, repr=False)

    def database(self) -> str:
        """The URL of a new, empty database."""
        name = f"test{next(self._numbers)}"
        self._run("createdb", "-h", str(self.folder), "-U", "unisono", name)
        return f"postgresql://unisono:{SECRET}@/{name}?host={self.folder}"

    def make(self) -> None:
        """Make its data, once."""
        self._run("initdb", "-D", self._data, "-U", "unisono", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")

    def start(self) -> None:
        """Start it; returns once it answers."""
        options = f"-k {self.folder} -c listen_addresses= -c fsync={'on' if self.durable else 'off'}"
        self._run("pg_ctl", "start", "-w", "-D", self._data, "-l", str(self.folder / "log"), "-o", options)

    def stop(self) -> None:
        """Stop it at once, as a power cut does: sessions end, what was committed is kept."""
        self._run("pg_ctl", "stop", "-w", "-m", "immediate", "-D", self._data)

    @property
    def _data(self) -> str:
        return str(self.folder / "data")

    def _run(self, program: str, *arguments: str) -> None:
        user = UNPRIVILEGED if os.getuid() == 0 else None
        output = self.folder / "output"  # a pipe would be kept open by the server that pg_ctl starts
        with output.open("w") as said:
            command: Sequence[str] = [str(self.programs / program), *arguments]
            done = subprocess.run(command, cwd=self.folder, stdout=said, stderr=said, user=user, group=user)
        if done.returncode:
            raise RuntimeError(f"{program}: {output.read_text()}")


class NoPostgresError(Exception):
    """Why there can be no server here."""


@contextmanager
def running(*, durable: bool = False) -> Iterator[Postgres]:
    """A server, for a while. Raises NoPostgresError where there can be none."""
    found = sorted(PROGRAMS.glob("*/bin/pg_ctl"))
    if not found:
        raise NoPostgresError(f"PostgreSQL is not installed under {PROGRAMS}: `apt-get install postgresql`")
    folder = Path(tempfile.mkdtemp(prefix="pg"))  # short: the path of a socket has at most 107 bytes
    server = Postgres(found[-1].parent, folder, durable)
    try:
        _give_away(folder)
        server.make()
        server.start()
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _give_away(folder: Path) -> None:
    if os.getuid() == 0:
        try:
            shutil.chown(folder, UNPRIVILEGED, UNPRIVILEGED)
        except LookupError as error:
            missing = f"there is no user {UNPRIVILEGED} to run it as"
            raise NoPostgresError(f"PostgreSQL does not run as root, and {missing}") from error


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """The server; skips the test, with the reason, where there can be none."""
    with ExitStack() as stack:
        try:
            server = stack.enter_context(running())
        except NoPostgresError as error:
            pytest.skip(str(error))
        yield server
