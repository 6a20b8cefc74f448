"""The energy of a row as a model has it; nothing here is measured.

Arithmetic and memory after Horowitz, "Computing's energy problem (and what we can do about it)", ISSCC 2014, figure
1.1.9: a chip of 45 nm at 0.9 V. Newer chips take less of each, in about the same proportions, so that the ratio of two
models says more than either number.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from unisono.compress.report.document import Interval
from unisono.compress.report.graphs.operations import Work

MULTIPLY_ADD_PJ = {8: 0.2 + 0.1, 32: 3.7 + 0.9}
"""Picojoules of a multiplication with an addition, by the bits of its numbers; of 8 bits into a sum of 32."""

COMPARE_PJ = 0.9
"""Of a comparison: as an addition of 32 bits."""

CACHE_PJ_A_BYTE = 100.0 / 8
"""Of reading from a cache of 1 MB."""

MEMORY_PJ_A_BYTE = 2600.0 / 8
"""Of reading from DRAM, the upper end of what is said there."""

INSTRUCTION_PJ = 70.0
"""Of an instruction beside what it computes: to fetch, decode and control it."""

_VECTOR_BITS = 256
_MJ_A_PJ = 1e-9


def energy_mj(work: Sequence[Work]) -> Interval:
    """Millijoules of one row: modelled.

    low:   arithmetic alone, and weights that are all in a cache.
    high:  an instruction for each vector of 256 bits, and weights that all come from memory.
    value: the geometric mean of both.
    """
    low = sum(one.operations * _arithmetic(one) + one.bytes_read * CACHE_PJ_A_BYTE for one in work)
    high = sum(
        one.operations * (_arithmetic(one) + INSTRUCTION_PJ / _lanes(one)) + one.bytes_read * MEMORY_PJ_A_BYTE
        for one in work
    )
    return Interval(math.sqrt(low * high) * _MJ_A_PJ, low * _MJ_A_PJ, high * _MJ_A_PJ)


def _arithmetic(work: Work) -> float:
    return MULTIPLY_ADD_PJ[work.bits] if work.bits else COMPARE_PJ


def _lanes(work: Work) -> int:
    return _VECTOR_BITS // work.bits if work.bits else 1
