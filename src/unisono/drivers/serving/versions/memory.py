"""What this process has in memory, and giving back what it no longer uses."""

from __future__ import annotations

import ctypes
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
        return int(_STATM.read_bytes().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return most if sys.platform == "darwin" else most << 10


def trim() -> None:
    """Give memory that is free back to the system, where the C library can: it would keep most of it."""
    give_back = _malloc_trim()
    if give_back is not None:
        give_back(0)


@cache
def _malloc_trim() -> Any:
    return getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None


def folder_bytes(folder: Path) -> int:
    """The size of a folder's files; 0 if it is not there."""
    return sum(one.stat().st_size for one in folder.rglob("*") if one.is_file())
