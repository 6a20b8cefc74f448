"""Numeric classes: what is allowed to differ between two machines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

NumericClass = Literal["exact", "bounded"]


@dataclass(frozen=True, slots=True)
class Tolerance:
    """How far answers may be from those of the machine that registered the version.

    bound: of a number, absolute or relative, whichever is smaller; 0: every bit is equal.
    """

    bound: float

    @property
    def numeric_class(self) -> NumericClass:
        """exact, if nothing may differ."""
        return "exact" if self.bound == 0 else "bounded"


EXACT = Tolerance(0.0)
