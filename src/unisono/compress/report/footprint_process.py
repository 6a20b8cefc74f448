"""The process that `footprint` starts: opens a graph, answers rows, prints what that took at most, in bytes.

Usage: python -m unisono.compress.report.footprint_process FOLDER RUNTIME
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from unisono.compress.report.smallest import smallest_graph
from unisono.models.engines import open_session
from unisono.spec.errors import ModelError

_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")
_FORGET_PEAK = "5"


def main(folder: Path, runtime: str) -> int:
    """Bytes."""
    _load(runtime)
    before = _start()
    session = open_session((folder / "graph.onnx").read_bytes(), runtime)
    for path in sorted(folder.glob("*.npz")):
        with np.load(path) as arrays:
            session.direct({name: one.astype(object) if one.dtype.kind == "U" else one for name, one in arrays.items()})
    return max(_peak() - before, 0)


def _load(runtime: str) -> None:
    """Have in memory what a runtime is made of: an engine loads that when it is first asked."""
    open_session(smallest_graph())
    try:
        open_session(smallest_graph(), runtime)
    except ModelError:  # an engine for trees has nothing to do here, but is loaded now
        return


def _start() -> int:
    """What is in memory now. Where Linux lets us, the peak of loading is forgotten, which may be higher."""
    if not _CLEAR.exists():
        return _peak()
    _CLEAR.write_text(_FORGET_PEAK)
    return _bytes_of("VmRSS:")


def _peak() -> int:
    return _bytes_of("VmHWM:") if _STATUS.exists() else _peak_elsewhere()


def _peak_elsewhere() -> int:
    import resource

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


def _bytes_of(entry: str) -> int:
    line = next(line for line in _STATUS.read_text().splitlines() if line.startswith(entry))
    return int(line.split()[1]) * 1024


if __name__ == "__main__":
    print(main(Path(sys.argv[1]), sys.argv[2]))
