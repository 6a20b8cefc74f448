"""Built kernels for the tests of this folder: each source is compiled once a session."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

import pytest

from unisono.kernel import exports
from unisono.kernel.build.maker import Kernel, compiled, make, native_target
from unisono.kernel.build.retarget import object_code
from unisono.kernel.build.targets import TARGETS
from unisono.kernel.manifest import VERSION_EXPORT

from . import sample_exports, sample_words
from .engines import Engine, ReferenceEngine
from .kernel_engine import KernelEngine, kernel_engines
from .machines import EMULATIONS, Emulated, Machine, ThisProcess, emulated, loaded
from .wasm import WasmMachine

MACHINES = ("native", "native off alignment", "wasm32", *EMULATIONS)


@dataclass(frozen=True, slots=True)
class Built:
    """A compiled kernel and the folder where its targets' files go."""

    module: ModuleType
    kernel: Kernel
    folder: Path
    machines: dict[str, Machine] = field(default_factory=dict)

    @property
    def names(self) -> tuple[str, ...]:
        """Every exported name."""
        return (*self.kernel.exports, VERSION_EXPORT)

    def file(self, target: str) -> Path:
        """The file of a target, built at first use."""
        folder = self.folder / target
        file = folder / TARGETS[target].file
        return file if file.is_file() else make(self.kernel, TARGETS[target], folder)

    def machine(self, name: str) -> Machine:
        """A machine that runs this kernel; skips the test if this computer has no such machine."""
        if name not in self.machines:
            self.machines[name] = self._opened(name)
        return self.machines[name]

    def close(self) -> None:
        """End what `machine` started."""
        for machine in self.machines.values():
            if isinstance(machine, Emulated):
                machine.close()

    def _opened(self, name: str) -> Machine:
        if name == "python":
            return ThisProcess(self.module.EXPORTS)
        if name == "wasm32":
            return WasmMachine.load(self.file(name))
        if name in EMULATIONS:
            code = object_code(self.kernel.text, TARGETS[name], self.kernel.symbols)
            return emulated(name, code, self.names, self.folder / name / "runner") or pytest.skip(
                f"no {EMULATIONS[name].emulator} (Debian: qemu-user-static)"
            )
        native = native_target() or pytest.skip("this computer is not a target")
        shift = 3 if name == "native off alignment" else 0
        return ThisProcess(loaded(self.file(native.name), self.names), shift)


@pytest.fixture(scope="session")
def build(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[ModuleType], Built]]:
    """Compiles a module's EXPORTS, once for each module."""
    known: dict[str, Built] = {}

    def built(module: ModuleType) -> Built:
        if module.__name__ not in known:
            known[module.__name__] = Built(module, compiled(module), tmp_path_factory.mktemp("kernel"))
        return known[module.__name__]

    yield built
    for each in known.values():
        each.close()


@pytest.fixture(scope="session")
def sample(build: Callable[[ModuleType], Built]) -> Built:
    """The stand-in kernel, compiled."""
    return build(sample_exports)


@pytest.fixture(scope="session")
def words_kernel(build: Callable[[ModuleType], Built]) -> Built:
    """Every word as an export, compiled."""
    return build(sample_words)


QUICK_ENGINES = ("reference", "native", "native, little memory")
SLOW_ENGINES = ("python", "wasm32", *EMULATIONS)


@pytest.fixture(scope="session")
def kernel_engine(build: Callable[[ModuleType], Built]) -> Callable[[str], KernelEngine]:
    """The kernel on a machine, by name; skips the test if this computer cannot run it."""
    engines = kernel_engines(lambda name: build(exports).machine(name))
    return lambda name: engines[name]()


@pytest.fixture(
    scope="session", params=[*QUICK_ENGINES, *(pytest.param(name, marks=pytest.mark.slow) for name in SLOW_ENGINES)]
)
def engine(request: pytest.FixtureRequest, kernel_engine: Callable[[str], KernelEngine]) -> Engine:
    """Everything that must answer as the reference does, and the reference itself run event by event."""
    return ReferenceEngine() if request.param == "reference" else kernel_engine(request.param)
