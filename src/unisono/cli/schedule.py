"""`unisono schedule`: predictions at set times, on new data, or when another version answers."""

from __future__ import annotations

import signal
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from unisono.cli.answer import Answer
from unisono.cli.options import COMMON_DEFAULTS, Common, option
from unisono.cli.output import note, warn
from unisono.spec.errors import InputError
from unisono.spec.wording import without_password

if TYPE_CHECKING:
    from unisono.drivers.project import Project
    from unisono.drivers.schedule.settings import Schedule
    from unisono.store.runs import Run

HELP = "Predictions at set times, on new data, or when another version answers: [schedules.NAME] in unisono.toml."

LIST_EXAMPLES = ("unisono schedule list", "unisono schedule list nightly")
RUN_EXAMPLES = ("unisono schedule run", "unisono schedule run nightly --once")
EXPORT_EXAMPLES = ("unisono schedule export nightly", "unisono schedule export nightly --to systemd --out units")

LIST_FIELDS = {"schedules": "of each: name, predictor, when, next (RFC 3339, or null), out"}
RUN_FIELDS = {**LIST_FIELDS, "runs": "how many runs ended in which state"}
EXPORT_FIELDS = {"files": "name of each file -> its content"}

Program = Literal["cron", "systemd", "airflow"]
Names = Annotated[str, option("NAME", "Names of schedules in unisono.toml. Default: all.")]


def list_(*names: Names, common: Common = COMMON_DEFAULTS) -> Answer:
    """List the schedules in unisono.toml, and when each comes next.

    A schedule [schedules.NAME] names a predictor, a table to write (out) and one of every = "0 3 * * *" with a
    timezone, on_new_data = true, on_new_version = true. Its rules are overlap, misfire_grace, catch_up, retries and
    retry_delay.
    """
    from unisono.drivers.project import load
    from unisono.drivers.schedule.opening import schedules_of

    return _listed(schedules_of(load(common.project), names))


def run(
    *names: Names,
    once: Annotated[
        bool, Parameter(help="Do what is due now, also what is missed, then end.", negative="", show_default=False)
    ] = False,
    lease: Annotated[
        str, option("DURATION", "How long a run belongs to a scheduler that does not say a word. Default: 60s.")
    ] = "60s",
    common: Common = COMMON_DEFAULTS,
) -> Answer:
    """Run schedules in the foreground, until they are told to stop.

    Prints when each comes next, and a line for each run. Ctrl-C or SIGTERM stops it at the next checkpoint of the run
    under way, which the next scheduler goes on with; so it does with what a killed one left, once its lease is over.
    Several schedulers may share a history, on one machine or on many: each instant is run once. After downtime, missed
    instants are caught up as catch_up says. What was run is in `unisono runs`.
    """
    from unisono.drivers.project import load

    project = load(common.project)
    return run_schedules(project, _chosen(project, names, "run"), once=once, lease=lease, quiet=common.quiet)


def export(
    *names: Names,
    to: Annotated[Program, option("PROGRAM", "Whom for: cron, systemd or airflow. Default: cron.")] = "cron",
    out: Annotated[Path | None, option("DIR", "Folder to write the files into. Default: none; they are shown.")] = None,
    common: Common = COMMON_DEFAULTS,
) -> Answer:
    """Write schedules for those who have cron, systemd or Airflow already: a crontab, a service and a timer, or a DAG.

    Each calls `unisono predict` with a run id of the scheduled instant, so that the same instant twice is done once.
    What the other program cannot do is said in a comment; a schedule that it would run at other instants is refused,
    with the reason.
    """
    from unisono.connect.segments import room
    from unisono.drivers.project import load
    from unisono.drivers.schedule.export import EXPORTS
    from unisono.drivers.schedule.scheduler import utc_now

    project, files = load(common.project), dict[str, str]()
    for one in _chosen(project, names, "export"):
        files |= EXPORTS[to](one, project.root, utc_now())
    if out is None:
        return Answer({"files": files}, "\n".join(f"# {name}\n{text}" for name, text in files.items()).rstrip("\n"))
    with room(out):
        out.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (out / name).write_text(text, "utf-8")
    return Answer({"files": files}, "\n".join(f"written {out / name}" for name in files))


def _chosen(project: Project, names: Sequence[str], what: str) -> list[Schedule]:
    from unisono.drivers.schedule.opening import schedules_of

    chosen = schedules_of(project, names)
    if not chosen:
        raise InputError(
            f"{project.root / 'unisono.toml'}: no [schedules.NAME]; allowed with {what}: at least one; add one, "
            'e.g. [schedules.nightly] with predictor, every = "0 3 * * *" and out'
        )
    return chosen


