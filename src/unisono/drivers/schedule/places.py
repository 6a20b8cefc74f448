"""Where a schedule's tables are."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from unisono.connect.segments import room
from unisono.drivers.schedule.settings import Schedule

if TYPE_CHECKING:
    from unisono.drivers.project import Project


def placed(project: Project, schedule: Schedule, table: str) -> str:
    """A table as people write it, its path relative to the schedule's folder; a URL stays as it is."""
    if "://" in table:
        return table
    kind, path = _parted(table)
    slash = "/" if path.endswith("/") else ""
    return f"{kind}{(schedule.folder or project.root) / path}{slash}"


def make_folder_of(table: str) -> None:
    """Make the folder that a table's file goes into. Raises StoreError if it cannot be made."""
    if "://" not in table:
        folder = Path(_parted(table)[1]).parent
        with room(folder):
            folder.mkdir(parents=True, exist_ok=True)


def _parted(table: str) -> tuple[str, str]:
    """The kind with its colon, if one is written, and the path.

    >>> _parted("delta:scores"), _parted("scores.csv")
    (('delta:', 'scores'), ('', 'scores.csv'))
    """
    kind, colon, path = table.partition(":")
    return (f"{kind}:", path) if colon and kind.isidentifier() else ("", table)
