"""What other machines may say: the numeric class of a graph, by its operators and by running it in other ways."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from unisono.models.rows import mixed_rows
from unisono.models.session import Session, Setting
from unisono.models.verifying.classes import NumericClass
from unisono.models.verifying.differences import Comparison, compare
from unisono.models.verifying.reordered import reordered
from unisono.spec.errors import ModelError
from unisono.spec.progress import Progress, no_progress

Tensor = NDArray[Any]
OPTIMISATIONS = (Setting("none"), Setting("extended"), Setting("all"))
"""Ways to run a graph that leave the bits of an exact one as they are."""

REARRANGED = (Setting("all", threads=2),)
"""A way that may add up in another order, as another machine would; our sessions have one thread, since even the trees
of an exact graph are added up in another order by two."""

_BATCHED_ROWS = 500  # rows whose answers are tried in batches of other sizes
_ROWS_ONE_BY_ONE = 24  # of a graph that is run row by row, such as a language model
_MARGIN = 8  # other machines rearrange sums in more ways than one machine can show
_FLOOR_ULPS = 16


@dataclass(frozen=True, slots=True)
class Machines:
    """How a graph's answers depend on where it runs.

    numeric_class: exact: every machine gives the same bits; bounded: they may differ by `bound`.
    bound:         absolute or relative difference of a number, whichever is smaller; 0 for exact.
    max_gap, max_ulp: what was measured here between the ways to run it.
    operators:     those whose bits nobody fixes; none in an exact graph.
    rows:          tried.
    settings:      ways to run it that were tried, ours among them.
    """

    numeric_class: NumericClass
    bound: float
    max_gap: float
    max_ulp: int
    operators: tuple[str, ...]
    rows: int
    settings: tuple[str, ...]


def measure(
    graph: bytes, feeds: Mapping[str, Tensor], operators: tuple[str, ...], *, progress: Progress = no_progress
) -> Machines:
    """Runs a graph in several ways on some rows, and decides its numeric class.

    feeds:     inputs of `Session.answer`, one row or more.
    operators: what `unsure_operators` says of the graph.

    Raises ModelError if a row's answer depends on the batch it comes in.
    """
    session = Session(graph)
    if not session.one_by_one:
        _refuse_mixed(graph, {name: one[:_BATCHED_ROWS] for name, one in feeds.items()})
    chosen = {name: one[:_ROWS_ONE_BY_ONE] for name, one in feeds.items()} if session.one_by_one else feeds
    ours = session.answer(chosen)
    # One after the other: a graph may be large.
    found: dict[str, Comparison] = {}
    for name, way in _ways(graph, rearranged=bool(operators)):
        progress(f"verifying: setting {name}", 0, None)
        found[name] = compare(way.answer(chosen), ours)
    is_exact = not operators and not any(one.differs for one in found.values())
    gap = max(one.max_gap for one in found.values())
    return Machines(
        numeric_class="exact" if is_exact else "bounded",
        bound=0.0 if is_exact else _bound(gap, operators, ours),
        max_gap=gap,
        max_ulp=max(one.max_ulp for one in found.values()),
        operators=operators,
        rows=len(next(iter(ours.values()))),
        settings=("basic", *found),
    )


def _ways(graph: bytes, *, rearranged: bool) -> Iterator[tuple[str, Session]]:
    """Other ways to run a graph, each with its name; rearranged: also those that add up in another order."""
    for setting in (*OPTIMISATIONS, *(REARRANGED if rearranged else ())):
        yield _named(setting), Session(graph, setting=setting)
    turned = reordered(onnx.load_model_from_string(graph)) if rearranged else None
    if turned is not None:
        yield "sums backwards", Session(turned.SerializeToString())


def _refuse_mixed(graph: bytes, feeds: dict[str, Tensor]) -> None:
    problem = mixed_rows(graph, feeds=feeds)
    if problem is not None:
        raise ModelError(f"graph: {problem}; allowed: the same bits in every batch; report it with the model")


def _bound(gap: float, operators: Sequence[str], outputs: Mapping[str, Tensor]) -> float:
    """A margin over what was measured, and never less than some units in the last place of the numbers inside."""
    is_narrow = sums_float32(operators) or any(one.dtype == np.float32 for one in outputs.values())
    floor = _FLOOR_ULPS * float(np.finfo(np.float32 if is_narrow else np.float64).eps)
    return max(_MARGIN * gap if np.isfinite(gap) else 0.0, floor)


def sums_float32(operators: Sequence[str]) -> bool:
    """Whether one of the operators that nobody fixes computes in fewer digits than float64 has."""
    return any(not one.endswith("DOUBLE") for one in operators)


def _named(setting: Setting) -> str:
    return setting.optimisation if setting.threads == 1 else f"{setting.optimisation}, {setting.threads} threads"
