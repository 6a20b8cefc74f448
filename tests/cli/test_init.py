from __future__ import annotations

import errno
import re
import runpy
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest

from tests.cli.conftest import RunHere
from unisono.cli import starter
from unisono.cli.app import COMMANDS
from unisono.cli.init import FIELDS

Refused = Callable[..., tuple[int, str, str]]


def test_a_project_is_made_and_the_next_steps_are_named(tmp_path: Path, run_here: RunHere) -> None:
    folder = tmp_path / "new" / "parcels"
    done = run_here("init", folder)
    assert done.exit_code == 0
    for name in (
        "definitions.py",
        "unisono.toml",
        "smaller.toml",
        "train.py",
        "README.md",
        ".gitignore",
        "data/requests.csv",
    ):
        assert (folder / name).is_file()
        assert name in done.out
    for step, _ in starter.NEXT_STEPS:
        assert f"unisono {step} --project {folder}" in done.out


def test_an_empty_folder_can_become_a_project(tmp_path: Path, run_here: RunHere) -> None:
    done = run_here("init", tmp_path, "--json")
    assert set(done.answer) == set(FIELDS)
    assert done.answer["project"] == str(tmp_path)
    assert sorted(done.answer["files"]) == sorted(
        path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()
    )


def test_a_folder_with_anything_in_it_is_refused_and_left_as_it_is(tmp_path: Path, refused: Refused) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    code, kind, message = refused("init", tmp_path)
    assert (code, kind) == (4, "input")
    assert "not empty (mine.txt); allowed: a new or an empty folder; name another" in message
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_a_file_is_refused(tmp_path: Path, refused: Refused) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    assert refused("init", tmp_path / "mine.txt")[:2] == (4, "input")
    code, kind, message = refused("init", tmp_path / "mine.txt" / "parcels")
    assert (code, kind) == (6, "store")
    assert "could not be written (Not a directory)" in message


def test_a_full_disk_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: Refused) -> None:
    def full(path: str) -> dict[str, object]:
        def write(folder: Path) -> None:
            folder.mkdir()
            (folder / "deliveries.csv").write_text("half of i")
            raise OSError(errno.ENOSPC, "No space left on device")

        return {"write": write}

    monkeypatch.setattr("unisono.cli.starter.runpy.run_path", full)
    code, kind, message = refused("init", tmp_path)
    assert (code, kind) == (6, "store")
    assert "No space left on device" in message
    assert list(tmp_path.iterdir()) == []


def test_the_data_is_the_same_on_every_machine_and_run(tmp_path: Path, run_here: RunHere) -> None:
    run_here("init", tmp_path)
    data = {path.name: sha256(path.read_bytes()).hexdigest()[:16] for path in (tmp_path / "data").iterdir()}
    assert data == {"deliveries.csv": "66e20ecb2a42f63b", "requests.csv": "6df7f4ef7095bdb6"}
    runpy.run_path(str(tmp_path / "make_data.py"), run_name="__main__")
    assert {path.name: sha256(path.read_bytes()).hexdigest()[:16] for path in (tmp_path / "data").iterdir()} == data


def test_the_readme_names_every_command_or_family_but_init(tmp_path: Path, run_here: RunHere) -> None:
    run_here("init", tmp_path)
    named = set(re.findall(r"^unisono (\w+)", (tmp_path / "README.md").read_text(), re.MULTILINE))
    assert named == {command.family or command.name for command in COMMANDS} - {"init"}


def test_every_file_of_the_template_is_written() -> None:
    template = Path(starter.__file__).parent / "template"
    assert sorted(path.name for path in template.iterdir() if path.is_file()) == sorted(starter._FILES)
