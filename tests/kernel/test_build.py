"""The build makes every target from one source, reproducibly, and the targets give the same bits."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from random import Random
from types import ModuleType

import pytest
import wasmtime

from unisono.kernel import exports as kernel_exports
from unisono.kernel.build.__main__ import main
from unisono.kernel.build.link import LinkError, link
from unisono.kernel.build.maker import Kernel, is_fresh, make
from unisono.kernel.build.retarget import assembly
from unisono.kernel.build.targets import TARGETS
from unisono.kernel.manifest import read_manifest, version_of

from . import sample_exports
from .conftest import MACHINES, Built
from .formats import Binary, read_binary
from .image import Image, Place
from .machines import ThisProcess

pytestmark = pytest.mark.slow

ROWS = 64
FUSED = re.compile(r"\b(v?fn?m(add|sub)\w*|fml[as]\w*|vfm[as]\w*|vfnm[as]\w*)\b", re.IGNORECASE)
KINDS = {"elf": "elf", "object": "elf", "macho": "macho", "pe": "pe", "wasm": "wasm"}
# What a file may take from outside: what every C library has, and on a device the compiler's own floating point.
OUTSIDE = re.compile(r"mem(cpy|move|set)|_*bzero|dyld_stub_binder")
OUTSIDE_OF_AN_OBJECT = re.compile(r"mem(cpy|move|set)|sqrt|__aeabi_\w+")


@lru_cache(maxsize=1)
def _sums() -> tuple[Image, Place]:
    chance = Random(3)
    image = Image()
    values = image.words(*(chance.getrandbits(64) - (1 << 63) for _ in range(ROWS)))
    total, squares, roots = (image.words(*[0] * count) for count in (3, 2 * ROWS, ROWS))
    return image, image.words(values, ROWS, total, squares, roots)


@lru_cache(maxsize=1)
def _moves() -> tuple[Image, Place]:
    chance = Random(4)
    image = Image()
    target, source = (image.words(*(chance.getrandbits(60) for _ in range(ROWS))) for _ in range(2))
    return image, image.words(target, ROWS, source)


CASES: dict[str, Callable[[], tuple[Image, Place]]] = {"sums": _sums, "moves": _moves}


@pytest.mark.parametrize("export", CASES)
@pytest.mark.parametrize("machine", MACHINES)
def test_results_and_memory_have_the_same_bits_on_every_machine(sample: Built, machine: str, export: str) -> None:
    expected = ThisProcess(sample_exports.EXPORTS).call(export, *CASES[export]())
    assert sample.machine(machine).call(export, *CASES[export]()) == expected


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(sample_exports, id="sample"),
        pytest.param(kernel_exports, id="kernel", marks=pytest.mark.slow),
    ],
)
def built(request: pytest.FixtureRequest, build: Callable[[ModuleType], Built]) -> Built:
    return build(request.param)


@pytest.mark.parametrize("name", TARGETS)
def test_a_target_is_built_with_all_exports_and_no_needs(built: Built, name: str) -> None:
    target = TARGETS[name]
    binary = read_binary(built.file(name))
    assert binary.kind == KINDS[target.linker]
    assert binary.machine == ("arm" if name == "cortex-m4" else name.partition("-")[0])
    if target.linker == "wasm":
        binary = _wasm_names(built.file(name))
    outside = OUTSIDE_OF_AN_OBJECT if target.linker == "object" else OUTSIDE
    assert set(built.kernel.symbols) <= binary.defined
    assert [needed for needed in binary.needed if not outside.fullmatch(needed)] == []


def _wasm_names(file: Path) -> Binary:
    module = wasmtime.Module.from_file(wasmtime.Engine(), str(file))
    names = frozenset(export.name for export in module.exports)
    assert {"memory", "__heap_base"} <= names
    return Binary("wasm", "wasm32", names, frozenset(f"import {each.name}" for each in module.imports))


@pytest.mark.parametrize("name", TARGETS)
def test_no_target_contains_a_fused_multiply_add(built: Built, name: str) -> None:
    text = assembly(built.kernel.text, TARGETS[name], built.kernel.symbols)
    assert "unisono_" in text
    assert FUSED.findall(text) == []


def test_the_search_for_fused_multiply_adds_would_find_them() -> None:
    for line in (
        "fmadd d0, d1, d2, d3",
        "vfmadd213sd %xmm0, %xmm1, %xmm2",
        "fmla v0.2d, v1.2d, v2.2d",
        "vfma.f64 d0, d1, d2",
    ):
        assert FUSED.search(line)


@pytest.mark.parametrize("machine", MACHINES)
def test_every_machine_answers_the_version_of_the_sources(sample: Built, machine: str) -> None:
    image = Image()
    version, _ = sample.machine(machine).call("kernel_version", image, image.words(0))
    assert version == version_of(sample.kernel.sources)


@pytest.mark.parametrize("name", TARGETS)
def test_the_same_source_gives_the_same_bytes_in_another_process(sample: Built, name: str, other_build: Path) -> None:
    file = TARGETS[name].file
    assert (other_build / name / file).read_bytes() == sample.file(name).read_bytes()


@pytest.fixture(scope="module")
def other_build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All targets of the sample, built by a process with another hash seed, in another folder."""
    folder = tmp_path_factory.mktemp("other")
    program = (
        "import sys; from importlib import import_module; from pathlib import Path\n"
        "from unisono.kernel.build.maker import TARGETS, compiled, make\n"
        "kernel = compiled(import_module(sys.argv[2]))\n"
        "for name, target in TARGETS.items(): make(kernel, target, Path(sys.argv[1]) / name)\n"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "7", "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    subprocess.run([sys.executable, "-c", program, str(folder), sample_exports.__name__], env=environment, check=True)
    return folder


def test_a_build_is_fresh_until_its_file_or_manifest_changes(sample: Built, tmp_path: Path) -> None:
    target = TARGETS["wasm32"]
    kernel = Kernel(sample.kernel.text, sample.kernel.exports, sample.kernel.sources)
    file = make(kernel, target, tmp_path)
    root = Path(str(sample_exports.__file__))
    assert is_fresh(target, tmp_path, root=root)
    assert not is_fresh(TARGETS["x86_64-linux"], tmp_path, root=root)
    assert not is_fresh(target, tmp_path)  # the kernel's own sources are others
    file.write_bytes(file.read_bytes() + b"\0")
    assert not is_fresh(target, tmp_path, root=root)


def test_a_linker_that_refuses_is_quoted(tmp_path: Path) -> None:
    with pytest.raises(LinkError, match="wasm-ld"):
        link(b"not an object", TARGETS["wasm32"], ["unisono_none"], tmp_path / "out.wasm")
    assert not (tmp_path / "out.wasm").exists()


def test_the_command_builds_once_and_then_says_up_to_date(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--target", "wasm32", "--out", str(tmp_path)]
    assert main(arguments) == 0
    assert "compiled" in capsys.readouterr().out
    assert main(arguments) == 0
    assert capsys.readouterr().out == f"wasm32: {tmp_path / 'unisono_kernel.wasm'} is up to date\n"
    manifest = read_manifest(tmp_path)
    assert manifest is not None
    assert "words.py" in manifest.sources


def test_the_command_explains_itself(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as leaving:
        main(["--help"])
    assert leaving.value.code == 0
    assert "--target" in capsys.readouterr().out
