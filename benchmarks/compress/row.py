"""What a row of the benchmark gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from unisono.compress.report.document import ReportJson, Side


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Of one model.

    accuracy:   share of the test rows that are right (or what the row says it is), with its interval of 95 %.
    size_bytes: of the artifact; of a peer's model of its files.
    parameters: numbers that were learnt.
    latency_ms: median of one row at a time, one thread.
    worst_slice_change: points of 100 against the original, in the slice that lost most; None of the original.
    """

    accuracy: float
    accuracy_low: float
    accuracy_high: float
    size_bytes: int
    parameters: int
    latency_ms: float
    worst_slice_change: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What is asked of a row.

    name:   what is compared.
    value:  what was measured.
    wanted: the limit.
    is_met: whether it holds.
    """

    name: str
    value: float
    wanted: str
    is_met: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A row.

    original, result: the two sides.
    peers:   other tools, other methods and other models on the same work, by name.
    targets: what is asked of it.
    notes:   what a reader has to know: sizes of the data, choices, what is not comparable.
    """

    row: str
    original: Figures
    result: Figures
    peers: Mapping[str, Figures] = field(default_factory=dict)
    targets: tuple[Target, ...] = ()
    notes: tuple[str, ...] = ()

    def document(self) -> dict[str, object]:
        """As JSON has it."""
        return asdict(self)


def at_least(name: str, value: float, limit: float) -> Target:
    """A target that is met from a limit on."""
    return Target(name=name, value=round(value, 4), wanted=f"at least {limit:g}", is_met=value >= limit)


def at_most(name: str, value: float, limit: float) -> Target:
    """A target that is met up to a limit."""
    return Target(name=name, value=round(value, 4), wanted=f"at most {limit:g}", is_met=value <= limit)


def figures(side: Side, report: ReportJson | None = None) -> Figures:
    """Of one side of a report.

    report: of the result: its worst slice; None: this is the original.
    """
    worst = None if report is None else report.worst_slice
    return Figures(
        accuracy=side.accuracy.value,
        accuracy_low=side.accuracy.low,
        accuracy_high=side.accuracy.high,
        size_bytes=side.size_bytes,
        parameters=side.parameters,
        latency_ms=side.latency.median.value,
        worst_slice_change=None if worst is None else worst.change.value,
    )


def sides(report: ReportJson) -> tuple[Figures, Figures]:
    """Original and result of a report."""
    return figures(report.original), figures(report.result, report)
