"""Artifacts that someone made to do harm: each is refused with its reason, and nothing else happens.

They are read in a process that cannot write a byte, cannot load onnxruntime, and ends at 2 GB or 20 s an artifact.
"""

from __future__ import annotations

import re

import pytest

from tests.store.careful_reader import Outcome, read_carefully
from tests.store.hostile_artifacts import hostile_artifacts, parts, sound, zipped
from unisono.spec.errors import StateError
from unisono.store.artifacts import read_artifact
from unisono.store.artifacts.signing import new_key_pair, sign

HOSTILE = hostile_artifacts()


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Outcome]:
    key = new_key_pair()
    sane = {"sound": sound().to_bytes(), "sound and signed": sign(sound(), key.private).to_bytes()}
    cases = {**sane, **{name: one.data for name, one in HOSTILE.items()}}
    return read_carefully(cases, tmp_path_factory.mktemp("hostile"))


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_artifact_is_refused_with_its_reason(name: str, outcomes: dict[str, Outcome]) -> None:
    outcome = outcomes[name]
    assert outcome.kind == "StateError", outcome.message
    assert re.search(HOSTILE[name].reason, outcome.message, re.DOTALL), outcome.message
    assert re.match("artifact: .*; allowed: .*; ", outcome.message)
    assert "\n" not in outcome.message
    assert len(outcome.message) < 2000
    assert outcome.forbidden == []


@pytest.mark.parametrize("name", ["sound", "sound and signed"])
def test_a_sound_artifact_is_read_in_the_same_process(name: str, outcomes: dict[str, Outcome]) -> None:
    assert outcomes[name][1:] == ("Artifact", sound().id, [])


def test_an_artifact_that_is_cut_anywhere_is_refused() -> None:
    whole = sound(lineage=b"{}").to_bytes()
    for length in range(len(whole)):
        with pytest.raises(StateError):
            read_artifact(whole[:length])


@pytest.mark.slow
def test_an_artifact_with_any_bit_flipped_is_refused() -> None:
    """Signed or not, no bit is without meaning."""
    whole = sign(sound(), new_key_pair().private).to_bytes()
    for place in range(len(whole)):
        for bit in range(8):
            flipped = bytearray(whole)
            flipped[place] ^= 1 << bit
            with pytest.raises(StateError):
                read_artifact(bytes(flipped))


def test_the_same_zip_by_another_hand_is_the_same_bytes() -> None:
    """What the tests forge with is right where it does not lie."""
    assert zipped(parts()) == sound().to_bytes()
