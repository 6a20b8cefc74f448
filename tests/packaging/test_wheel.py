"""The wheels carry the compiled kernel of their platform and nothing that does not belong to the package."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from unisono.kernel.build.maker import native_target
from unisono.kernel.build.targets import TARGETS

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
LIBRARY = "unisono/kernel/lib/"
WHEELS = [name for name, target in TARGETS.items() if target.wheel]
BUILD_TOOLS = ("numba", "llvmlite", "ziglang", "hatchling")
WITHOUT_BUILD_TOOLS = f"""
import sys
for name in {BUILD_TOOLS}: sys.modules[name] = None
from unisono.kernel.library import kernel_functions
print(__import__("unisono").__file__, *sorted(kernel_functions()))
"""


def _built(kind: str, folder: Path, target: str = "") -> Path:
    environment = {**os.environ, "UNISONO_TARGET": target}
    command = [sys.executable, "-m", "hatchling", "build", "--target", kind, "--directory", str(folder)]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    [file] = folder.iterdir()
    return file


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The wheel of this machine."""
    if native_target() is None:
        pytest.skip("this computer is not a target")
    return zipfile.ZipFile(_built("wheel", tmp_path_factory.mktemp("wheel")))


def test_the_wheel_is_for_any_python_3_on_this_platform(wheel: zipfile.ZipFile) -> None:
    native = native_target()
    assert native is not None
    assert str(wheel.filename).endswith(f"-py3-none-{native.wheel}.whl")


def test_the_wheel_holds_the_library_its_manifest_and_sources_only(wheel: zipfile.ZipFile) -> None:
    native = native_target()
    assert native is not None
    names = {name for name in wheel.namelist() if ".dist-info/" not in name}
    library = {name for name in names if name.startswith(LIBRARY)}
    assert library == {LIBRARY + native.file, f"{LIBRARY}unisono_kernel.json"}
    allowed = re.compile(r"unisono/([\w/]+\.(py|typed)|cli/template/\w+(\.\w+)?|compress/report/page/page\.css)")
    assert [name for name in sorted(names - library) if not allowed.fullmatch(name)] == []
    assert [name for name in names if "__pycache__" in name or "/tests/" in name] == []


def test_the_wheel_names_no_folder_of_the_machine_that_built_it(wheel: zipfile.ZipFile) -> None:
    place = str(ROOT).encode()
    assert [name for name in wheel.namelist() if place in wheel.read(name)] == []


def test_the_wheel_asks_for_no_build_tool(wheel: zipfile.ZipFile) -> None:
    [name] = [name for name in wheel.namelist() if name.endswith(".dist-info/METADATA")]
    needs = re.findall(r"^Requires-Dist: ([\w.-]+)(.*)$", wheel.read(name).decode(), re.MULTILINE)
    assert needs
    assert [name for name, rest in needs if name in BUILD_TOOLS and "extra ==" not in rest] == []


def test_the_unpacked_wheel_loads_its_kernel_without_the_build_tools(wheel: zipfile.ZipFile, tmp_path: Path) -> None:
    wheel.extractall(tmp_path)
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    command = [sys.executable, "-c", WITHOUT_BUILD_TOOLS]
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    place, *functions = done.stdout.split()
    assert place.startswith(str(tmp_path))
    manifest = json.loads(wheel.read(f"{LIBRARY}unisono_kernel.json"))
    assert functions == sorted(manifest["exports"])


@pytest.fixture(scope="module")
def _libraries() -> None:
    """Every platform's library where the hook looks for it, so that the kernel is compiled once for all wheels."""
    targets = [option for name in WHEELS for option in ("--target", name)]
    command = [sys.executable, "-m", "unisono.kernel.build", *targets, "--out", str(ROOT / "build" / "wheel")]
    subprocess.run(command, capture_output=True, check=True)


@pytest.mark.usefixtures("_libraries")
@pytest.mark.parametrize("name", WHEELS)
def test_any_machine_builds_the_wheel_of_every_platform(name: str, tmp_path: Path) -> None:
    target = TARGETS[name]
    file = _built("wheel", tmp_path, name)
    assert file.name.endswith(f"-py3-none-{target.wheel}.whl")
    assert LIBRARY + target.file in zipfile.ZipFile(file).namelist()


def test_the_source_archive_can_build_and_holds_no_library(tmp_path: Path) -> None:
    with tarfile.open(_built("sdist", tmp_path)) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"pyproject.toml", "hatch_build.py", "LICENSE", "README.md", "src/unisono/kernel/exports.py"} <= names
    assert [name for name in names if "/lib/" in name or "__pycache__" in name] == []
