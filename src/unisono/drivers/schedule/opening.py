"""A project's schedules, judged; its history; and a scheduler for both."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unisono.drivers.schedule.looks import data_occasion
from unisono.drivers.schedule.scheduler import Scheduler
from unisono.drivers.schedule.settings import NewData, Schedule, make_schedule
from unisono.drivers.schedule.work import Batches
from unisono.spec.errors import InputError
from unisono.spec.wording import did_you_mean, listing, quoted
from unisono.store.database import open_database
from unisono.store.runs import Runs

if TYPE_CHECKING:
    from unisono.drivers.project import Project


def open_runs(project: Project) -> Runs:
    """The project's history of runs: in the registry's database. Raises StoreError if it cannot be reached."""
    url = project.config.registry.url or str(project.store_path / "registry.sqlite")
    return Runs(open_database(url, folder=project.root))


def schedules_of(project: Project, names: Iterable[str] = ()) -> list[Schedule]:
    """The schedules of unisono.toml, those that are named or all. Raises InputError."""
    known, path = project.config.schedules, project.root / "unisono.toml"
    chosen = list(dict.fromkeys(names)) or list(known)
    for name in chosen:
        if name not in known:
            raise InputError(
                f"schedule {quoted(name)}: there is none; allowed: {listing(known)}; {did_you_mean(name, known)}, "
                f"or add [schedules.{name}] to {path}"
            )
    return [_schedule(project, name, path) for name in chosen]


def _schedule(project: Project, name: str, path: Path) -> Schedule:
    try:
        return judged(project, make_schedule(name, project.config.schedules[name]))
    except InputError as error:
        raise InputError(f"{path}: [schedules.{name}] {error}") from error


def judged(project: Project, schedule: Schedule) -> Schedule:
    """A schedule, once it is known that its predictor and its data are defined. Raises InputError."""
    project.ready(schedule.predictor)
    if schedule.requests is None:
        project.request_file(schedule.predictor)
    if isinstance(schedule.when, NewData):
        data_occasion(project, schedule)
    return schedule


def open_scheduler(project: Project, schedules: Iterable[Schedule], **options: Any) -> Scheduler:
    """A scheduler on the project's history; from now on its schedules count. Raises StoreError.

    options: of Scheduler: tell, warn, clock, lease, owner.
    """
    keyed = {schedule.key: schedule for schedule in schedules}
    scheduler = Scheduler(project, keyed, open_runs(project), Batches(project, keyed), **options)
    scheduler.enrol()
    return scheduler
