"""Judges a graph by the fitted model that it was made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from unisono.models.importers.base import ImportedModel
from unisono.models.predictor_graph import PredictorGraph
from unisono.models.rows import mixed_rows
from unisono.models.session import Session, bits
from unisono.spec.errors import ModelError
from unisono.spec.wording import one_line

Tensor = NDArray[Any]
NumericClass = Literal["exact", "bounded"]

DEFAULT_BOUND = 1e-6
"""Largest difference, absolute or relative, that is not refused; one that is imported wrongly differs by far more."""

_CUT_ROWS = 500  # rows whose answers are tried in batches of other sizes


@dataclass(frozen=True, slots=True)
class Difference:
    """One row where graph and model differ.

    row:    of the sample, from 0.
    output: which output.
    graph, model: what each says.
    """

    row: int
    output: str
    graph: str
    model: str

    def __str__(self) -> str:
        return f"row {self.row}, {self.output}: the graph says {self.graph}, the model {self.model}"


@dataclass(frozen=True, slots=True)
class Verification:
    """How near a graph comes to its fitted model on the rows of a sample.

    rows:    of the sample.
    max_abs: largest absolute difference of a number, and max_rel of it by the model's number.
    max_gap: largest of what each number differs by, absolute or relative, whichever is smaller.
    max_ulp: largest difference in float64 numbers that lie between.
    differs: rows with a bit that differs.
    flips:   rows with another label (0 for a regression).
    bound:   what was allowed.
    worst:   the row with the largest difference; None if all bits are equal.
    """

    rows: int
    max_abs: float
    max_rel: float
    max_gap: float
    max_ulp: int
    differs: int
    flips: int
    bound: float
    worst: Difference | None

    @property
    def numeric_class(self) -> NumericClass:
        """exact: every bit is the model's; bounded: by `max_abs` and `max_ulp`."""
        return "exact" if self.differs == 0 else "bounded"

    def as_dict(self) -> dict[str, object]:
        """The same as plain values, with the numeric class."""
        return {**asdict(self), "numeric_class": self.numeric_class}


def verify(
    graph: PredictorGraph, imported: ImportedModel, sample: pl.DataFrame, *, bound: float | None = None
) -> Verification:
    """Runs graph and fitted model over a sample, and compares every answer.

    sample: rows with the request, feature and derived columns, e.g. the training frame.
    bound:  largest difference, absolute or relative to the model's number, that is not refused; None: 1e-6.

    Raises ModelError, with the worst row, if a number differs by more or a label differs; or if a row's answer
    depends on the batch it comes in. InputError if the sample lacks a column.
    """
    if sample.height == 0:
        raise ModelError("sample: no rows; allowed: one or more; pass the training frame, or a part of it")
    limit = DEFAULT_BOUND if bound is None else bound
    says = _answers_of_graph(graph, sample)
    wanted = _answers_of_model(imported, sample)
    verification = _compare(says, wanted, limit)
    if _too_far(verification, flips_allowed=bound is not None):
        raise ModelError(
            f"graph: differs from the model by {verification.max_abs:g} ({verification.max_ulp} units in the last "
            f"place), and in {verification.flips} of {verification.rows} labels; {verification.worst}; "
            f"allowed: {limit:g}, and no other label; pass bound= if that is near enough, else report it"
        )
    return verification


def _too_far(verification: Verification, *, flips_allowed: bool) -> bool:
    """A label may differ only where its numbers are within a bound that the user has chosen."""
    return verification.max_gap > verification.bound or (verification.flips > 0 and not flips_allowed)


def _answers_of_graph(graph: PredictorGraph, sample: pl.DataFrame) -> Mapping[str, Tensor]:
    features, request = graph.features_of(sample), graph.encode(sample, "sample")
    session = Session(graph.onnx)
    if not session.one_by_one:
        feeds = {name: one[:_CUT_ROWS] for name, one in session.feeds(features, request).items()}
        problem = mixed_rows(graph.onnx, feeds=feeds)
        if problem is not None:
            raise ModelError(f"graph: {problem}; allowed: the same bits in every batch; report it with the model")
    return session.run(features, request)


