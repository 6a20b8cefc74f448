"""constraints.txt pins everything that the project names, and names no place."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
PIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*==[0-9][A-Za-z0-9.+]*")
NAME = re.compile(r"[A-Za-z0-9._-]+")


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _pinned() -> set[str]:
    return {_canonical(line.partition("==")[0]) for line in (ROOT / "constraints.txt").read_text().splitlines()}


def _named() -> set[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    lists = [
        project["build-system"]["requires"],
        project["project"]["dependencies"],
        *project["project"]["optional-dependencies"].values(),
    ]
    found = (NAME.match(requirement) for each in lists for requirement in each)
    return {_canonical(match.group()) for match in found if match} - {"unisono"}


def test_every_line_is_one_exact_version_and_nothing_else() -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    assert [line for line in lines if not PIN.fullmatch(line)] == []
    assert lines == sorted(lines, key=str.lower)


def test_every_named_dependency_is_pinned() -> None:
    assert _named() - _pinned() == set()
