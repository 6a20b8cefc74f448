"""Results go to stdout, everything else to stderr.

With --json, stdout carries one line: what a user's own code prints goes to stderr for that time.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from contextvars import ContextVar

from unisono.cli.answer import Answer

_json_line: ContextVar[int | None] = ContextVar("_json_line", default=None)
"""File descriptor that JSON goes to; None: it was not asked for."""


@contextmanager
def json_on_stdout(asked: bool) -> Iterator[None]:
    """While it lasts, only `print_json` reaches stdout, if that is asked for.

    File descriptors are moved, not only sys.stdout: native libraries print as well.
    """
    if not asked:
        yield
        return
    sys.stdout.flush()
    stdout = os.dup(1)
    os.dup2(2, 1)
    token = _json_line.set(stdout)
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        _json_line.reset(token)
        sys.stdout.flush()
        os.dup2(stdout, 1)
        os.close(stdout)


def tell(answer: Answer) -> None:
    """Print a result: as JSON if that was asked for, else for people."""
    if _json_line.get() is not None:
        print_json(answer.data)
    elif answer.text:
        _print(answer.text)


def print_json(data: Mapping[str, object]) -> None:
    """One line of JSON, if that was asked for; NaN and infinities, which JSON has not, are null."""
    import msgspec

    stdout = _json_line.get()
    line = msgspec.json.encode(data) + b"\n"
    while line and stdout is not None:
        line = line[_write(stdout, line) :]


def _write(stdout: int, line: bytes) -> int:
    try:
        return os.write(stdout, line)
    except BrokenPipeError:
        return len(line)


def _print(text: str) -> None:
    try:
        print(text, flush=True)
    except BrokenPipeError:  # whoever read stdout has gone, as `head` does; Python's own flush at the end would fail
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
        os.close(nowhere)


def note(message: str, *, quiet: bool = False) -> None:
    """Tell something that is no result, unless --quiet."""
    if not quiet:
        print(message, file=sys.stderr, flush=True)


def warn(message: str) -> None:
    """Tell a risk; --quiet does not hide it."""
    note(f"warning: {message}")
