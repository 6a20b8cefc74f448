"""Reads artifacts in a process that may do nothing else: `python -m tests.store.careful_reader FOLDER`.

Each file of the folder is read; one JSON line a file says what became of it. In this process onnxruntime cannot be
imported, no file can be written (one byte ends it), none can be opened for writing, and memory ends at 2 GB.
"""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import msgspec

MEMORY_BYTES = 2 << 30
SECONDS_EACH = 20


class Outcome(NamedTuple):
    """What became of one file: the class of the error, or "Artifact"; its message; and what it did besides."""

    name: str
    kind: str
    message: str
    forbidden: list[str]


def read_carefully(cases: Mapping[str, bytes], folder: Path) -> dict[str, Outcome]:
    """Read each of some artifacts in a process of its own kind; names -> what became of them.

    folder: an empty one; whatever the process would write there, or in its home or temporary folder, fails.
    """
    inbox, home = folder / "inbox", folder / "home"
    inbox.mkdir()
    home.mkdir()
    names = {f"{number:05d}": name for number, name in enumerate(cases)}
    for number, name in names.items():
        (inbox / number).write_bytes(cases[name])
    root = Path(__file__).parents[2]
    places = dict.fromkeys(("HOME", "TMPDIR", "XDG_CACHE_HOME"), str(home))
    environment = {**os.environ, **places, "OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": str(root)}
    command = [sys.executable, "-B", "-m", "tests.store.careful_reader", str(inbox)]
    done = subprocess.run(command, cwd=home, env=environment, capture_output=True, timeout=250)
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    assert list(home.iterdir()) == []
    found = [msgspec.json.decode(line, type=Outcome) for line in done.stdout.splitlines()]
    return {names[one.name]: one for one in found}


def main(inbox: Path) -> None:
    """Read every file of a folder."""
    from cryptography.hazmat.primitives.asymmetric import ed25519  # noqa: F401

    from unisono.models.judging import judge_graph  # noqa: F401
    from unisono.store.artifacts import read_artifact, signing  # noqa: F401 (all that is needed, before the limits)

    assert "onnxruntime" not in sys.modules
    sys.modules["onnxruntime"] = None  # type: ignore[assignment]
    forbidden: list[str] = []
    sys.addaudithook(lambda event, arguments: forbidden.extend(_forbidden(event, arguments)))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    for path in sorted(inbox.iterdir()):
        forbidden.clear()
        signal.alarm(SECONDS_EACH)
        data = path.read_bytes()
        try:
            kind, message = "Artifact", read_artifact(data).id
        except Exception as error:
            kind, message = type(error).__name__, str(error)
        signal.alarm(0)
        print(msgspec.json.encode(Outcome(path.name, kind, message, [*forbidden])).decode(), flush=True)


def _forbidden(event: str, arguments: tuple[object, ...]) -> list[str]:
    """What reading an artifact never does: write, delete, link, run or call anything."""
    if event == "open":
        flags = arguments[2] if isinstance(arguments[2], int) else 0
        return [f"opened {arguments[0]} for writing"] if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT) else []
    return [event] if event.startswith(_NEVER) else []


_NEVER = (
    *("os.system", "os.exec", "os.fork", "os.posix_spawn", "subprocess.", "socket.", "pickle."),
    *("os.mkdir", "os.remove", "os.rename", "os.link", "os.symlink", "os.truncate", "shutil.", "tempfile.", "ctypes."),
)

if __name__ == "__main__":
    main(Path(sys.argv[1]))
