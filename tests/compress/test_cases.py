"""The models that other tests compress have learnt something."""

from __future__ import annotations

import pytest

from tests.compress.conftest import Case
from unisono.compress.teacher import subject_scores


@pytest.mark.slow
@pytest.mark.parametrize("name", ["numbers", "images", "texts", "trees"])
def test_a_case_is_right_more_often_than_chance(name: str, request: pytest.FixtureRequest) -> None:
    case: Case = request.getfixturevalue(name)
    scores = subject_scores(case.subject, case.data.test, case.context)
    assert (scores.argmax(axis=1) == case.data.targets(case.data.test)).mean() > 0.85
