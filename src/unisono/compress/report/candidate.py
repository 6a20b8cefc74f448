"""One of the two models of a report, as it would be deployed."""

from __future__ import annotations

from dataclasses import dataclass

from unisono.models import PredictorGraph


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A model as it would be deployed.

    graph:         of the predictor, transforms and all.
    size_bytes:    of its artifact.
    numeric_class: exact or bounded, as measured.
    runtime:       what is to run it; None: the quickest that can.
    """

    graph: PredictorGraph
    size_bytes: int
    numeric_class: str
    runtime: str | None = None
