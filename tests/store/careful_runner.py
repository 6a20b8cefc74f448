"""Runs artifacts that were accepted, each in a process of its own: `python -m tests.store.careful_runner FOLDER`.

One line a file: its name, and the signal or exit code that its process ended with (0: it answers as its golden rows
say; 1: refused with an error of unisono).
"""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import traceback
from collections.abc import Mapping
from pathlib import Path

MEMORY_BYTES = 3 << 30
SECONDS_EACH = 20


def run_carefully(cases: Mapping[str, bytes], folder: Path) -> dict[str, str]:
    """Run each of some artifacts; names -> "0", "1", or what went wrong. `folder` is an empty one."""
    for name, data in cases.items():
        (folder / name).write_bytes(data)
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, "-m", "tests.store.careful_runner", str(folder)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    ends: dict[str, str] = dict(line.split() for line in done.stdout.splitlines())
    return {name: f"{end}\n{done.stderr[-2000:]}" if end not in ("0", "1") else end for name, end in ends.items()}


def main(folder: Path) -> None:
    """Run every file of a folder."""
    from unisono.models import Session  # noqa: F401 (loaded once, before the processes part)

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for path in sorted(folder.iterdir()):
        process = os.fork()
        if not process:
            _run(path.read_bytes())
        _, status = os.waitpid(process, 0)
        print(path.name, os.waitstatus_to_exitcode(status), flush=True)


def _run(data: bytes) -> None:
    from unisono.models import GoldenRows, Session, check_golden
    from unisono.spec.errors import UnisonoError
    from unisono.store.artifacts import read_artifact

    signal.alarm(SECONDS_EACH)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    try:
        files = read_artifact(data).files
        check_golden(Session(files["graph.onnx"]), GoldenRows.from_bytes(files["golden.json"]))
    except UnisonoError:
        os._exit(1)
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(2)
    os._exit(0)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
