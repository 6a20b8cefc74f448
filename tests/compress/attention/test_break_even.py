"""From which length on other attention is quicker, and what is said where it is not."""

from __future__ import annotations

import numpy as np
import pytest
from torch import nn

from unisono.compress.attention.break_even import Times, measured, refuse_slower
from unisono.compress.attention.step import LinearAttention
from unisono.compress.attention.swapping import replacement
from unisono.spec.errors import ModelError

SQUARE = Times(tokens=(16, 64, 256, 1024), before=(0.256, 4.096, 65.536, 1048.576), after=(1.6, 6.4, 25.6, 102.4))
"""Before grows with the square, after with the length; they are equal at 100 tokens."""


def test_the_break_even_length_is_where_two_lines_of_logarithms_meet() -> None:
    assert SQUARE.break_even == 100


def test_what_is_quicker_everywhere_breaks_even_at_once_and_what_never_is_does_not() -> None:
    assert Times((16, 32), (2.0, 4.0), (1.0, 1.0)).break_even == 16
    assert Times((16, 32), (2.0, 4.0), (1.0, 5.0)).break_even is None


def test_rows_are_counted_by_the_time_that_they_take_together() -> None:
    few_long = np.array([16] * 9 + [1024])
    assert SQUARE.gain(few_long) == pytest.approx((9 * 0.256 + 1048.576) / (9 * 1.6 + 102.4))
    refuse_slower(SQUARE, few_long)


def test_rows_that_are_too_short_are_refused_with_the_length_that_they_should_have() -> None:
    with pytest.raises(ModelError, match=r"rows of 50 tokens .*2\.00 times as long.*allowed: rows of 100 tokens"):
        refuse_slower(SQUARE, np.full(10, 50))
    never = Times((16, 32), (1.0, 1.0), (2.0, 2.0))
    with pytest.raises(ModelError, match="allowed: no length up to 32 tokens"):
        refuse_slower(never, np.full(10, 20))


@pytest.mark.slow
def test_both_are_run_at_lengths_up_to_that_of_the_longest_row() -> None:
    attention = nn.MultiheadAttention(16, 2, batch_first=True)
    times = measured(attention, replacement(attention, LinearAttention(), 64), np.array([20, 60]))
    assert times.tokens[:3] == (16, 32, 64)
    assert min(times.before + times.after) > 0
