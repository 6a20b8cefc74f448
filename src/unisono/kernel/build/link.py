"""One object file -> the file that a target loads. The linkers are those of the `ziglang` wheel, not the machine's.

No library is linked into the Linux file: it needs nothing but memmove, memset and memcpy, which every process already
has, so one file serves glibc and musl of any version. The Windows file takes the same three from msvcrt.dll.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from unisono.kernel.build.targets import Linker, Target

Command = list[str]

WASM_STACK_BYTES = 65536
WINDOWS_IMPORTS = "LIBRARY msvcrt.dll\nEXPORTS\nmemcpy\nmemmove\nmemset\n"


class LinkError(Exception):
    """A linker refused; the message is its own."""


def link(code: bytes, target: Target, symbols: Sequence[str], file: Path) -> None:
    """Write the target's file from its object code; raises LinkError with the linker's words."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        (work / "kernel.o").write_bytes(code)
        (work / "imports.def").write_text(WINDOWS_IMPORTS)
        for command in LINKERS[target.linker](target, symbols):
            _run(command, work)
        produced = (work / "kernel.out" if target.linker != "object" else work / "kernel.o").read_bytes()
    # A new inode: a process that has the old library mapped keeps it.
    fresh = file.with_name(f".{file.name}.new")
    fresh.write_bytes(produced)
    fresh.chmod(0o755 if target.linker in ("elf", "macho", "pe") else 0o644)
    fresh.replace(file)


def _run(command: Command, folder: Path) -> None:
    whole = [sys.executable, "-m", "ziglang", *command]
    done = subprocess.run(whole, cwd=folder, capture_output=True, text=True, check=False)  # our own arguments
    if done.returncode:
        raise LinkError(f"{' '.join(command)}: {done.stderr.strip() or done.stdout.strip()}")


def _elf(target: Target, symbols: Sequence[str]) -> list[Command]:
    options = ["-shared", "-s", "--build-id=none", "--hash-style=gnu", "-z", "now", "-z", "noexecstack"]
    return [["ld.lld", *options, "-soname", target.file, "-o", "kernel.out", "kernel.o"]]


def _macho(target: Target, symbols: Sequence[str]) -> list[Command]:
    name = f"-Wl,-install_name,@rpath/{target.file}"
    return [["cc", "-target", target.zig, "-shared", "-s", name, "-o", "kernel.out", "kernel.o"]]


def _pe(target: Target, symbols: Sequence[str]) -> list[Command]:
    options = [
        "/dll",
        "/noentry",
        "/machine:x64",
        "/Brepro",
        "/out:kernel.out",
        *(f"/export:{name}" for name in symbols),
    ]
    return [
        ["dlltool", "-m", "i386:x86-64", "-d", "imports.def", "-l", "imports.lib"],
        ["lld-link", *options, "kernel.o", "imports.lib"],
    ]


def _wasm(target: Target, symbols: Sequence[str]) -> list[Command]:
    options = ["--no-entry", "-s", "--stack-first", "-z", f"stack-size={WASM_STACK_BYTES}", "--export=__heap_base"]
    return [["wasm-ld", *options, *(f"--export={name}" for name in symbols), "-o", "kernel.out", "kernel.o"]]


def _object(target: Target, symbols: Sequence[str]) -> list[Command]:
    return []


LINKERS: dict[Linker, Callable[[Target, Sequence[str]], list[Command]]] = {
    "elf": _elf,
    "macho": _macho,
    "pe": _pe,
    "wasm": _wasm,
    "object": _object,
}
