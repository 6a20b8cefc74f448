"""Makes one target's file and its manifest, or says that it is up to date."""

from __future__ import annotations

import hashlib
import platform
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from types import ModuleType

from unisono.kernel.build.targets import TARGETS, Target
from unisono.kernel.manifest import (
    VERSION_EXPORT,
    Manifest,
    file_hash,
    read_manifest,
    source_hashes,
    symbol_of,
    version_of,
)

TOOLS = ("numba", "llvmlite", "ziglang")
MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}
SYSTEMS = {"linux": "linux", "darwin": "macos", "win32": "windows"}


@dataclass(frozen=True, slots=True)
class Kernel:
    """The compiled but not yet retargeted kernel: its LLVM module, the names it exports, what it was made from."""

    text: str
    exports: tuple[str, ...]
    sources: Mapping[str, str]

    @property
    def symbols(self) -> tuple[str, ...]:
        """The exported symbols, `kernel_version`'s among them."""
        return tuple(symbol_of(name) for name in (*self.exports, VERSION_EXPORT))


def native_target() -> Target | None:
    """The target of the machine that runs this, if it has one."""
    machine = platform.machine().lower()
    return TARGETS.get(f"{MACHINES.get(machine, machine)}-{SYSTEMS.get(sys.platform, sys.platform)}")


def exports_file() -> Path:
    """The file that lists the kernel's exported functions."""
    return Path(__file__).parents[1] / "exports.py"


def builder_hash() -> str:
    """Names the build step: its own files and its tools' versions."""
    parts = [file_hash(file) for file in sorted(Path(__file__).parent.glob("*.py"))]
    return hashlib.sha256(" ".join([*parts, *(f"{tool}={version(tool)}" for tool in TOOLS)]).encode()).hexdigest()


def is_fresh(target: Target, folder: Path, *, root: Path | None = None) -> bool:
    """Whether the folder holds what building the target now would put there.

    root: the file with the table of exports; the kernel's own if none is given.
    """
    manifest, file = read_manifest(folder), folder / target.file
    return (
        manifest is not None
        and file.is_file()
        and manifest.target == target.name
        and manifest.sources == source_hashes(root or exports_file())
        and manifest.builder == builder_hash()
        and manifest.library == file_hash(file)
    )


def compiled(module: ModuleType | None = None) -> Kernel:
    """Compile the functions that a module's EXPORTS names; raises KernelSourceError for what cannot be compiled.

    module: the module to take EXPORTS from; the kernel's own `exports` if none is given.
    """
    from unisono.kernel.build.compile import compile_kernel

    module = module or import_module("unisono.kernel.exports")
    sources = source_hashes(Path(str(module.__file__)))
    text = compile_kernel(module.EXPORTS, version=version_of(sources))
    return Kernel(text, tuple(module.EXPORTS), sources)


def make(kernel: Kernel, target: Target, folder: Path) -> Path:
    """Write the target's file and manifest into a folder; the file's path. Raises KernelSourceError and LinkError."""
    from unisono.kernel.build.link import link
    from unisono.kernel.build.retarget import object_code

    file = folder / target.file
    link(object_code(kernel.text, target, kernel.symbols), target, kernel.symbols, file)
    Manifest(
        target=target.name,
        wheel=target.wheel,
        version=version_of(kernel.sources),
        exports=kernel.exports,
        sources=kernel.sources,
        builder=builder_hash(),
        library=file_hash(file),
    ).save(folder)
    return file
