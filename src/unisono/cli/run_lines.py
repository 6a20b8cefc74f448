"""Runs as people read them: one in a line, one in full."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime

from unisono.cli import prose
from unisono.store.runs import Run, State


def line(run: Run) -> str:
    """One run and how it is, in a line."""
    return f"{run.id}  {state_of(run)}"


def state_of(run: Run) -> str:
    """How a run is, in words."""
    return _WORDS[run.state](run)


def _done(run: Run) -> str:
    cost = "" if run.cost is None else f", {run.cost:.4g} {run.currency}"
    return f"done: {run.rows:,} rows in {run.seconds:.1f} s ({run.cpu_seconds:.1f} CPU s{cost}) -> {run.output}"


def _failed(run: Run) -> str:
    again = "" if run.retry_at is None else f", again at {instant(run.retry_at)}"
    return f"failed (attempt {run.failures}){again}: {run.error}"


def _skipped(run: Run) -> str:
    until = "" if run.until is None else f" (instants before {instant(run.until)})"
    return f"skipped: {run.reason}{until}"


def _queued(run: Run) -> str:
    return "stopped at a checkpoint; a scheduler goes on with it" if run.claims else f"queued ({run.trigger})"


def _running(run: Run) -> str:
    again = f", attempt {run.failures + 1}" if run.failures else ""
    return f"running ({run.trigger}{again})"


_WORDS = {
    State.QUEUED: _queued,
    State.RUNNING: _running,
    State.LOST: lambda run: f"lost: {run.owner} died, or lost its lease; a scheduler goes on with it",
    State.FAILED: _failed,
    State.DONE: _done,
    State.GAVE_UP: lambda run: f"gave up after {run.failures} failures: {run.error}",
    State.SKIPPED: _skipped,
}


def instant(moment: datetime) -> str:
    """A UTC instant, to the second."""
    return f"{moment:%Y-%m-%d %H:%M:%S}Z"


def data_of(run: Run) -> dict[str, object]:
    """A run for machines; instants as RFC 3339."""
    return {name: _plain(value) for name, value in asdict(run).items()}


def details(run: Run) -> str:
    """Everything that is known of a run, a line each."""
    known = {name: value for name, value in data_of(run).items() if value not in (None, (), [])}
    return prose.table(known.items())


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    return list(value) if isinstance(value, tuple) else value
