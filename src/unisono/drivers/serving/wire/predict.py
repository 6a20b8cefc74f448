"""`POST /predict/NAME`: a request, or a list of requests, as JSON; the answer says version, position and time."""

from __future__ import annotations

from typing import Any

import msgspec

from unisono.drivers.serving.calls import Answered
from unisono.drivers.serving.exchange import Response
from unisono.drivers.serving.wire.instants import datetime_of

_ENCODER = msgspec.json.Encoder()


def encode_one(answered: Answered) -> Response:
    """The answer to one request. A prediction that is not a number is null."""
    return Response(
        200,
        _ENCODER.encode(
            {
                "prediction": {name: values.tolist()[0] for name, values in answered.outputs.items()},
                "version": answered.version,
                "position": answered.position,
                "time": datetime_of(answered.times[0]),
            }
        ),
    )


def encode_some(answered: Answered) -> Response:
    """The answer to a list of requests, in their order."""
    columns = {name: values.tolist() for name, values in answered.outputs.items()}
    rows: list[dict[str, Any]] = [
        dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)
    ]
    return Response(
        200,
        _ENCODER.encode(
            {
                "predictions": rows,
                "version": answered.version,
                "position": answered.position,
                "times": [datetime_of(time) for time in answered.times],
            }
        ),
    )
