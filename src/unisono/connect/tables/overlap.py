"""Whether a table that is written takes the place of one that is read."""

from __future__ import annotations

from pathlib import Path

from unisono.connect.tables.address import Address, matching


def overlaps(read: Address, written: Address) -> bool:
    """Whether they are one table, or files of the one are, hold or lie in those of the other."""
    if "://" in read.where or "://" in written.where:
        return (read.where, read.table) == (written.where, written.table)
    target = written.path.resolve()
    return any(
        path == target or target in path.parents or path in target.parents
        for path in map(Path.resolve, matching(read.path))
    )
