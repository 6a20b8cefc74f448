"""The machine that measures, as far as it matters to the figures."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from unisono import __version__
from unisono.models.passport import this_target

_LIBRARIES = ("onnxruntime", "openvino", "numpy")
_CPU = Path("/proc/cpuinfo")


def machine() -> dict[str, str]:
    """Its processor, and the versions of what runs models; not its name."""
    found = {
        "target": this_target(),
        "processor": _processor(),
        "cores": str(os.cpu_count()),
        "python": platform.python_version(),
        "unisono": __version__,
    }
    return found | {name: known for name in _LIBRARIES if (known := _version(name)) is not None}


def _version(library: str) -> str | None:
    try:
        return version(library)
    except PackageNotFoundError:
        return None


def _processor() -> str:
    lines = _CPU.read_text().splitlines() if _CPU.exists() else []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor() or "unknown")
