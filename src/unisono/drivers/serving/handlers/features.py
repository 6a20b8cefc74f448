"""`POST /features/NAME`: what the model would see."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from unisono.drivers.online.reading import Known
from unisono.drivers.scores import Row
from unisono.drivers.serving.exchange import Reply, Request, Response
from unisono.drivers.serving.operations.meter import Meter
from unisono.drivers.serving.refusals import RefusalError, problem
from unisono.drivers.serving.security.gate import Gate
from unisono.drivers.serving.service import Path, require
from unisono.drivers.serving.versions.catalogue import Catalogue
from unisono.drivers.serving.wire.compression import body_of, compressed
from unisono.drivers.serving.wire.features import encode_known

MAX_ROWS = 1000
"""Of one body: they are looked up at once, while nothing else is answered."""


class Knows(Protocol):
    """Knows the features of one predictor; see `online.reading.Lookup`."""

    def known(self, rows: Sequence[Row]) -> Known:
        """What is known about some requests. Raises InputError, and StoreError or StateError if the states are away."""
        ...


class FeaturesHandler:
    """Features by the name of their predictor.

    catalogue:  what is served.
    lookups:    of the features of each predictor, by name.
    gate:       asked before anything is done for a request.
    meter:      told of each answer.
    most_bytes: largest body, also once it is inflated.
    """

    what = "POST /features/NAME"

    def __init__(
        self, catalogue: Catalogue, lookups: Mapping[str, Knows], gate: Gate, meter: Meter, *, most_bytes: int
    ) -> None:
        self._catalogue = catalogue
        self._lookups = lookups
        self._gate = gate
        self._meter = meter
        self._most_bytes = most_bytes

    def handle(self, request: Request, path: Path, reply: Reply) -> None:
        """Answer at once. Raises RefusalError, InputError, StateError or StoreError if the states are away."""
        name = "/".join(path[1:])
        self._gate.admit(request, "predict", name)
        served = self._catalogue.predictor(name)
        require(request, "POST")
        rows, is_list = served.decoder.decode_some(body_of(request, most_bytes=self._most_bytes))
        if len(rows) > MAX_ROWS:
            raise RefusalError(
                "invalid_request", f"{len(rows)} requests; allowed: {MAX_ROWS} a body; send several bodies"
            )
        known = self._lookups[name].known(rows)
        response = compressed(encode_known(served.plan.features, known, is_list=is_list), request)
        reply(response)
        self._meter.answered("features", request, response, None, "")

    def refuse(self, refusal: RefusalError) -> Response:
        """A refusal as a problem."""
        return problem(refusal)
