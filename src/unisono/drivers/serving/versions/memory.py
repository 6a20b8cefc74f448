"""What this process has in memory, and giving back what it no longer uses."""

from __future__ import annotations

import ctypes
import gc
import os
import resource
import sys
from functools import cache
from pathlib import Path
from typing import Any

_STATM = Path("/proc/self/statm")


def resident_bytes() -> int:
    """What this process has in memory; where the system does not say, the most that it ever had."""
    try:
        return _pages()[0]
    except OSError:
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return most if sys.platform == "darwin" else most << 10


def _pages() -> tuple[int, int]:
    """Bytes that are resident, and those of them that are of files or shared. Raises OSError where nobody says."""
    _, resident, shared, *_ = _STATM.read_bytes().split()
    page = os.sysconf("SC_PAGE_SIZE")
    return int(resident) * page, int(shared) * page


class Resident:
    """What this process has in memory, but for files that it maps later; 0 where the system does not say.

    Feature states are such files: their pages are the system's, which takes them back when it needs them.
    """

    def __init__(self) -> None:
        self._mapped = self._of_files()

    def __call__(self) -> int:
        """Bytes, now."""
        try:
            resident, shared = _pages()
        except OSError:
            return 0
        return resident - max(shared - self._mapped, 0)

    def _of_files(self) -> int:
        try:
            return _pages()[1]
        except OSError:
            return 0


def trim() -> None:
    """Give memory that is free back to the system, where the C library can: it would keep most of it."""
    give_back = _malloc_trim()
    if give_back is not None:
        give_back(0)


@cache
def _malloc_trim() -> Any:
    return getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None


_NEW_OBJECTS = 50_000  # more than one batch makes and lets go


def settle() -> None:
    """What is there now stays: look for cycles in what is new only, and less often.

    Else a tenth of a request's time went into looks at all modules and versions, some of 20 ms, in which all wait.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_NEW_OBJECTS, 20, 20)


def folder_bytes(folder: Path) -> int:
    """The size of a folder's files; 0 if it is not there."""
    return sum(one.stat().st_size for one in folder.rglob("*") if one.is_file())
