"""The machines that tests can run a built kernel on: this process, plain Python, WebAssembly, emulated ARM."""

from __future__ import annotations

import ctypes
import shutil
import struct
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from unisono.kernel.manifest import symbol_of

from .image import Image, Place

EMULATED_BASE = 0x20000000
RUNNER = Path(__file__).with_name("image_runner.c")


class Machine(Protocol):
    """Something that has the kernel's exports and memory."""

    def call(self, name: str, image: Image, descriptor: Place) -> tuple[int, bytes]:
        """Run an export over a copy of the image: its result, and the image afterwards with addresses as offsets."""
        ...


@dataclass(frozen=True, slots=True)
class ThisProcess:
    """Functions called in this process: plain Python's or those of a loaded library.

    shift: by how many bytes the image is put off alignment.
    """

    functions: Mapping[str, Callable[[int], int]]
    shift: int = 0

    def call(self, name: str, image: Image, descriptor: Place) -> tuple[int, bytes]:
        memory = ctypes.create_string_buffer(len(image.content) + self.shift)
        base = ctypes.addressof(memory) + self.shift
        ctypes.memmove(base, image.at(base), len(image.content))
        result = self.functions[name](base + descriptor.offset)
        return result, image.lifted(ctypes.string_at(base, len(image.content)), base)


def loaded(library: Path, names: tuple[str, ...]) -> dict[str, Callable[[int], int]]:
    """The exports of a library of this machine."""
    opened = ctypes.CDLL(str(library))
    functions: dict[str, Callable[[int], int]] = {}
    for name in names:
        function = getattr(opened, symbol_of(name))
        function.argtypes, function.restype = (ctypes.c_int64,), ctypes.c_int64
        functions[name] = function
    return functions


@dataclass(slots=True)
class Emulated:
    """A static executable of another processor, kept running by qemu's user-mode emulator until `close`."""

    emulator: str
    program: Path
    names: tuple[str, ...]
    process: subprocess.Popen[bytes] | None = None

    def call(self, name: str, image: Image, descriptor: Place) -> tuple[int, bytes]:
        size = len(image.content)
        request = struct.pack("<qqq", self.names.index(name), EMULATED_BASE + descriptor.offset, size)
        answer = self._answer(request + image.at(EMULATED_BASE), 8 + size)
        (result,) = struct.unpack_from("<q", answer)
        return result, image.lifted(answer[8:], EMULATED_BASE)

    def close(self) -> None:
        """Let the executable end."""
        if self.process is not None:
            self.process.communicate()
            self.process = None

    def _answer(self, request: bytes, size: int) -> bytes:
        if self.process is None:
            command = [self.emulator, str(self.program)]
            self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        process = self.process
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(request)
        process.stdin.flush()
        answer = process.stdout.read(size)
        assert len(answer) == size, f"{self.program} ended with {process.wait()}"
        return answer


@dataclass(frozen=True, slots=True)
class Emulation:
    """How an object file becomes an executable of an emulated processor."""

    emulator: str
    zig: str
    cpu: str


EMULATIONS = {
    "aarch64-linux": Emulation("qemu-aarch64-static", "aarch64-linux-none", "generic"),
    "cortex-m4": Emulation("qemu-arm-static", "thumb-linux-eabi", "cortex_m4"),
}


def emulated(target: str, code: bytes, names: tuple[str, ...], folder: Path) -> Emulated | None:
    """A machine for an object file; None if its emulator is not installed (Debian: qemu-user-static)."""
    emulation = EMULATIONS[target]
    emulator = shutil.which(emulation.emulator)
    if emulator is None:
        return None
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "kernel.o").write_bytes(code)
    exports = " ".join(f"X({symbol_of(name)})" for name in names)
    flags = ["-fomit-frame-pointer", "-ffreestanding", "-fno-builtin", "-O1", f"-DEXPORTS={exports}"]
    machine = ["-target", emulation.zig, "-mcpu", emulation.cpu, "-O", "ReleaseSmall", "-fstrip", "-fcompiler-rt"]
    files = ["-cflags", *flags, "--", str(RUNNER), "kernel.o"]
    command = [sys.executable, "-m", "ziglang", "build-exe", *machine, "-fno-builtin", "-femit-bin=runner", *files]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return Emulated(emulator, folder / "runner", names)
