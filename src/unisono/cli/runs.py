"""`unisono runs`: what was run, when, and how it ended."""

from __future__ import annotations

from typing import Annotated, Literal

from cyclopts.types import PositiveInt

from unisono.cli.answer import Answer
from unisono.cli.options import COMMON_DEFAULTS, Common, option

EXAMPLES = (
    "unisono runs",
    "unisono runs --predictor late --state failed --limit 5",
    "unisono runs late.nightly.20261126T030000Z",
)
FIELDS = {"runs": "the runs, the last scheduled first; of each every column of the history"}

StateName = Literal["queued", "running", "lost", "failed", "done", "gave up", "skipped"]


def runs(
    run_id: Annotated[
        str | None, option("RUN_ID", "Id of one run, to see all of it. Default: the latest runs.")
    ] = None,
    /,
    *,
    predictor: Annotated[str | None, option("NAME", "Only runs of this predictor. Default: of all.")] = None,
    state: Annotated[
        StateName | None,
        option("STATE", "Only runs that are queued, running, lost, failed, done, gave up, skipped. Default: all."),
    ] = None,
    limit: Annotated[PositiveInt, option("NUMBER", "At most so many, the latest. Default: 20.")] = 20,
    common: Common = COMMON_DEFAULTS,
) -> Answer:
    """List the runs that schedules have made: when, how long, how many rows, at what cost, and how they ended.

    A run is queued, running, done, failed (an attempt failed, it is tried again), gave up (not tried again), skipped
    (with the reason), or lost: its process died, and the next scheduler goes on with it. Times are in UTC. Costs follow
    from [cost] in unisono.toml: per_cpu_hour and currency.
    """
    from unisono.cli import run_lines
    from unisono.drivers.project import load
    from unisono.drivers.schedule.opening import open_runs
    from unisono.drivers.schedule.scheduler import utc_now
    from unisono.store.runs import State

    history, now = open_runs(load(common.project)), utc_now()
    if run_id is not None:
        run = history.run(run_id).as_of(now)
        return Answer({"runs": [run_lines.data_of(run)]}, run_lines.details(run))
    wanted = None if state is None else State(state)
    found = history.latest(now=now, predictor=predictor, state=wanted, limit=limit)
    text = "\n".join(map(run_lines.line, found)) or "no runs; `unisono schedule run` makes some"
    return Answer({"runs": [run_lines.data_of(run) for run in found]}, text)
