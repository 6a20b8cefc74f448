"""Golden rows: a few inputs with the bits of their answers, kept with a version and tried wherever it is loaded."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from unisono.models.ragged import is_ragged, ragged
from unisono.models.session import Session
from unisono.spec.errors import ModelError
from unisono.spec.wording import one_line

Tensor = NDArray[Any]

FORMAT = 1
_ROWS = 64
_KINDS = {
    "float64": np.float64,
    "float32": np.float32,
    "int64": np.int64,
    "int32": np.int32,
    "uint8": np.uint8,
    "bool": np.bool_,
    "string": object,
    "tokens": object,
}


class _Column(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """An array as text: floats as hexadecimal, so that every bit is kept and can be read; tokens a list a row."""

    name: str
    kind: str
    shape: list[int]
    values: list[str | int | bool | list[int]]


class _Document(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    format: int
    inputs: list[_Column]
    outputs: list[_Column]


@dataclass(frozen=True, slots=True)
class GoldenRows:
    """Some rows and what the graph answers to them.

    inputs:  input name -> array; `features` among them.
    outputs: output name -> array.
    """

    inputs: Mapping[str, Tensor]
    outputs: Mapping[str, Tensor]

    @property
    def rows(self) -> int:
        """How many."""
        return len(next(iter(self.outputs.values())))

    def to_bytes(self) -> bytes:
        """As JSON that `from_bytes` reads; the same bytes for the same rows."""
        document = _Document(FORMAT, _columns(self.inputs), _columns(self.outputs))
        return msgspec.json.encode(document)

    @classmethod
    def from_bytes(cls, data: bytes) -> GoldenRows:
        """What to_bytes wrote. Raises ModelError for anything else."""
        try:
            document = msgspec.json.decode(data, type=_Document)
            if document.format != FORMAT:
                raise ValueError(f"format {document.format}")
            return cls(_arrays(document.inputs), _arrays(document.outputs))
        except (msgspec.MsgspecError, ValueError, KeyError, TypeError, OverflowError) as error:
            raise ModelError(
                f"golden rows: {one_line(error)}; allowed: a document of format {FORMAT}; register the model again"
            ) from error


def choose_golden(session: Session, features: NDArray[np.float64], request: Mapping[str, Tensor]) -> GoldenRows:
    """Some of the rows, spread over all of them, with their answers; and one in which every feature is null.

    features, request: as `Session.run` takes them.
    """
    count = min(_ROWS, len(features))
    chosen = np.unique(np.linspace(0, len(features) - 1, count).astype(np.int64)) if count else np.empty(0, np.int64)
    inputs = {name: np.ascontiguousarray(one[chosen]) for name, one in session.feeds(features, request).items()}
    if count and "features" in inputs:
        inputs["features"][-1] = np.nan
    return GoldenRows(inputs, session.answer(inputs))


def _columns(arrays: Mapping[str, Tensor]) -> list[_Column]:
    return [_Column(name, _kind(one), list(one.shape), _texts(one)) for name, one in arrays.items()]


def _kind(array: Tensor) -> str:
    if array.dtype != object:
        return str(array.dtype)
    return "tokens" if is_ragged(array) else "string"


def _texts(array: Tensor) -> list[str | int | bool | list[int]]:
    if is_ragged(array):
        return [row.tolist() for row in array]
    flat: list[Any] = array.reshape(-1).tolist()
    return [_hexadecimal(number) for number in flat] if array.dtype.kind == "f" else flat


def _hexadecimal(number: float) -> str:
    """All of its bits, without the zeros at the end.

    >>> _hexadecimal(2.5), _hexadecimal(0.1), _hexadecimal(-0.0)
    ('0x1.4p+1', '0x1.999999999999ap-4', '-0x0p+0')
    """
    digits, mark, exponent = number.hex().partition("p")
    return digits.rstrip("0").rstrip(".") + mark + exponent if mark else digits


def _arrays(columns: Sequence[_Column]) -> dict[str, Tensor]:
    return {column.name: _array(column) for column in columns}


def _array(column: _Column) -> Tensor:
    if math.prod(column.shape) != len(column.values):
        raise ValueError(f"{column.name}: {len(column.values)} values for the shape {column.shape}")
    kind = _KINDS[column.kind]
    is_float = column.kind.startswith("float")
    wanted = _wanted(column.kind, kind)
    if not all(type(one) is wanted for one in column.values):
        raise ValueError(f"{column.name}: values of another kind than {column.kind}")
    if column.kind == "tokens":
        return ragged([np.array(one, np.int64) for one in column.values])
    values = [float.fromhex(str(one)) for one in column.values] if is_float else column.values
    return np.array(values, dtype=kind).reshape(column.shape)


def _wanted(name: str, kind: Any) -> type:
    """What a value has to be."""
    if name == "tokens":
        return list
    if kind is object or name.startswith("float"):
        return str
    return bool if kind is np.bool_ else int
