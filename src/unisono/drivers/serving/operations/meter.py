"""Who is told of each request that has its response: metrics, the access log, traces."""

from __future__ import annotations

from collections.abc import Container, Sequence
from typing import Protocol

from unisono.drivers.serving.calls import Call
from unisono.drivers.serving.exchange import Request, Response

PROTOCOLS = ("predict", "features", "v2", "grpc", "other")
"""How requests come in: the first part of their paths, or gRPC."""


def about(path: str, names: Container[str]) -> str:
    """The predictor that a path is about; "" if it is none of these names.

    >>> about("/v2/models/late/infer", ["late"]), about("/predict/unknown", ["late"])
    ('late', '')
    """
    return next((part for part in path.split("/")[2:] if part in names), "")


class Meter(Protocol):
    """Told of each request that has its response. It must not wait, and it raises nothing."""

    def answered(self, protocol: str, request: Request, response: Response, call: Call | None, version: str) -> None:
        """A request has its response, or its refusal.

        protocol: one of PROTOCOLS.
        call:     with what its stages took; None if it was refused before there was one.
        version:  id of the version that answered; "" for a refusal.
        """
        ...


class NoMeter:
    """Nobody wants to know."""

    def answered(self, protocol: str, request: Request, response: Response, call: Call | None, version: str) -> None:
        """See `Meter`."""


class Meters:
    """Several, told one after the other.

    meters: in order.
    """

    def __init__(self, meters: Sequence[Meter]) -> None:
        self._meters = meters

    def answered(self, protocol: str, request: Request, response: Response, call: Call | None, version: str) -> None:
        """See `Meter`."""
        for meter in self._meters:
            meter.answered(protocol, request, response, call, version)
