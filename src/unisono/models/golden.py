"""Golden rows: a few inputs with the bits of their answers, kept with a version and tried wherever it is loaded."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from unisono.models.session import Session, bits, same_bits
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
}


class _Column(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """An array as text: floats as hexadecimal, so that every bit is kept and can be read."""

    name: str
    kind: str
    shape: list[int]
    values: list[str | int | bool]


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


def check_golden(session: Session, golden: GoldenRows) -> None:
    """Runs the rows, all at once and one at a time. Raises ModelError that names the first row that differs."""
    wanted = [golden.outputs[name] for name in session.outputs if name in golden.outputs]
    if len(wanted) != len(session.outputs) or set(golden.inputs) != set(session.inputs):
        raise ModelError("golden rows: of another graph; allowed: those made with it; register the model again")
    for starts, length in (([0], golden.rows), (range(golden.rows), 1)):
        for start in starts:
            part = {name: one[start : start + length] for name, one in golden.inputs.items()}
            answers = list(session.answer(part).values())
            if not same_bits(answers, [one[start : start + length] for one in wanted]):
                raise _differs(session.outputs, answers, [one[start : start + length] for one in wanted], start)


def _differs(names: Sequence[str], says: Sequence[Tensor], wanted: Sequence[Tensor], start: int) -> ModelError:
    for name, one, other in zip(names, says, wanted, strict=True):
        unequal = (bits(one) != bits(other)) if one.dtype.kind == "f" else one != other
        rows = np.flatnonzero(unequal.reshape(len(one), -1).any(axis=1))
        if len(rows):
            row = int(rows[0])
            return ModelError(
                f"golden rows: row {start + row}, {name}: this machine says {one[row]!s}, the one that registered the "
                f"version {other[row]!s}; allowed: equal bits; the numeric class of this graph is not exact here"
            )
    return ModelError("golden rows: other shapes or types; allowed: equal bits; register the model again")


def _columns(arrays: Mapping[str, Tensor]) -> list[_Column]:
    return [_Column(name, _kind(one), list(one.shape), _texts(one)) for name, one in arrays.items()]


def _kind(array: Tensor) -> str:
    return "string" if array.dtype == object else str(array.dtype)


def _texts(array: Tensor) -> list[str | int | bool]:
    flat = array.reshape(-1).tolist()
    return [number.hex() for number in flat] if array.dtype.kind == "f" else flat


def _arrays(columns: Sequence[_Column]) -> dict[str, Tensor]:
    return {column.name: _array(column) for column in columns}


def _array(column: _Column) -> Tensor:
    if math.prod(column.shape) != len(column.values):
        raise ValueError(f"{column.name}: {len(column.values)} values for the shape {column.shape}")
    kind = _KINDS[column.kind]
    is_float = column.kind.startswith("float")
    wanted = str if is_float or kind is object else bool if kind is np.bool_ else int
    if not all(type(one) is wanted for one in column.values):
        raise ValueError(f"{column.name}: values of another kind than {column.kind}")
    values = [float.fromhex(str(one)) for one in column.values] if is_float else column.values
    return np.array(values, dtype=kind).reshape(column.shape)
