"""One of the two models of a report, as it would be deployed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from unisono.models import PredictorGraph


@dataclass(frozen=True, slots=True)
class Candidate:
    """A model as it would be deployed.

    graph:      of the predictor, transforms and all.
    files:      of its artifact, by name.
    runtime:    what is to run it; None: the quickest that can.
    numeric_class: exact or bounded, as measured.
    parameters: numbers that were learnt, if something knows better than the graph; None: those of the graph.
    """

    graph: PredictorGraph
    files: Mapping[str, bytes] = field(repr=False)
    runtime: str | None
    numeric_class: str
    parameters: int | None = None
