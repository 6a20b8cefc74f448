"""`POST /predict/NAME`: a request, or a list of requests, as JSON; the answer says version, position and time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from unisono.drivers.serving.calls import Answered
from unisono.drivers.serving.exchange import Response

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ENCODER = msgspec.json.Encoder()


def encode_one(answered: Answered) -> Response:
    """The answer to one request. A prediction that is not a number is null."""
    return Response(
        200,
        _ENCODER.encode(
            {
                "prediction": {name: values[0].tolist() for name, values in answered.outputs.items()},
                "version": answered.version,
                "position": answered.position,
                "time": _text_of(answered.times[0]),
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
                "times": [_text_of(time) for time in answered.times],
            }
        ),
    )


def _text_of(time: int) -> datetime:
    """An instant, which the encoder writes as RFC 3339."""
    return _EPOCH + timedelta(microseconds=time)
