"""How much memory a model takes, in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from unisono.compress.report.serving import Requests, Serving
from unisono.models import PredictorGraph
from unisono.models.front_graph import with_front
from unisono.spec.errors import ModelError
from unisono.spec.wording import one_line

ROWS = 32
_DEADLINE_S = 300.0
_MODULE = "unisono.compress.report.footprint_process"


def peak_bytes(graph: PredictorGraph, serving: Serving, requests: Requests) -> int:
    """The most memory of a process that opens a model and answers row by row, over one that only has the runtime.

    serving: the model in its runtime; its first requests are answered there again.

    Raises ModelError if the process fails, as it does where there is not enough memory.
    """
    with TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "graph.onnx").write_bytes(with_front(graph.onnx))
        for place in range(min(ROWS, len(requests))):
            _write_row(folder / f"{place}.npz", serving, requests.part(place, 1))
        return _measured(folder, serving.runtime)


def _write_row(path: Path, serving: Serving, request: Requests) -> None:
    """The arrays of a row. Texts become numpy's own: objects would have to be pickled."""
    feeds = serving.feeds(request)
    plain = {name: one.astype(str) if one.dtype == object else one for name, one in feeds.items()}
    with path.open("wb") as file:
        np.savez(file, **plain)  # type: ignore[arg-type]  # its names are those of arrays alone


def _measured(folder: Path, runtime: str) -> int:
    command = [sys.executable, "-m", _MODULE, str(folder), runtime]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_DEADLINE_S, check=True)
        return int(done.stdout.split()[-1])
    except subprocess.CalledProcessError as error:
        last = (error.stderr or "").strip().splitlines()[-1:] or [f"it ended with {error.returncode}"]
        raise _failed(last[0]) from error
    except (subprocess.TimeoutExpired, IndexError, ValueError) as error:
        raise _failed(str(error)) from error


def _failed(seen: str) -> ModelError:
    return ModelError(
        f"memory: the process that measures it failed: {one_line(seen)}; allowed: a process that can open the model; "
        "close other programs and try again"
    )
