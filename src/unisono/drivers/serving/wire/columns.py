"""The inputs of a predictor in the Open Inference Protocol: one a request column, turned into rows.

`COLUMN.null` says which of a column's values are missing. The time's column may be left out. `features` brings the
features, which are then not looked up.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal as Number
from typing import Annotated, Any

import msgspec
import numpy as np
from msgspec import Meta
from msgspec.structs import replace

from unisono.drivers.online.plan import OnlinePlan
from unisono.drivers.online.requests import RequestDecoder
from unisono.drivers.scores import Matrix, Row
from unisono.drivers.serving.repository import Form
from unisono.drivers.serving.wire.datatypes import BYTES, datatype_of_column, fits
from unisono.drivers.serving.wire.tensors import InputTensor, tensor_error
from unisono.kernel import with_nulls
from unisono.models.tensors import ELEMENTS
from unisono.spec.durations import is_time
from unisono.spec.errors import InputError
from unisono.spec.types import Decimal, DType, Tensor
from unisono.spec.wording import listing, quoted

FEATURES = "features"
"""The input that brings the features; a column of this name comes before it."""
MAX_ROWS = 1 << 20

_NULL = ".null"
_Values = list[Any]
_Instant = Annotated[datetime, Meta(tz=True)]


class RequestColumns:
    """Turns the tensors of a request to one predictor into rows.

    plan:    of the predictor.
    decoder: of its requests as JSON, for values that come as text.
    """

    def __init__(self, plan: OnlinePlan, decoder: RequestDecoder) -> None:
        self.plan = plan
        self._decoder = decoder
        self._converters = [(name, name + _NULL, self._converter(dtype)) for name, dtype in plan.columns.items()]
        self._never_null = plan.keys | {name for name, dtype in plan.columns.items() if isinstance(dtype, Tensor)}
        nullable = [name + _NULL for name in plan.columns if name not in self._never_null]
        self._brings_features = bool(plan.features) and FEATURES not in plan.columns
        given = [FEATURES, FEATURES + _NULL] if self._brings_features else []
        self._allowed = frozenset([*plan.columns, *nullable, *given])

    @property
    def forms(self) -> tuple[Form, ...]:
        """What each column's input looks like; the optional ones beside them are not among them."""
        return tuple(
            Form(name, datatype_of_column(dtype), (-1, *(dtype.shape if isinstance(dtype, Tensor) else ())))
            for name, dtype in self.plan.columns.items()
        )

    def rows(self, tensors: Sequence[InputTensor]) -> tuple[list[Row], Matrix | None]:
        """The rows, and the features if the request brings them. Raises InputError that names the input."""
        found = self._by_name(tensors)
        count = self._count(tensors)
        columns = [
            convert(found[name])
            if name in found and null not in found  # as most inputs are
            else self._column(found, name, convert, count)
            for name, null, convert in self._converters
        ]
        features = self._features(found, count) if self._brings_features and FEATURES in found else None
        return list(zip(*columns, strict=True)), features

    def _by_name(self, tensors: Sequence[InputTensor]) -> Mapping[str, InputTensor]:
        found = {tensor.name: tensor for tensor in tensors}
        for name in found:
            if name not in self._allowed:
                raise tensor_error(name, f"no such input of {self.plan.name}", listing(sorted(self._allowed)))
            if name.endswith(_NULL) and name.removesuffix(_NULL) not in found:
                raise tensor_error(name, "comes without its input", f"{name.removesuffix(_NULL)} beside it")
        if len(found) != len(tensors):
            raise self._error("an input comes twice", "each input once")
        return found

    def _count(self, tensors: Sequence[InputTensor]) -> int:
        if not tensors:
            raise self._error("no inputs", listing(f"{one.name}: {one.datatype}" for one in self.forms))
        count = tensors[0].shape[0]
        if not 1 <= count <= MAX_ROWS:
            raise tensor_error(tensors[0].name, f"{count} rows", f"1 to {MAX_ROWS}")
        for tensor in tensors:
            if tensor.shape[0] != count:
                raise tensor_error(tensor.name, f"{tensor.shape[0]} rows", f"{count}, as {tensors[0].name} has")
        return count

    def _column(
        self, found: Mapping[str, InputTensor], name: str, convert: Callable[[InputTensor], _Values], count: int
    ) -> _Values:
        """A column that is left out, or in which values are missing."""
        if name in found:
            return self._with_nulls(found[name], _bools(found[name + _NULL]), convert)
        if name == self.plan.time:
            return [None] * count
        raise self._error(f"no input {name}", listing(f"{one.name}: {one.datatype}" for one in self.forms))

    def _with_nulls(
        self, tensor: InputTensor, nulls: Sequence[bool], convert: Callable[[InputTensor], _Values]
    ) -> _Values:
        """Values under a null are not looked at: they may be anything that fits the datatype."""
        values = _scalars(tensor)
        kept = [value for value, null in zip(values, nulls, strict=True) if not null]
        known = iter(convert(replace(tensor, shape=(len(kept),), values=kept)) if kept else ())
        return [None if null else next(known) for null in nulls]

    def _features(self, found: Mapping[str, InputTensor], count: int) -> Matrix:
        tensor = found[FEATURES]
        shape = (count, len(self.plan.features))
        if tensor.datatype != "FP64" or tensor.shape != shape:
            raise _misfit(tensor, f"FP64 {list(shape)}: one number a feature of {self.plan.name}")
        features = np.array(tensor.values, np.float64).reshape(shape)
        nulls = found.get(FEATURES + _NULL)
        if nulls is not None:
            if nulls.shape != shape or nulls.datatype != "BOOL":
                raise _misfit(nulls, f"BOOL {list(shape)}")
            return with_nulls(features, np.array(nulls.values, np.bool_).reshape(shape))
        return features

    # Values -----------------------------------------------------------------------------------------------------------

    def _converter(self, dtype: DType) -> Callable[[InputTensor], _Values]:
        if isinstance(dtype, Tensor):
            return lambda tensor: _tensors(tensor, dtype)
        if isinstance(dtype, Decimal):
            return lambda tensor: self._decimals(tensor, dtype)
        if dtype.name == "Timestamp":
            return self._instants
        return _SCALARS[dtype.name]

    def _instants(self, tensor: InputTensor) -> _Values:
        if tensor.datatype == BYTES:
            return [self._instant(tensor.name, text) for text in _texts(tensor)]
        values = _whole(tensor, "INT64: microseconds since 1970, UTC; or BYTES: RFC 3339 with a zone")
        for value in values:
            if not is_time(value):
                raise tensor_error(tensor.name, f"{value} microseconds", "the years 1 to 9999")
        return values

    def _instant(self, name: str, text: str) -> int:
        try:
            return self._decoder.instant(name, msgspec.convert(text, _Instant))
        except msgspec.ValidationError as error:
            raise tensor_error(name, str(error), "RFC 3339 with a zone") from error

    def _decimals(self, tensor: InputTensor, dtype: Decimal) -> _Values:
        if tensor.datatype == BYTES:
            numbers = [_number(tensor.name, text) for text in _texts(tensor)]
        elif tensor.datatype == "FP64":  # the shortest decimal that is read as this float
            numbers = [Number(repr(value)) for value in _scalars(tensor)]
        else:
            numbers = [Number(value) for value in _whole(tensor, "FP64; a datatype that fits into INT64; BYTES")]
        return [self._decoder.digits(tensor.name, dtype, number) for number in numbers]

    def _error(self, seen: str, allowed: str) -> InputError:
        return InputError(f"request to {self.plan.name}: {seen}; allowed: {allowed}; correct the request")


