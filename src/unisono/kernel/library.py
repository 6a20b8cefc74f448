"""The kernel's functions, ready to call: from the built library, or as plain Python with UNISONO_KERNEL=python.

Either way a function takes the address of a descriptor and gives an int64.
"""

from __future__ import annotations

import ctypes
import os
import platform
import sys
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Literal

from unisono.kernel.manifest import VERSION_EXPORT, Manifest, file_hash, read_manifest
from unisono.spec.errors import UnisonoError

KernelFunction = Callable[[int], int]

VARIABLE = "UNISONO_KERNEL"
SOURCES = Path(__file__).parent
FOLDER = SOURCES / "lib"
FILES = {"linux": "unisono_kernel.so", "darwin": "unisono_kernel.dylib", "win32": "unisono_kernel.dll"}
BUILD_COMMAND = "python -m unisono.kernel.build"


class KernelMissingError(UnisonoError):
    """The compiled kernel is absent, stale or of another machine; the message names the command that builds it."""


@lru_cache(maxsize=1)
def kernel_functions() -> Mapping[str, KernelFunction]:
    """Every exported kernel function by name, loaded once a process.

    UNISONO_KERNEL: `native` (the default) loads the built library; `python` runs the plain functions, much slower.

    Raises KernelMissingError if there is no library that fits this machine and these sources.
    """
    if _chosen() == "python":
        from unisono.kernel.exports import EXPORTS

        return dict(EXPORTS)
    return load_library(FOLDER)


def _chosen() -> Literal["native", "python"]:
    chosen = os.environ.get(VARIABLE, "native")
    if chosen == "python":
        return "python"
    if chosen != "native":
        raise KernelMissingError(f"{VARIABLE}={chosen!r}: must be native or python")
    return "native"


def load_library(folder: Path) -> dict[str, KernelFunction]:
    """The functions of the library in a folder; raises KernelMissingError if it is absent, stale or does not load."""
    file = folder / FILES.get(sys.platform, FILES["linux"])
    manifest = read_manifest(folder)
    if not file.is_file() or manifest is None:
        raise KernelMissingError(f"no compiled kernel in {folder}; build it with: {BUILD_COMMAND}")
    changed = changed_sources(manifest)
    if changed:
        raise KernelMissingError(
            f"{file.name} is older than {', '.join(changed)}; build it again with: {BUILD_COMMAND}"
        )
    try:
        library = ctypes.CDLL(str(file))
        functions = {name: _bound(library, symbol) for name, symbol in manifest.symbols().items()}
    except (OSError, AttributeError) as error:
        machine = f"{platform.machine()} {sys.platform}"
        raise KernelMissingError(
            f"{file.name} was built for {manifest.target} and does not load on {machine}: {error}; "
            f"build it with: {BUILD_COMMAND}"
        ) from error
    if functions.pop(VERSION_EXPORT)(0) != manifest.version:
        raise KernelMissingError(f"{file.name} and its manifest are of two builds; build again with: {BUILD_COMMAND}")
    return functions


def changed_sources(manifest: Manifest) -> list[str]:
    """Names of the kernel's source files that are no longer what the library was built from."""
    return [name for name, seen in manifest.sources.items() if not _is(SOURCES / name, seen)]


def _is(file: Path, seen: str) -> bool:
    return file.is_file() and file_hash(file) == seen


def _bound(library: ctypes.CDLL, symbol: str) -> KernelFunction:
    function = getattr(library, symbol)
    function.argtypes = (ctypes.c_int64,)
    function.restype = ctypes.c_int64
    return function  # type: ignore[no-any-return]
