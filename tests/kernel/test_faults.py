"""The judges catch every planted fault within the cases of a usual round, and pass the reference itself."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from .cases import Case, DifferenceError
from .engines import Engine, ReferenceEngine
from .faults import FAULTS, Fault
from .judges import JUDGES
from .strategies import RolledCase
from .test_numbers import KNOWN, case_of

ROUND = 100  # the rolled cases of the usual round; see tests/conftest.py


@pytest.fixture(scope="module")
def round_of_cases() -> Sequence[Case]:
    """What a usual round rolls, and the numbers written down by hand."""
    known = [case_of(column, values, [aggregation]) for aggregation, column, values, _ in KNOWN]
    return [*known, *(RolledCase(seed, 60).case() for seed in range(ROUND))]


def caught_by(engine: Engine, cases: Sequence[Case]) -> str | None:
    """The first judge that finds a difference."""
    for case in cases:
        for name, judge in JUDGES.items():
            try:
                judge(engine, case)
            except DifferenceError:
                return name
    return None


@pytest.mark.slow
def test_the_judges_pass_the_reference(round_of_cases: Sequence[Case]) -> None:
    assert caught_by(ReferenceEngine(), round_of_cases) is None


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_every_planted_fault_is_caught(fault: Fault, round_of_cases: Sequence[Case]) -> None:
    assert caught_by(fault.engine(), round_of_cases) is not None
