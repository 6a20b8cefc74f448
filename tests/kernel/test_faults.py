"""The judges catch every planted fault within the cases of a usual round, and pass the reference itself."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings

from .cases import Case, Difference
from .engines import Engine, ReferenceEngine
from .faults import FAULTS, Fault
from .judges import JUDGES
from .strategies import cases

ROUND = 100  # the examples of the usual round; see tests/conftest.py


@pytest.fixture(scope="module")
def round_of_cases() -> Sequence[Case]:
    """The cases that Hypothesis draws for a property, the same every time."""
    drawn: list[Case] = []

    @settings(max_examples=ROUND, derandomize=True)
    @given(cases())
    def draw(case: Case) -> None:
        drawn.append(case)

    draw()
    return drawn


def caught_by(engine: Engine, cases: Sequence[Case]) -> str | None:
    """The first judge that finds a difference."""
    for name, judge in JUDGES.items():
        for case in cases:
            try:
                judge(engine, case)
            except Difference:
                return name
    return None


def test_the_judges_pass_the_reference(round_of_cases: Sequence[Case]) -> None:
    assert caught_by(ReferenceEngine(), round_of_cases) is None


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_every_planted_fault_is_caught(fault: Fault, round_of_cases: Sequence[Case]) -> None:
    assert caught_by(fault.engine(), round_of_cases) is not None
