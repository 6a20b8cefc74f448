"""Builds the kernel's library into the wheel, or into the source tree for an editable install.

UNISONO_TARGET names another target than this machine's, as in `python -m unisono.kernel.build --help`: any machine
makes the wheels of all. The build runs in a process of its own, because the package is not installed yet.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

VARIABLE = "UNISONO_TARGET"
LIBRARY_FOLDER = "unisono/kernel/lib"


class KernelHook(BuildHookInterface[Any]):
    """Hatch's hook: one call a wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build the target's library and say which machine the wheel is for; a source archive carries no library."""
        if self.target_name != "wheel":
            return
        if version == "editable":
            self._build()
            return
        target = os.environ.get(VARIABLE, "")
        folder = Path(self.root) / "build" / "wheel" / (target or "native")
        self._build("--out", str(folder), *(("--target", target) if target else ()))
        platform = json.loads((folder / "unisono_kernel.json").read_text())["wheel"]
        if not platform:
            raise ValueError(f"{VARIABLE}={target}: no wheel is made for this target")
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{platform}"
        for file in sorted(folder.glob("unisono_kernel.*")):
            build_data["force_include"][str(file)] = f"{LIBRARY_FOLDER}/{file.name}"

    def _build(self, *arguments: str) -> None:
        # From the source folder, not by PYTHONPATH: pip's isolation drops paths that an editable install has named.
        command = [sys.executable, "-m", "unisono.kernel.build", *arguments]
        subprocess.run(command, cwd=Path(self.root) / "src", check=True)
