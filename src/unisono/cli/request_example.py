"""An example request to a served predictor."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import TYPE_CHECKING

from unisono.spec.errors import UnisonoError
from unisono.spec.types import DType, Tensor

if TYPE_CHECKING:
    from unisono.drivers.project import Project

_PLACEHOLDERS: Mapping[str, object] = {
    "String": "...",
    "Int64": 0,
    "Float64": 0.0,
    "Bool": False,
    "Timestamp": "2030-01-31T12:00:00Z",
    "Decimal": "0",
}


def curl(project: Project, address: str, predictor: str) -> str:
    """A shell command that sends a request; its time is left to the server's clock."""
    import msgspec

    body = msgspec.json.encode(example(project, predictor)).decode()
    return f"curl {address}/predict/{predictor} -d {shlex.quote(body)}"


def example(project: Project, predictor: str) -> Mapping[str, object]:
    """A request: the last of the predictor's file, or values that only have the right types."""
    spec = project.definitions.predictors[predictor]
    columns = {name: dtype for name, dtype in spec.columns.items() if name != spec.time}
    return _last(project, predictor, columns) or {name: _placeholder(dtype) for name, dtype in columns.items()}


def _placeholder(dtype: DType) -> object:
    if not isinstance(dtype, Tensor):
        return _PLACEHOLDERS[dtype.name]
    value: object = 0
    for side in reversed(dtype.shape):
        value = [value] * side
    return value


def _last(project: Project, predictor: str, columns: Mapping[str, DType]) -> Mapping[str, object] | None:
    try:
        rows = project.requests(predictor).tail(1).select(list(columns)).to_dicts()
    except UnisonoError:  # an example is not worth a server that does not start
        return None
    return rows[0] if rows else None
