"""What is served, by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from unisono.drivers.online.plan import OnlinePlan
from unisono.drivers.online.requests import RequestDecoder
from unisono.drivers.serving.calls import Call
from unisono.drivers.serving.refusals import RefusalError
from unisono.spec.wording import listing


class Served(Protocol):
    """One predictor that is served."""

    @property
    def plan(self) -> OnlinePlan:
        """How its requests are read and looked up."""
        ...

    @property
    def decoder(self) -> RequestDecoder:
        """Of its requests as JSON."""
        ...

    def submit(self, call: Call) -> None:
        """Let a call wait for the version that answers it. Raises RefusalError if it cannot be answered in time."""
        ...


class Catalogue:
    """The predictors that are served.

    served: by name.
    """

    def __init__(self, served: Mapping[str, Served]) -> None:
        self._served = served

    @property
    def names(self) -> tuple[str, ...]:
        """Of all that are served."""
        return tuple(self._served)

    def predictor(self, name: str) -> Served:
        """The predictor of a name. Raises RefusalError if there is none."""
        found = self._served.get(name)
        if found is None:
            raise RefusalError(
                "no_such_model",
                f"{name[:100]}: no such predictor is served; allowed: {listing(self._served)}; correct the address",
            )
        return found
