"""A Python with onnxruntime for 64-bit ARM, run by an emulator on another processor.

The interpreter and the libraries come from Debian's packages for arm64, numpy and onnxruntime from PyPI's wheels,
through apt-get and pip; nothing is installed.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

PROCESSOR = "cortex-a57"
_LIBRARIES = ("libbz2-1.0", "libc6", "libexpat1", "libffi8", "libgcc-s1", "liblzma5", "libstdc++6", "zlib1g")
_PLATFORMS = ("manylinux_2_28_aarch64", "manylinux_2_27_aarch64", "manylinux2014_aarch64")

# onnxruntime asks the library cpuinfo for the processor. Under an emulator of programs that library reads the files of
# the machine beneath, finds no ARM core in them, and follows a null pointer; so it gets files of the emulated one.
_FILES = {
    "proc/cpuinfo": (
        "processor\t: 0\nFeatures\t: fp asimd evtstrm aes pmull sha1 sha2 crc32 cpuid\nCPU implementer\t: 0x41\n"
        "CPU architecture: 8\nCPU variant\t: 0x0\nCPU part\t: 0xd07\nCPU revision\t: 0\n\n"
    ),
    "sys/devices/system/cpu/possible": "0\n",
    "sys/devices/system/cpu/present": "0\n",
}


class NotHereError(Exception):
    """It cannot be had here; the message says what is missing."""


def arm_python(folder: Path) -> tuple[Sequence[str], dict[str, str]]:
    """The beginning of a command line that runs ARM's Python, and its environment.

    folder: where what it is made of is kept; what is there is used again.

    Raises NotHereError.
    """
    emulator = shutil.which("qemu-aarch64-static") or shutil.which("qemu-aarch64")
    if emulator is None:
        raise NotHereError("no qemu-aarch64 (Debian: qemu-user-static)")
    root = folder / "root"
    if not (root / "done").exists():
        shutil.rmtree(folder, ignore_errors=True)
        root.mkdir(parents=True)
        _unpack_debian(folder, root)
        _unpack_wheels(folder, root)
        for name, content in _FILES.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(content)
        (root / "done").touch()
    [interpreter] = (root / "usr" / "bin").glob("python3.*")
    command = [emulator, "-cpu", PROCESSOR, "-L", str(root), str(interpreter)]
    return command, {"PATH": os.environ["PATH"], "PYTHONPATH": str(root / "wheels"), "OPENBLAS_NUM_THREADS": "1"}


def _unpack_debian(folder: Path, root: Path) -> None:
    state, packages = folder / "apt", folder / "packages"
    for name in ("lists/partial", "archives/partial"):
        (state / name).mkdir(parents=True)
    packages.mkdir()
    (state / "status").touch()
    settings = {"APT::Architecture": "arm64", "APT::Architectures": "arm64", "Dir::State": state, "Dir::Cache": state}
    options = [f"-o{name}={value}" for name, value in {**settings, "Dir::State::status": state / "status"}.items()]
    _run(["apt-get", *options, "update"], folder)
    shown = _run(["apt-cache", *options, "show", "python3-minimal"], folder)
    found = re.search(r"^Version: (3\.\d+)", shown, re.MULTILINE)
    if found is None:
        raise NotHereError("Debian's package python3-minimal says no version")
    python = f"python{found[1]}"
    names = (f"{python}-minimal", f"lib{python}-minimal", f"lib{python}-stdlib", *_LIBRARIES)
    _run(["apt-get", *options, "download", *names], packages)
    for package in packages.glob("*.deb"):
        _run(["dpkg-deb", "-x", str(package), str(root)], folder)


def _unpack_wheels(folder: Path, root: Path) -> None:
    [interpreter] = (root / "usr" / "bin").glob("python3.*")
    wanted = [f"{name}=={version(name)}" for name in ("numpy", "onnxruntime")]
    kinds = [f"--platform={platform}" for platform in _PLATFORMS]
    options = ["--no-deps", "--only-binary=:all:", f"--python-version={interpreter.name.removeprefix('python')}"]
    wheels = folder / "downloads"
    _run([sys.executable, "-m", "pip", "download", "-q", *options, *kinds, "-d", str(wheels), *wanted], folder)
    for wheel in wheels.glob("*.whl"):
        zipfile.ZipFile(wheel).extractall(root / "wheels")


def _run(command: Sequence[str], folder: Path) -> str:
    try:
        done = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True, timeout=300)
    except (OSError, subprocess.SubprocessError) as error:
        raise NotHereError(f"{' '.join(command[:2])} failed: {getattr(error, 'stderr', None) or error}") from error
    return done.stdout
