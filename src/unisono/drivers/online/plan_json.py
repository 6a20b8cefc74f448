"""An online plan as JSON, so that it can be given to another process."""

from __future__ import annotations

import msgspec

from unisono.drivers.online.plan import OnlinePlan, OnlineView
from unisono.spec.types import parse_dtype


class PlanJson(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An OnlinePlan; its dtypes as text."""

    name: str
    columns: dict[str, str]
    time: str
    features: tuple[str, ...]
    views: tuple[OnlineView, ...]


def plan_json(plan: OnlinePlan) -> PlanJson:
    """A plan, ready to be written."""
    columns = {name: str(dtype) for name, dtype in plan.columns.items()}
    return PlanJson(plan.name, columns, plan.time, plan.features, plan.views)


def plan_from(read: PlanJson) -> OnlinePlan:
    """The plan that was written. Raises DefinitionError for a dtype that there is not."""
    columns = {name: parse_dtype(text) for name, text in read.columns.items()}
    return OnlinePlan(read.name, columns, read.time, read.features, read.views)
