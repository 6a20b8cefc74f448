"""A worker is small: what it imports is what it needs to answer."""

from __future__ import annotations

import json
import subprocess
import sys

HEAVY = ("polars", "pyarrow", "onnx", "ndonnx", "spox", "sqlalchemy", "uvicorn", "grpc", "pandas", "rich", "cyclopts")
SCRIPT = """
import json, sys
import unisono.drivers.serving.workers.worker, unisono.drivers.serving.assembly
from unisono.drivers.serving.operations import exposition
from unisono.drivers.serving.versions.memory import resident_bytes
print(json.dumps([sorted(set(sys.modules)), resident_bytes()]))
"""
MOST_BYTES = 80 << 20
"""Before the first version is loaded; 100 MB is what a worker may have."""


def test_a_worker_imports_nothing_that_is_large() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    modules, resident = json.loads(done.stdout)
    assert [name for name in HEAVY if name in modules] == []
    assert resident < MOST_BYTES
