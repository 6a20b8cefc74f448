"""The process that `lengths` starts: opens a graph, reads one text, prints how much memory that took, in bytes.

Usage: python -m benchmarks.edge_transformers.peak GRAPH TOKENS
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from unisono.models.session import Runner

_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")
_FORGET_PEAK = "5"
_SHORT = 8


def main(graph: Path, tokens: int) -> int:
    """While it reads, over what it had before it opened the graph; what opening takes for a moment is left out.

    A short text is read before: whoever serves a version asks it its golden rows first.
    """
    before = _bytes_of("VmRSS:")
    run = Runner(graph.read_bytes())
    run({run.inputs[0]: np.ones((1, _SHORT), np.int64)})
    _CLEAR.write_text(_FORGET_PEAK)
    run({run.inputs[0]: np.ones((1, tokens), np.int64)})
    return _bytes_of("VmHWM:") - before


def _bytes_of(entry: str) -> int:
    line = next(line for line in _STATUS.read_text().splitlines() if line.startswith(entry))
    return int(line.split()[1]) * 1024


if __name__ == "__main__":
    print(main(Path(sys.argv[1]), int(sys.argv[2])))
