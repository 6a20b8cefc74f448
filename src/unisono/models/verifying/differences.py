"""How far two answers to the same rows are apart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unisono.models.session import bits
from unisono.spec.wording import one_line

Tensor = NDArray[Any]
Outputs = Mapping[str, Tensor]

_KINDS = ("absolute", "relative", "smaller", "ulps")


@dataclass(frozen=True, slots=True)
class Pair:
    """Two answers for one output of one row.

    row:    from 0.
    output: which.
    one, other: what each says.
    """

    row: int
    output: str
    one: str
    other: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """How far apart two answers are.

    rows:    compared.
    max_abs: largest absolute difference of a number, and max_rel of it by the other answer's number.
    max_gap: largest of what each number differs by, absolute or relative, whichever is smaller.
    max_ulp: largest difference in numbers of the same float type that lie between.
    differs: rows with a bit that differs.
    flips:   rows with another label, or whatever is no float.
    worst:   the row with another label, else the largest gap; None if all bits are equal.
    """

    rows: int
    max_abs: float
    max_rel: float
    max_gap: float
    max_ulp: int
    differs: int
    flips: int
    worst: Pair | None

    def within(self, bound: float) -> bool:
        """Whether no number differs by more, and no label."""
        return self.flips == 0 and self.max_gap <= bound


def compare(one: Outputs, other: Outputs) -> Comparison:
    """Compares answers that have the same outputs of the same shapes and types; any NaN equals any."""
    rows = len(next(iter(other.values())))
    numbers = [name for name, values in other.items() if values.dtype.kind == "f"]
    labels = [name for name in other if name not in numbers]
    flipped = _rows_where(rows, [one[name] != other[name] for name in labels])
    differs = _rows_where(rows, [bits(one[name]) != bits(other[name]) for name in numbers]) | flipped
    gaps = {name: _gaps(one[name], other[name]) for name in numbers}
    most = {kind: max((float(gap[kind].max(initial=0.0)) for gap in gaps.values()), default=0.0) for kind in _KINDS}
    return Comparison(
        rows=rows,
        max_abs=most["absolute"],
        max_rel=most["relative"],
        max_gap=most["smaller"],
        max_ulp=int(most["ulps"]),
        differs=int(differs.sum()),
        flips=int(flipped.sum()),
        worst=_worst(one, other, flipped, gaps) if differs.any() else None,
    )


def shapes_of(outputs: Outputs) -> dict[str, str]:
    """The type of each output and the shape of one row of it, as a message shows them."""
    return {name: f"{one.dtype} {list(one.shape[1:])}" for name, one in outputs.items()}


def _rows_where(rows: int, unequal: list[Tensor]) -> NDArray[np.bool_]:
    found = np.zeros(rows, np.bool_)
    for one in unequal:
        found |= one.reshape(rows, -1).any(axis=1)
    return found


def _gaps(says: Tensor, wanted: Tensor) -> Mapping[str, Tensor]:
    """How far apart numbers are, by kind of difference, each the largest of its row."""
    same = bits(says) == bits(wanted)
    with np.errstate(all="ignore"):
        absolute = _known(same, np.abs(says - wanted))
        relative = _known(same, absolute / np.abs(wanted))
    ulps = np.where(np.isnan(says) != np.isnan(wanted), 2.0**62, np.abs(_ordered(says) - _ordered(wanted)))
    kinds = {"absolute": absolute, "relative": relative, "smaller": np.minimum(absolute, relative), "ulps": ulps}
    return {kind: gap.reshape(len(gap), -1).max(axis=1, initial=0.0) for kind, gap in kinds.items()}


def _known(same: Tensor, gap: Tensor) -> Tensor:
    return np.where(same, 0.0, np.where(np.isnan(gap), np.inf, gap))


def _ordered(values: Tensor) -> Tensor:
    """Float numbers as numbers whose difference counts the floats of their own width between."""
    whole = bits(values)
    return np.where(whole < 0, -(whole & np.iinfo(whole.dtype).max), whole).astype(np.longdouble)


def _worst(one: Outputs, other: Outputs, flipped: NDArray[np.bool_], gaps: Mapping[str, Mapping[str, Tensor]]) -> Pair:
    if flipped.any():
        row = int(flipped.argmax())
        labels = [name for name in other if name not in gaps]
        return _pair(one, other, next(name for name in labels if np.any(one[name][row] != other[name][row])), row)
    name = max(gaps, key=lambda name: (float(gaps[name]["smaller"].max()), float(gaps[name]["ulps"].max())))
    kind = "smaller" if gaps[name]["smaller"].any() else "ulps"  # zeros of two signs are no gap
    return _pair(one, other, name, int(gaps[name][kind].argmax()))


def _pair(one: Outputs, other: Outputs, name: str, row: int) -> Pair:
    return Pair(row, name, shown(one[name][row]), shown(other[name][row]))


def shown(value: Any) -> str:
    """One value as a message shows it."""
    return one_line(value.tolist() if hasattr(value, "tolist") else value, length=100)
