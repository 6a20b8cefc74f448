"""What it takes to answer a predictor's requests, as data: no definition's code, no transform to trace."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from unisono.kernel import Plan
from unisono.spec.types import DType
from unisono.store.states import ViewIdentity

if TYPE_CHECKING:  # a process that only answers compiles no view
    from unisono.drivers.predictors import ReadyPredictor


@dataclass(frozen=True, slots=True)
class OnlineView:
    """A view whose states are read.

    name:     the view's.
    key:      the request columns that are its key.
    plan:     what the kernel computes.
    identity: what its states are folded with.
    """

    name: str
    key: tuple[str, ...]
    plan: Plan
    identity: ViewIdentity


@dataclass(frozen=True, slots=True)
class OnlinePlan:
    """How a predictor's requests are read and looked up.

    name:     the predictor's.
    columns:  of a request, in order, with dtypes; the time is among them.
    time:     the column with the request's own time, which may be left out.
    features: names of all features, view by view: the columns of the feature matrix.
    views:    whose features they are.
    """

    name: str
    columns: Mapping[str, DType]
    time: str
    features: tuple[str, ...]
    views: tuple[OnlineView, ...]

    @property
    def keys(self) -> frozenset[str]:
        """The columns that are never null since they are part of a key."""
        return frozenset(column for view in self.views for column in view.key)

    @property
    def identities(self) -> Mapping[str, ViewIdentity]:
        """What the states of each view are folded with."""
        return {view.name: view.identity for view in self.views}


def plan_of(ready: ReadyPredictor) -> OnlinePlan:
    """The plan of a predictor that is traced and compiled."""
    views = tuple(
        OnlineView(view.name, tuple(view.plan.view.key), view.plan.plan, ready.identities[view.name])
        for view in ready.views
    )
    return OnlinePlan(ready.name, ready.spec.columns, ready.spec.time, ready.feature_names, views)
