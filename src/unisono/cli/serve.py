"""`unisono serve`: predictions over HTTP."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter
from cyclopts.types import NonNegativeInt, UInt16

from unisono.cli.answer import Answer
from unisono.cli.aside import aside
from unisono.cli.options import COMMON_DEFAULTS, Common, option
from unisono.cli.output import tell
from unisono.spec.errors import InputError

if TYPE_CHECKING:
    from unisono.drivers.project import Project
    from unisono.drivers.serving.workers.reports import Event, Report

EXAMPLES = (
    "unisono serve",
    "unisono serve --workers 2 --port 9000",
    "unisono serve --explain request.json",
)
FIELDS = {
    "url": "where it can be reached",
    "predictors": "names of those that are served",
    "workers": "how many processes answer",
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
    workers: Annotated[
        NonNegativeInt | None,
        option("NUMBER", "Processes that answer. Default: count in [serve.workers], else one for each core."),
    ] = None,
    insecure: Annotated[
        bool,
        Parameter(
            help="Let others than this machine ask without a token, where the server has none.",
            negative="",
            show_default=False,
        ),
    ] = False,
    explain: Annotated[
        Path | None,
        option("FILE", "Answer the request in this JSON file, and show how that came about. Default: serve."),
    ] = None,
    predictor: Annotated[
        str | None,
        option("NAME", "Whose request --explain answers. Default: the only one that has a version."),
    ] = None,
    common: Common = COMMON_DEFAULTS,
) -> Answer | None:
    """Answer requests over HTTP: POST /predict/PREDICTOR with the request as JSON.

    Serves every predictor that has a registered version, from the state that `unisono stream` keeps; features are
    evaluated at the time of the request, which is the server's clock if the request does not say. Another champion is
    served within a second, without a request lost. GET /health/live and /health/ready tell how it is. Prints the
    address and an example once it can be reached (with --json one line: url, predictors, workers; what happens later
    is told on stderr, then in lines of JSON, too). SIGHUP reads unisono.toml again. Ctrl-C or SIGTERM stops it after
    the requests under way.

    With --explain nothing is served: one request is answered here, and it is shown which keys were looked up, what the
    features were, and what each step took (with --json as one line with fields of its own).
    """
    from unisono.drivers.project import load
    from unisono.drivers.serving.start import Wishes

    project = load(common.project)
    if explain is not None:
        return _explained(project, predictor, explain)
    if predictor is not None:
        raise InputError("serve: --predictor without --explain; allowed: both, or neither; every predictor is served")
    wishes = Wishes(host, port, workers, insecure, is_json=common.json)

    def announce(address: str) -> None:
        names = project.answering
        count = wishes.over(project.config.serve).workers.count or _cores()
        answer = {"url": address, "predictors": names, "workers": count}
        tell(Answer(answer, _greeting(project, address, names)))

    with aside() as say:
        project.serve(wishes, announce=announce, report=_reporter(common, say))
    return None


def _explained(project: Project, predictor: str | None, file: Path) -> Answer:
    import msgspec
    from rich.console import Console

    from unisono.drivers.serving.operations.explain import explain

    try:
        body = file.read_bytes()
    except OSError as error:
        raise InputError(
            f"{file}: the request cannot be read ({error.strerror}); allowed: a file with one request as JSON; write it"
        ) from error
    explanation = explain(project, predictor, body)
    console = Console()
    with console.capture() as captured:
        for part in explanation.shown():
            console.print(part)
    return Answer(msgspec.json.decode(explanation.as_json()), captured.get().rstrip())


def _cores() -> int:
    from unisono.drivers.cores import usable_cores

    return usable_cores()


def _greeting(project: Project, address: str, names: Sequence[str]) -> str:
    from unisono.cli.request_example import curl

    examples = [f"  {curl(project, address, name)}" for name in names]
    return "\n".join([f"serving {', '.join(names)} at {address} (Ctrl-C stops); try:", *examples])


def _reporter(common: Common, say: Callable[[str], None]) -> Report:
    """Says what happens; with --quiet only what is not as it should be."""

    def report(event: Event) -> None:
        if event.level != "info" or not common.quiet:
            say(_json_line(event) if common.json else _line(event))

    return report


def _line(event: Event) -> str:
    at = time.strftime("%H:%M:%S")
    return f"{at} {event.message}" if event.level == "info" else f"{at} {event.level}: {event.message}"


def _json_line(event: Event) -> str:
    import msgspec

    line = {"time": time.time(), "level": event.level, "event": event.kind, "message": event.message}
    return msgspec.json.encode({**line, **event.fields}).decode()
