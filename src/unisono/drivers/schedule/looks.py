"""What triggers a schedule: how the data looks, and which version answers. No data is read: sizes, times, versions."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

from unisono.connect.tables import open_source
from unisono.drivers.schedule.places import placed
from unisono.drivers.schedule.settings import Schedule
from unisono.spec.errors import InputError, StoreError

if TYPE_CHECKING:
    from unisono.drivers.project import Project

_DIGITS = 12


def data_occasion(project: Project, schedule: Schedule) -> str | None:
    """Names how everything that the schedule's prediction reads looks now: its requests and its sources' events.

    None: something of it is not there.
    Raises InputError for a table that does not say whether it has changed.
    """
    digest = sha256()
    for table in _tables(project, schedule):
        try:
            look = open_source(table).snapshot()
        except StoreError:
            return None
        if look is None:
            raise InputError(
                f"schedule {schedule.name}: on_new_data, and a table of a database cannot be asked whether it has "
                'changed; allowed: files and Delta tables; use every = "*/15 * * * *"'
            )
        digest.update(f"{table}\0{look}\0".encode())
    return f"data-{digest.hexdigest()[:_DIGITS]}"


def _tables(project: Project, schedule: Schedule) -> list[str]:
    asked = schedule.requests
    requests = str(project.request_file(schedule.predictor)) if asked is None else placed(project, schedule, asked)
    sources = {view.source.name for view in project.ready(schedule.predictor).views}
    return [requests, *(str(project.event_file(name)) for name in sorted(sources))]


def version_occasion(project: Project, schedule: Schedule) -> str | None:
    """Names the latest change of which version answers; None: none does."""
    predictor = schedule.predictor
    try:
        version = project.registry.active(predictor)
    except StoreError:
        return None
    changes = [change for change in project.registry.history(predictor) if change.alias == "champion"]
    return f"version-{changes[-1].number}-{version.id[:_DIGITS]}"
