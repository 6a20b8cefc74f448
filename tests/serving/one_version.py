"""A predictor that is served by one version, which never changes."""

from __future__ import annotations

from unisono.drivers.online.plan import OnlinePlan
from unisono.drivers.online.requests import RequestDecoder
from unisono.drivers.serving.calls import Call
from unisono.drivers.serving.lane import Lane
from unisono.drivers.serving.lanes import Lanes


class OneVersion:
    """A predictor of which one version is loaded.

    plan:  of the predictor.
    lane:  of the version.
    lanes: all of the worker.
    """

    def __init__(self, plan: OnlinePlan, lane: Lane, lanes: Lanes) -> None:
        self.plan = plan
        self.decoder = RequestDecoder(plan)
        self._lane = lane
        self._lanes = lanes

    def submit(self, call: Call) -> None:
        """Let a call wait for the version. Raises RefusalError."""
        self._lanes.submit(self._lane, call)
