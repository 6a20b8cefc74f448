"""Requests as JSON: decoded once, strictly, into the rows that keys and graph take."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import MAX_EMAX, MAX_PREC, MIN_EMIN, Context
from decimal import Decimal as Number
from typing import Annotated, Any

import msgspec
import numpy as np
from msgspec import Meta

from unisono.drivers.online.plan import OnlinePlan
from unisono.drivers.scores import Row, Value
from unisono.models.tensors import ELEMENTS
from unisono.spec.durations import is_time
from unisono.spec.errors import InputError
from unisono.spec.types import Decimal, DType, Tensor
from unisono.spec.wording import listing

_INT64 = Annotated[int, Meta(ge=-(2**63) + 1, le=2**63 - 1)]
_TYPES: Mapping[str, Any] = {
    "String": str,
    "Int64": _INT64,
    "Float64": float,
    "Bool": bool,
    "Timestamp": Annotated[datetime, Meta(tz=True)],
    "Decimal": Number,
}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_EXACT = Context(prec=MAX_PREC, Emin=MIN_EMIN, Emax=MAX_EMAX)  # the usual one rounds to 28 digits


# Beyond these a float64 rounds to an infinity: half a step above the largest float32, and the largest float64.
_MOST = {"Float32": 3.4028235677973366e38, "Float64": 1.7976931348623157e308}


def _json_type(dtype: DType) -> Any:
    """What a value of a dtype is in JSON."""
    if not isinstance(dtype, Tensor):
        return _TYPES[dtype.name]
    kind = _element_type(dtype.element)
    for side in reversed(dtype.shape):
        kind = Annotated[list[kind], Meta(min_length=side, max_length=side)]  # type: ignore[valid-type]  # made here
    return kind


def _element_type(element: str) -> Any:
    if element == "Float64":
        return Annotated[float, Meta(ge=-_MOST[element], le=_MOST[element])]
    if element == "Float32":
        return Annotated[float, Meta(gt=-_MOST[element], lt=_MOST[element])]
    limits: Any = np.iinfo(np.dtype(ELEMENTS[element]))
    return Annotated[int, Meta(ge=int(limits.min), le=int(limits.max))]


class RequestDecoder:
    """Decodes the requests of one predictor.

    A request is a JSON object with every request column and no other field. A key column or a Tensor is never null, any
    other may be; the time column may be left out. Timestamps are RFC 3339 with a zone; decimals are numbers or strings;
    a Tensor is nested lists of its shape, with finite numbers in its range.
    """

    def __init__(self, plan: OnlinePlan) -> None:
        self._plan = plan
        fields = [self._field(name, dtype) for name, dtype in plan.columns.items()]
        struct: Any = msgspec.defstruct("Request", fields, forbid_unknown_fields=True, kw_only=True, gc=False)
        self._one = msgspec.json.Decoder(struct)
        self._some = msgspec.json.Decoder(struct | Annotated[list[struct], Meta(min_length=1)])
        self._converters = [
            (place, self._converter(name, dtype))
            for place, (name, dtype) in enumerate(plan.columns.items())
            if dtype.name in ("Timestamp", "Decimal", "Tensor")
        ]

    def _field(self, name: str, dtype: DType) -> Any:
        if name == self._plan.time:
            return (name, _TYPES[dtype.name] | None, None)
        kind = _json_type(dtype)
        return (name, kind if name in self._plan.keys or isinstance(dtype, Tensor) else kind | None)

    def decode(self, body: bytes) -> Row:
        """The values in the order of the predictor's columns; see `scores.Value`. A time left out is None.

        Raises InputError that names the field.
        """
        return self._row(self._parse(self._one, body))

    def decode_some(self, body: bytes) -> tuple[list[Row], bool]:
        """The rows of a body with a request or a list of requests, and whether it is a list. Raises InputError."""
        found = self._parse(self._some, body)
        return ([self._row(one) for one in found], True) if isinstance(found, list) else ([self._row(found)], False)

    def _parse(self, decoder: msgspec.json.Decoder[Any], body: bytes) -> Any:
        try:
            return decoder.decode(body)
        except UnicodeDecodeError as error:
            raise self._error(f"not UTF-8 ({error.reason} at byte {error.start})", "JSON in UTF-8") from error
        except (msgspec.DecodeError, RecursionError) as error:
            raise self._error(str(error), self._allowed()) from error

    def _row(self, request: Any) -> Row:
        row = msgspec.structs.astuple(request)
        if not self._converters:
            return row
        values = list(row)
        for place, convert in self._converters:
            if values[place] is not None:
                values[place] = convert(values[place])
        return tuple(values)

    def _converter(self, name: str, dtype: DType) -> Callable[[Any], Value]:
        if isinstance(dtype, Decimal):
            return lambda value: self.digits(name, dtype, value)
        if isinstance(dtype, Tensor):
            element = ELEMENTS[dtype.element]
            return lambda value: np.array(value, element)
        return lambda value: self.instant(name, value)

    def instant(self, name: str, value: datetime) -> int:
        """An instant in microseconds since 1970, UTC. Raises InputError that names the column `name`."""
        time = (value - _EPOCH) // _MICROSECOND
        if not is_time(time):
            raise self._error(f"{name}: {value} is out of range", "the years 1 to 9999")
        return time

    def digits(self, name: str, dtype: Decimal, value: Number) -> int:
        """A number in the last places of its dtype. Raises InputError that names the column, if it has more places."""
        fits = value.is_finite() and value.adjusted() < 19 - dtype.places
        digits = value.scaleb(dtype.places, _EXACT) if fits else Number("NaN")
        if not fits or digits != digits.to_integral_value() or abs(digits) >= 2**63:
            raise self._error(f"{name}: {value}", f"{dtype}: at most {dtype.places} decimal places, 18 digits")
        return int(digits)

    def _error(self, seen: str, allowed: str) -> InputError:
        return InputError(f"request to {self._plan.name}: {seen}; allowed: {allowed}; correct the request")

    def _allowed(self) -> str:
        columns = [f"{name}: {dtype}" for name, dtype in self._plan.columns.items() if name != self._plan.time]
        return f"a JSON object with {listing(columns)}, and {self._plan.time}: Timestamp if you like"
