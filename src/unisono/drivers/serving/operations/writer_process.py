"""The writer of the prediction log, as the keeper sees it: started, started again if it dies, and stopped last."""

from __future__ import annotations

import logging
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import msgspec

from unisono.drivers.serving.settings import Log

_LOGGER = logging.getLogger(__name__)

_WAITING_WORKERS = 256  # of connections; there is one a worker


class WriterProcess:
    """One writer a server. The keeper holds the socket, so that workers can connect whether a writer runs or not.

    directory: of the log, with a folder a predictor.
    settings:  of [serve.log].

    `address` is what the workers' channels connect to.
    """

    def __init__(self, directory: Path, settings: Log) -> None:
        self._directory = directory
        self._settings = settings
        # The path of a Unix socket has at most 100 bytes, a project's folder may have more; nobody else may enter here.
        self._folder = Path(tempfile.mkdtemp(prefix="unisono-"))
        self.address = str(self._folder / "log")
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(self.address)
        self._listener.listen(_WAITING_WORKERS)
        self._process = self._start()

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    def ensure(self) -> bool:
        """Start it again if it has died; returns whether it had. To be called about once a second."""
        code = self._process.poll()
        if code is None:
            return False
        _LOGGER.error("prediction log: its writer has ended (exit code %d); another one is started", code)
        self._leave()
        self._process = self._start()
        return True

    def stop(self, grace_s: float) -> None:
        """Let it write what it has, once the workers have gone; after the grace period it is killed."""
        self._leave()
        try:
            self._process.wait(grace_s)
        except subprocess.TimeoutExpired:
            _LOGGER.error(
                "prediction log: its writer was not done after %g s; what it had not written is lost", grace_s
            )
            self._process.kill()
            self._process.wait()
        self._listener.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _leave(self) -> None:
        """Tell it that the keeper has gone."""
        assert self._process.stdin is not None
        self._process.stdin.close()

    def _start(self) -> subprocess.Popen[bytes]:
        descriptor = self._listener.fileno()
        settings = msgspec.json.encode(self._settings).decode()
        module = "unisono.drivers.serving.operations.writer"
        return subprocess.Popen(
            [sys.executable, "-P", "-m", module, str(descriptor), str(self._directory), settings],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            pass_fds=[descriptor],
            env={**os.environ, "POLARS_MAX_THREADS": "1"},  # the cores are for those who answer
        )