@Parameter(name="*")
@dataclass(frozen=True, slots=True, kw_only=True)
class When:
    """When `unisono predict` does it, if not now.

    every, timezone:             a cron expression, and the clock that it is about.
    on_new_data, on_new_version: what triggers it.
    """

    every: Annotated[
        str | None,
        option("CRON", 'Stay, and do it at set times, e.g. "0 3 * * *". Default: now, once.'),
    ] = None
    timezone: Annotated[str, option("ZONE", "With --every: whose clock it is about. Default: UTC.")] = "UTC"
    on_new_data: Annotated[
        bool, Parameter(help="Stay, and do it when requests or events have changed.", negative="", show_default=False)
    ] = False
    on_new_version: Annotated[
        bool, Parameter(help="Stay, and do it when another version answers.", negative="", show_default=False)
    ] = False

    @property
    def is_now(self) -> bool:
        """Whether it is done now, once."""
        return not (self.every or self.on_new_data or self.on_new_version)


NOW = When()


def predict_when(project: Project, predictor: str, when: When, *, quiet: bool, **settings: Any) -> Answer:
    """`unisono predict`, scheduled: a schedule of the command line, named by what it is.

    settings: of ScheduleSettings; paths are relative to the current folder.
    """
    from hashlib import sha256

    from unisono.drivers.schedule.opening import judged
    from unisono.drivers.schedule.settings import ScheduleSettings, make_schedule

    if settings["out"] is None:
        raise InputError("predict: no --out; allowed with --every, --on-new-data, --on-new-version: a table; name one")
    given = ScheduleSettings(predictor=predictor, **asdict(when), **settings)
    facts = f"{given!r} {Path.cwd()}"
    name = f"shell_{sha256(facts.encode()).hexdigest()[:8]}"
    schedule = make_schedule(name, given, folder=Path.cwd())
    return run_schedules(project, [judged(project, schedule)], quiet=quiet)


def run_schedules(
    project: Project, schedules: Sequence[Schedule], *, once: bool = False, lease: str = "60s", quiet: bool = False
) -> Answer:
    """Run schedules in the foreground, until SIGINT or SIGTERM; a second one ends it at once.

    once:  end when nothing is due any more.
    lease: how long a run belongs to a scheduler that does not say a word.
    quiet: no greeting, and no line for a run that has ended well.
    """
    from unisono.cli import app, run_lines
    from unisono.drivers.schedule.opening import open_scheduler

    ended: Counter[str] = Counter()

    def tell(run: Run) -> None:
        if run.ended is not None or run.until is not None:
            ended[run.state] += 1
        if run.state == "queued" and not run.claims:
            return  # it is told once it begins
        note(f"{run_lines.instant(scheduler.clock())}  {run_lines.line(run)}", quiet=quiet)

    scheduler = open_scheduler(project, schedules, tell=tell, warn=warn, lease=_lease(lease))
    answer = _listed(schedules)
    note(f"{answer.text}\nowner {scheduler.owner}; Ctrl-C stops", quiet=quiet)
    with _asked_to_stop(quiet) as stop:
        scheduler.run_until(stop, once=once)
    told = ", ".join(f"{number} {state}" for state, number in ended.items()) or "no run"
    code = app.problem_of(scheduler.errors[-1]).exit_code if once and scheduler.errors else 0
    return Answer({**answer.data, "runs": dict(ended)}, f"stopped: {told}", code)


def _lease(text: str) -> timedelta:
    from unisono.spec.durations import DurationProblem, judge_duration

    duration = judge_duration(text)
    if isinstance(duration, DurationProblem) or duration < 1_000_000:
        raise InputError(f'--lease {text}; allowed: a duration from 1s on; write e.g. "60s"')
    return timedelta(microseconds=duration)


@contextmanager
def _asked_to_stop(quiet: bool) -> Iterator[threading.Event]:
    """Set by the first SIGINT or SIGTERM; the second does what it always does."""
    stop = threading.Event()
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def ask(number: int, frame: object) -> None:
        stop.set()
        note("stopping at the next checkpoint; again stops at once", quiet=quiet)
        for one, handler in before.items():
            signal.signal(one, handler)

    for number in before:
        signal.signal(number, ask)
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _listed(schedules: Sequence[Schedule]) -> Answer:
    rows = [_row(one) for one in schedules]
    lines = [f"{row['name']}: {row['predictor']} {row['when']}{_next(row)} -> {row['out']}" for row in rows]
    return Answer({"schedules": rows}, "\n".join(lines) or "no schedules; add [schedules.NAME] to unisono.toml")


def _next(row: Mapping[str, object]) -> str:
    return "" if row["next"] is None else f", next {row['next']}"


def _row(schedule: Schedule) -> Mapping[str, object]:
    from zoneinfo import ZoneInfo

    from unisono.drivers.schedule.cron import Cron
    from unisono.drivers.schedule.scheduler import utc_now

    when = schedule.when
    following = when.next_after(utc_now()).astimezone(ZoneInfo(when.timezone)) if isinstance(when, Cron) else None
    return {
        "name": schedule.name,
        "predictor": schedule.predictor,
        "when": str(when),
        "next": following and following.isoformat(),
        "out": without_password(schedule.out.text),
    }
