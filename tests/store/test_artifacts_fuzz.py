"""Artifacts changed at random: refused or accepted, but never a crash, a hang or a written file.

What is accepted is run as well, each in a process of its own, since it is a library in C++ that runs it.
UNISONO_ROUNDS: quick tries 100, test 300, soak 10,000 new ones.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from random import Random

import pytest

from tests.store.careful_reader import read_carefully
from tests.store.careful_runner import run_carefully
from tests.store.mutations import bases, mutant

ROUNDS = os.environ.get("UNISONO_ROUNDS", "test")
MUTANTS = {"quick": 100, "test": 300, "soak": 10_000}[ROUNDS]
SEED = int.from_bytes(os.urandom(4), "little") if ROUNDS == "soak" else 7
AT_ONCE = 1000


@pytest.mark.slow
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("start", range(0, MUTANTS, AT_ONCE))
def test_a_changed_artifact_is_refused_or_runs(start: int, tmp_path: Path) -> None:
    names = [f"{SEED}.{number}" for number in range(start, min(start + AT_ONCE, MUTANTS))]
    cases = {name: mutant(Random(name)) for name in names}
    (tmp_path / "read").mkdir()
    (tmp_path / "run").mkdir()
    outcomes = read_carefully(cases, tmp_path / "read")
    accepted = {name: cases[name] for name, one in outcomes.items() if one.kind == "Artifact"}
    refused = [one for one in outcomes.values() if one.kind != "Artifact"]
    assert [one for one in refused if one.kind != "StateError" or not _is_a_reason(one.message)] == []
    assert [one for one in outcomes.values() if one.forbidden] == []
    ends = run_carefully(accepted, tmp_path / "run")
    assert {name: end for name, end in ends.items() if end not in ("0", "1")} == {}
    assert list(outcomes) == names
    assert set(ends) == set(accepted)
    assert len(refused) > len(names) // 2
    assert len(accepted) > len(names) // 50
    print(f"{len(names)} tried, {len(refused)} refused, {list(ends.values()).count('0')} run as before")


def _is_a_reason(message: str) -> bool:
    return re.fullmatch("artifact: .*; allowed: .*; .*", message) is not None


@pytest.mark.slow
def test_what_is_changed_is_sound(tmp_path: Path) -> None:
    sound = {f"base{number}": base.to_bytes() for number, base in enumerate(bases())}
    assert run_carefully(sound, tmp_path) == dict.fromkeys(sound, "0")
