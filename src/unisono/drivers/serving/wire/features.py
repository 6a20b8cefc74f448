"""`POST /features/NAME`: what is known about a request, or about each of a list of requests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np

from unisono.drivers.online.reading import Known
from unisono.drivers.serving.exchange import Response
from unisono.drivers.serving.wire.instants import datetime_of
from unisono.kernel import nulls

_ENCODER = msgspec.json.Encoder()


def encode_known(names: Sequence[str], known: Known, *, is_list: bool) -> Response:
    """Names and values of the features, in the order of the matrix that the model gets.

    A null is null; what JSON has no number for is "NaN", "Infinity" or "-Infinity".
    """
    rows = [dict(zip(names, values, strict=True)) for values in _values(known)]
    times = [datetime_of(time) for time in known.times]
    body: Mapping[str, object] = (
        {"features": rows, "position": known.position, "times": times}
        if is_list
        else {"features": rows[0], "position": known.position, "time": times[0]}
    )
    return Response(200, _ENCODER.encode(body))


def _values(known: Known) -> list[list[float | str | None]]:
    values: list[list[float | str | None]] = known.features.tolist()
    for row, place in np.argwhere(~np.isfinite(known.features)).tolist():
        number = known.features[row, place]
        values[row][place] = "NaN" if np.isnan(number) else "Infinity" if number > 0 else "-Infinity"
    for row, place in np.argwhere(nulls(known.features)).tolist():
        values[row][place] = None
    return values