def _answers_of_model(imported: ImportedModel, sample: pl.DataFrame) -> Mapping[str, Tensor]:
    try:
        return imported.answer(sample)
    except Exception as error:  # the library's own
        raise ModelError(
            f"model: fails on the sample: {one_line(error)}; allowed: rows as it was fitted on; "
            "check the sample's columns"
        ) from error


def _compare(says: Mapping[str, Tensor], wanted: Mapping[str, Tensor], bound: float) -> Verification:
    _refuse_other_shapes(says, wanted)
    rows = len(next(iter(wanted.values())))
    numbers = [name for name, one in wanted.items() if one.dtype.kind == "f"]
    labels = [name for name, one in wanted.items() if one.dtype.kind != "f"]
    flipped = _rows_where(rows, [says[name] != wanted[name] for name in labels])
    differs = _rows_where(rows, [bits(says[name]) != bits(wanted[name]) for name in numbers]) | flipped
    gaps = {name: _gaps(says[name], wanted[name]) for name in numbers}
    most = {kind: max((float(gap[kind].max()) for gap in gaps.values()), default=0.0) for kind in _KINDS}
    return Verification(
        rows=rows,
        max_abs=most["absolute"],
        max_rel=most["relative"],
        max_gap=most["smaller"],
        max_ulp=int(most["ulps"]),
        differs=int(differs.sum()),
        flips=int(flipped.sum()),
        bound=bound,
        worst=_worst(says, wanted, flipped, gaps) if differs.any() else None,
    )


def _refuse_other_shapes(says: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> None:
    """Numbers of other shapes would be compared by broadcasting, and those of other widths by other bits."""
    shown = {
        place: {name: f"{one.dtype} {list(one.shape)}" for name, one in answers.items()}
        for place, answers in (("graph", says), ("model", wanted))
    }
    if shown["graph"] != shown["model"]:
        raise ModelError(
            f"graph: gives {shown['graph']}, the model {shown['model']}; allowed: the same outputs of the same shapes; "
            "report it with the model"
        )


def _rows_where(rows: int, unequal: list[Tensor]) -> NDArray[np.bool_]:
    found = np.zeros(rows, np.bool_)
    for one in unequal:
        found |= one.reshape(rows, -1).any(axis=1)
    return found


_KINDS = ("absolute", "relative", "smaller", "ulps")


def _gaps(says: Tensor, wanted: Tensor) -> Mapping[str, Tensor]:
    """How far apart numbers are, by kind of difference, each the largest of its row."""
    same = bits(says) == bits(wanted)
    with np.errstate(all="ignore"):
        absolute = _known(same, np.abs(says - wanted))
        relative = _known(same, absolute / np.abs(wanted))
    ulps = np.where(np.isnan(says) != np.isnan(wanted), 2.0**62, np.abs(_ordered(says) - _ordered(wanted)))
    kinds = {"absolute": absolute, "relative": relative, "smaller": np.minimum(absolute, relative), "ulps": ulps}
    return {kind: gap.reshape(len(gap), -1).max(axis=1) for kind, gap in kinds.items()}


def _known(same: Tensor, gap: Tensor) -> Tensor:
    return np.where(same, 0.0, np.where(np.isnan(gap), np.inf, gap))


def _ordered(values: Tensor) -> Tensor:
    """Float numbers as numbers whose difference counts the floats of their own width between."""
    whole = bits(values)
    return np.where(whole < 0, -(whole & np.iinfo(whole.dtype).max), whole).astype(np.longdouble)


def _worst(
    says: Mapping[str, Tensor],
    wanted: Mapping[str, Tensor],
    flipped: NDArray[np.bool_],
    gaps: Mapping[str, Mapping[str, Tensor]],
) -> Difference:
    if flipped.any():
        row = int(flipped.argmax())
        other = [name for name, one in wanted.items() if one.dtype.kind != "f" and np.any(says[name][row] != one[row])]
        return _difference(says, wanted, other[0], row)
    name = max(gaps, key=lambda one: float(gaps[one]["smaller"].max()))
    return _difference(says, wanted, name, int(gaps[name]["smaller"].argmax()))


def _difference(says: Mapping[str, Tensor], wanted: Mapping[str, Tensor], name: str, row: int) -> Difference:
    return Difference(row, name, _shown(says[name][row]), _shown(wanted[name][row]))


def _shown(value: Any) -> str:
    return one_line(value.tolist() if hasattr(value, "tolist") else value, length=100)
