"""Finding and loading the built kernel: what works, and what each failure says."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from unisono.kernel import library
from unisono.kernel.build.maker import exports_file, native_target
from unisono.kernel.exports import EXPORTS
from unisono.kernel.library import KernelMissingError, kernel_functions, load_library
from unisono.kernel.manifest import Manifest, file_hash, read_manifest, source_hashes

from .conftest import Built

HERE = Path(__file__).parent


@pytest.fixture
def folder(sample: Built, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the sample's native library, with its manifest."""
    native = native_target() or pytest.skip("this computer is not a target")
    shutil.copytree(sample.file(native.name).parent, tmp_path, dirs_exist_ok=True)
    monkeypatch.setattr(library, "SOURCES", HERE)
    return tmp_path


@pytest.fixture
def _forget() -> Iterator[None]:
    kernel_functions.cache_clear()
    yield
    kernel_functions.cache_clear()


def _change(folder: Path, change: Callable[[Manifest], Manifest]) -> None:
    manifest = read_manifest(folder)
    assert manifest is not None
    change(manifest).save(folder)


def test_a_library_gives_its_functions_by_name(folder: Path, sample: Built) -> None:
    functions = load_library(folder)
    assert tuple(functions) == sample.kernel.exports


def test_a_missing_library_names_the_command_that_builds_it(tmp_path: Path) -> None:
    with pytest.raises(KernelMissingError, match=r"no compiled kernel in .*python -m unisono\.kernel\.build"):
        load_library(tmp_path)


def test_a_stale_library_names_the_changed_source(folder: Path) -> None:
    _change(folder, lambda manifest: replace(manifest, sources={**manifest.sources, "sample_parts.py": "0" * 64}))
    with pytest.raises(KernelMissingError, match=r"older than sample_parts\.py; build it again"):
        load_library(folder)


def test_a_manifest_of_another_build_is_refused(folder: Path) -> None:
    _change(folder, lambda manifest: replace(manifest, version=manifest.version + 1))
    with pytest.raises(KernelMissingError, match="two builds"):
        load_library(folder)


def test_an_export_that_the_library_lacks_is_refused(folder: Path) -> None:
    _change(folder, lambda manifest: replace(manifest, exports=("nothing",)))
    with pytest.raises(KernelMissingError, match="does not load on"):
        load_library(folder)


def test_a_file_that_is_no_library_is_refused(folder: Path) -> None:
    (folder / library.FILES["linux"]).write_bytes(b"\x7fELF but not much more")
    with pytest.raises(KernelMissingError, match="does not load on"):
        load_library(folder)


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"format": 99}', '{"format": 1, "more": 2}'])
def test_a_manifest_that_cannot_be_understood_counts_as_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "unisono_kernel.json").write_text(text)
    assert read_manifest(tmp_path) is None


@pytest.mark.usefixtures("_forget")
def test_the_plain_functions_serve_when_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(library.VARIABLE, "python")
    assert kernel_functions() == EXPORTS


@pytest.mark.usefixtures("_forget")
def test_an_unknown_choice_says_what_is_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(library.VARIABLE, "fortran")
    with pytest.raises(KernelMissingError, match="UNISONO_KERNEL='fortran': must be native or python"):
        kernel_functions()


def test_source_hashes_follow_imports_within_the_folder() -> None:
    hashes = source_hashes(HERE / "sample_exports.py")
    assert hashes == {name: file_hash(HERE / name) for name in ("sample_exports.py", "sample_parts.py")}


def test_sources_in_folders_below_count() -> None:
    hashes = source_hashes(exports_file())
    for name in ("words.py", "integer/answering.py", "integer/network.py"):
        assert hashes[name] == file_hash(exports_file().parent / name)
    assert "reference.py" not in hashes  # whose name is also one of a file below
