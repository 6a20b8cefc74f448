"""The kernel's build for other machines, asked the same: WebAssembly, 64-bit ARM, a microcontroller's core."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np

from benchmarks.edge_transformers.arm import NotHereError
from benchmarks.edge_transformers.runtimes import Answers, Rows
from tests.kernel.integer.calls import answer_on
from tests.kernel.machines import EMULATIONS, Emulated, Machine, emulated
from tests.kernel.wasm import WasmMachine
from unisono.kernel.build.maker import Kernel, compiled, make
from unisono.kernel.build.retarget import object_code
from unisono.kernel.build.targets import TARGETS
from unisono.kernel.integer.network import Network
from unisono.kernel.manifest import VERSION_EXPORT

TARGET_NAMES = ("wasm32", *EMULATIONS)


def answers_of_kernel(target: str, network: Network, folder: Path, rows: Rows) -> Answers:
    """What the kernel says on a kind of machine.

    folder: for what is built.

    Raises NotHereError if there is no emulator of it.
    """
    machine = _machine(target, _kernel(), folder / target)
    zero = np.int32(network.zero)
    found = [(np.array(answer_on(machine, network, row), "<i4") - zero).tobytes() for row in rows]
    if isinstance(machine, Emulated):
        machine.close()
    return found


@cache
def _kernel() -> Kernel:
    return compiled()


def _machine(target: str, kernel: Kernel, folder: Path) -> Machine:
    if target == "wasm32":
        return WasmMachine.load(make(kernel, TARGETS[target], folder))
    names = (*kernel.exports, VERSION_EXPORT)
    found = emulated(target, object_code(kernel.text, TARGETS[target], kernel.symbols), names, folder)
    if found is None:
        raise NotHereError(f"no {EMULATIONS[target].emulator} (Debian: qemu-user-static)")
    return found
