"""In which order steps may stand."""

from __future__ import annotations

from typing import ClassVar

import pytest

from unisono.compress.kinds import Kind
from unisono.compress.steps.base import Stage, Step
from unisono.compress.steps.order import order_faults


class Student(Step, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Makes trees of anything."""

    NAME: ClassVar[str] = "student"
    TAKES: ClassVar[tuple[Kind, ...]] = ("torch", "ensemble", "graph")
    STAGE: ClassVar[Stage] = "student"

    def gives(self, kind: Kind) -> Kind:
        """Trees."""
        return "ensemble"


class Layers(Step, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Changes layers."""

    NAME: ClassVar[str] = "layers"
    TAKES: ClassVar[tuple[Kind, ...]] = ("torch",)
    STAGE: ClassVar[Stage] = "structure"


class Zeros(Step, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Makes zeros."""

    NAME: ClassVar[str] = "zeros"
    TAKES: ClassVar[tuple[Kind, ...]] = ("torch",)
    STAGE: ClassVar[Stage] = "weights"


class Again(Step, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Trains."""

    NAME: ClassVar[str] = "again"
    TAKES: ClassVar[tuple[Kind, ...]] = ("torch",)
    STAGE: ClassVar[Stage] = "recovery"


class Bits(Step, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Of a graph."""

    NAME: ClassVar[str] = "bits"
    TAKES: ClassVar[tuple[Kind, ...]] = ("graph",)
    STAGE: ClassVar[Stage] = "bits"


@pytest.mark.parametrize(
    "steps",
    [
        (Layers(), Again(), Zeros(), Again(), Bits()),
        (Again(), Layers(), Zeros()),
        (Student(),),
        (Bits(),),
        (),
    ],
)
def test_a_legal_order_has_no_faults(steps: tuple[Step, ...]) -> None:
    assert not list(order_faults(steps, "torch"))


@pytest.mark.parametrize(
    ("steps", "kind", "said"),
    [
        (
            (Zeros(), Layers()),
            "torch",
            "steps[1] layers: stands after zeros; allowed: before, since layers",
        ),
        (
            (Layers(), Student()),
            "torch",
            "steps[1] student: stands after layers; allowed: before, since another",
        ),
        ((Bits(), Again()), "torch", "steps[1] again: after bits the model is a graph; allowed: torch; move it before"),
        ((Student(), Layers()), "torch", "steps[1] layers: after student the model is an ensemble"),
        ((Layers(),), "graph", "steps[0] layers: the model is a graph; allowed: torch; give the fitted model"),
        ((Bits(), Student()), "graph", "steps[1] student: stands after bits"),
    ],
)
def test_an_illegal_order_is_said_with_the_reason(steps: tuple[Step, ...], kind: Kind, said: str) -> None:
    faults = list(order_faults(steps, kind))
    assert len(faults) == 1
    assert said in faults[0]