def _misfit(tensor: InputTensor, allowed: str) -> InputError:
    return tensor_error(tensor.name, f"{tensor.datatype} {list(tensor.shape)[:8]}", allowed)


def _scalars(tensor: InputTensor) -> _Values:
    """The values of a column with one a row. Its shape is [rows], or [rows, 1] as some clients have it."""
    if tensor.shape[1:] not in ((), (1,)):
        raise _misfit(tensor, f"shape [{tensor.shape[0]}]")
    return tensor.plain()


def _whole(tensor: InputTensor, allowed: str) -> _Values:
    if not fits(tensor.datatype, "INT64"):
        raise _misfit(tensor, allowed)
    values = _scalars(tensor)
    if min(values) == -(2**63):
        raise tensor_error(tensor.name, str(-(2**63)), f"{-(2**63) + 1} or above")
    return values


def _integers(tensor: InputTensor) -> _Values:
    return _whole(tensor, "INT64, or a datatype that fits into it")


def _floats(tensor: InputTensor) -> _Values:
    if not fits(tensor.datatype, "FP64"):
        raise _misfit(tensor, "FP64, or a datatype that fits into it")
    values = _scalars(tensor)
    return values if tensor.datatype.startswith("FP") else [float(value) for value in values]


def _bools(tensor: InputTensor) -> _Values:
    if tensor.datatype != "BOOL":
        raise _misfit(tensor, "BOOL")
    return _scalars(tensor)


def _texts(tensor: InputTensor) -> list[str]:
    if tensor.datatype != BYTES:
        raise _misfit(tensor, "BYTES")
    try:
        return [value if isinstance(value, str) else value.decode() for value in _scalars(tensor)]
    except UnicodeDecodeError as error:
        raise tensor_error(tensor.name, f"not UTF-8 ({error.reason} at byte {error.start})", "text in UTF-8") from error


def _number(name: str, text: str) -> Number:
    try:
        return msgspec.convert(text, Number)
    except msgspec.ValidationError as error:
        raise tensor_error(name, f"{quoted(text)} is no number", "a decimal number as text") from error


def _tensors(tensor: InputTensor, dtype: Tensor) -> _Values:
    shape, wanted = (tensor.shape[0], *dtype.shape), datatype_of_column(dtype)
    if tensor.shape != shape or not fits(tensor.datatype, wanted):
        raise _misfit(tensor, f"{wanted} {list(shape)}")
    values = np.array(tensor.values, ELEMENTS[dtype.element]).reshape(shape)
    if dtype.element.startswith("Float") and not np.isfinite(values).all():
        raise tensor_error(tensor.name, "a number that is not finite", "finite numbers")
    return list(values)


_SCALARS: Mapping[str, Callable[[InputTensor], _Values]] = {
    "String": _texts,
    "Int64": _integers,
    "Float64": _floats,
    "Bool": _bools,
}
