"""The log of a worker: a line on stderr for what went wrong."""

from __future__ import annotations

import logging
import sys
import time

import msgspec

from unisono.drivers.serving.workers.messages import Boot


class _Lines(logging.Formatter):
    """For people: time, who, what."""

    converter = staticmethod(time.gmtime)  # the one zone that logs of several machines share

    def __init__(self, who: str) -> None:
        super().__init__(f"%(asctime)s.%(msecs)03dZ %(levelname)-7s {who}: %(message)s", "%Y-%m-%dT%H:%M:%S")


class _JsonLines(logging.Formatter):
    """For machines."""

    def __init__(self, worker: int) -> None:
        super().__init__()
        self._worker = worker

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": record.created,
            "level": record.levelname.lower(),
            "event": "log",
            "worker": self._worker,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return msgspec.json.encode(line).decode()


def write_logs(boot: Boot) -> None:
    """Let what this process logs be written to stderr."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JsonLines(boot.slot) if boot.is_json else _Lines(f"worker {boot.slot}"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
