"""`unisono serve`: predictions over HTTP."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

from cyclopts.types import UInt16

from unisono.cli.answer import Answer
from unisono.cli.options import COMMON_DEFAULTS, Common, option
from unisono.cli.output import note, tell

if TYPE_CHECKING:
    from unisono.drivers.project import Project

EXAMPLES = (
    "unisono serve",
    "unisono serve --host 0.0.0.0 --port 9000",
)
FIELDS = {
    "url": "where it can be reached",
    "predictors": "names of those that are served",
}


def serve(
    *,
    host: Annotated[
        str | None,
        option(
            "ADDRESS",
            "Address to listen on. Default: host in unisono.toml, else 127.0.0.1 (this machine only).",
        ),
    ] = None,
    port: Annotated[
        UInt16 | None,
        option("PORT", "TCP port; 0 takes a free one. Default: port in unisono.toml, else 8080."),
    ] = None,
    common: Common = COMMON_DEFAULTS,
) -> None:
    """Answer requests over HTTP: POST /predict/PREDICTOR with the request as JSON.

    Serves every predictor that has a registered version, from the state that `unisono stream` keeps; features are
    evaluated at the time of the request, which is the server's clock if the request does not say. GET /health/live
    and /health/ready tell how it is. Prints the address and an example once it can be reached (with --json one line:
    url and predictors). Ctrl-C or SIGTERM stops it after the requests under way.
    """
    from unisono.drivers.project import load

    project = load(common.project)

    def announce(address: str) -> None:
        names = project.answering
        tell(Answer({"url": address, "predictors": names}, _greeting(project, address, names)))

    with _stopped_by_signals():
        project.serve(host=host, port=port, announce=announce)
    note("stopped", quiet=common.quiet)


def _greeting(project: Project, address: str, names: Sequence[str]) -> str:
    from unisono.cli.request_example import curl

    examples = [f"  {curl(project, address, name)}" for name in names]
    return "\n".join([f"serving {', '.join(names)} at {address} (Ctrl-C stops); try:", *examples])


@contextmanager
def _stopped_by_signals() -> Iterator[None]:
    """The server hands SIGINT and SIGTERM on once it has stopped in order; being told to stop is no failure."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    except KeyboardInterrupt:
        pass
    finally:
        signal.signal(signal.SIGTERM, before)
