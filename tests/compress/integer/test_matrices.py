"""Matrices of many texts say what the reference says, bit for bit."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings

from tests.kernel.integer.networks import Asked, networks
from unisono.compress.integer.matrices import answered
from unisono.kernel.integer.reference import answer


@given(networks())
@settings(max_examples=60, deadline=None)
def test_texts_under_each_other_give_the_bits_of_the_reference(asked: Asked) -> None:
    rows = [np.array(one, np.int64) for one in asked.rows]
    found = answered(asked.network, np.concatenate(rows), np.cumsum([0, *map(len, rows)]))
    wanted = np.concatenate([np.array(answer(asked.network, one), np.int64) for one in asked.rows])
    assert np.array_equal(found, wanted)
