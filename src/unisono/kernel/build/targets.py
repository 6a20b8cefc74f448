"""The kinds of machine that the kernel is built for, one row each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Linker = Literal["elf", "macho", "pe", "wasm", "object"]
Products = Literal["numbers", "halves", "vectors", "pairs"]


@dataclass(frozen=True, slots=True)
class Target:
    """A row of the table.

    name:       as on the command line.
    triple:     LLVM's name of the machine.
    zig:        zig's name of it, where zig's own driver links (empty: the linker is called directly).
    file:       the file that is built.
    linker:     how an object becomes that file.
    features:   LLVM features beyond the generic machine; never any with fused multiply-add of float64. SSSE3 is part
                of what numpy 2.4 asks of an x86.
    wide:       whether the machine multiplies 64 by 64 to 128 bits; else 32-bit products are used.
    products:   how it multiplies bytes; see `products`.
    cpu:        LLVM's processor name; generic wherever there is one.
    wheel:      platform tag of the wheel that carries the file; empty if none does.
    """

    name: str
    triple: str
    file: str
    linker: Linker
    zig: str = ""
    features: str = ""
    wide: bool = True
    products: Products = "pairs"
    cpu: str = "generic"
    wheel: str = ""


TARGETS: dict[str, Target] = {
    target.name: target
    for target in (
        Target(
            "x86_64-linux", "x86_64-unknown-linux-gnu", "unisono_kernel.so", "elf",
            features="+ssse3", cpu="x86-64", wheel="manylinux_2_17_x86_64",
        ),
        Target(
            "aarch64-linux", "aarch64-unknown-linux-gnu", "unisono_kernel.so", "elf",
            products="vectors", wheel="manylinux_2_17_aarch64",
        ),
        Target(
            "aarch64-macos", "arm64-apple-macosx11.0.0", "unisono_kernel.dylib", "macho",
            zig="aarch64-macos.11.0", products="vectors", wheel="macosx_11_0_arm64",
        ),
        Target(
            "x86_64-macos", "x86_64-apple-macosx11.0.0", "unisono_kernel.dylib", "macho",
            zig="x86_64-macos.11.0", features="+ssse3", cpu="x86-64", wheel="macosx_11_0_x86_64",
        ),
        Target(
            "x86_64-windows", "x86_64-w64-windows-gnu", "unisono_kernel.dll", "pe",
            zig="x86_64-windows-gnu", features="+ssse3", cpu="x86-64", wheel="win_amd64",
        ),
        Target(
            "wasm32", "wasm32-unknown-unknown", "unisono_kernel.wasm", "wasm",
            features="+bulk-memory,+bulk-memory-opt", wide=False, products="numbers",
        ),
        Target(
            "cortex-m4", "thumbv7em-unknown-none-eabi", "unisono_kernel.o", "object",
            zig="thumb-freestanding-eabi", wide=False, products="halves", cpu="cortex-m4",
        ),
    )
}  # fmt: skip
