"""Tries golden rows: does this machine say what the one said that registered the version?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from unisono.models.golden import GoldenRows
from unisono.models.verifying.classes import EXACT, NumericClass, Tolerance
from unisono.models.verifying.differences import Comparison, compare, shapes_of
from unisono.spec.errors import ModelError

Tensor = NDArray[Any]


@dataclass(frozen=True, slots=True)
class GoldenCheck:
    """What golden rows said of a machine.

    numeric_class: that was asked for.
    rows:          tried, all at once and one at a time.
    differs:       rows with a bit that differs; none if the class is exact.
    max_gap:       largest difference, absolute or relative, whichever is smaller; max_ulp in numbers between.
    """

    numeric_class: NumericClass
    rows: int
    differs: int
    max_gap: float
    max_ulp: int


class Answers(Protocol):
    """What golden rows are asked of: a `Session`, or another engine."""

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of what it is given."""
        ...

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of what it answers."""
        ...

    def answer(self, feeds: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """The answers, one row a row."""
        ...


def check_golden(session: Answers, golden: GoldenRows, tolerance: Tolerance = EXACT) -> GoldenCheck:
    """Runs the rows, all at once and one at a time.

    tolerance: what may differ, as the passport says.

    Raises ModelError that names the row that differs most, if it differs by more than it may.
    """
    wanted = {name: golden.outputs[name] for name in session.outputs if name in golden.outputs}
    if len(wanted) != len(session.outputs) or set(golden.inputs) != set(session.inputs):
        raise other_graph()
    if not golden.rows:
        raise ModelError("golden rows: none; allowed: one or more; register the model again")
    whole = session.answer(golden.inputs)
    alone = [session.answer(_cut(golden.inputs, row)) for row in range(golden.rows)]
    joined = {name: np.concatenate([one[name] for one in alone]) for name in wanted}
    found = [_compared(answers, wanted, tolerance) for answers in (whole, joined)]
    return GoldenCheck(
        numeric_class=tolerance.numeric_class,
        rows=golden.rows,
        differs=max(one.differs for one in found),
        max_gap=max(one.max_gap for one in found),
        max_ulp=max(one.max_ulp for one in found),
    )


def other_graph() -> ModelError:
    """What to say of golden rows that do not go with a graph."""
    return ModelError("golden rows: of another graph; allowed: those made with it; register the model again")


def _cut(inputs: Mapping[str, Tensor], row: int) -> Mapping[str, Tensor]:
    return {name: one[row : row + 1] for name, one in inputs.items()}


def _compared(says: Mapping[str, Tensor], wanted: Mapping[str, Tensor], tolerance: Tolerance) -> Comparison:
    if shapes_of(says) != shapes_of(wanted):
        raise ModelError(
            f"golden rows: this machine gives {shapes_of(says)}, the one that registered the version "
            f"{shapes_of(wanted)}; allowed: the same types and shapes; register the model again"
        )
    if any(len(says[name]) != len(one) for name, one in wanted.items()):
        seen = ", ".join(f"{len(one)} of {name}" for name, one in says.items())
        raise ModelError(f"golden rows: {seen}; allowed: an answer to each row; register the model again")
    found = compare(says, wanted)
    worst = found.worst
    if worst is None or (tolerance.numeric_class == "bounded" and found.within(tolerance.bound)):
        return found
    raise ModelError(
        f"golden rows: row {worst.row}, {worst.output}: this machine says {worst.one}, the one that registered the "
        f"version {worst.other}; allowed: {_allowed(tolerance)}"
    )


def _allowed(tolerance: Tolerance) -> str:
    if tolerance.numeric_class == "exact":
        return "equal bits; the numeric class of this graph is not exact here, so do not use it here, and report it"
    return (
        f"a difference of {tolerance.bound:g}, and no other label, as the passport or the engine says (class bounded); "
        "register the model on this kind of machine"
    )
