"""Rows on their way out: values as the server reads them, frames in pieces."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from unisono.spec.errors import InputError
from unisono.spec.wording import one_line, quoted

if TYPE_CHECKING:
    import polars as pl

_PIECE_BYTES = 500_000
_NUMBER_BYTES = 25  # at most, of a number as text, with what is around it and its name

Row = Mapping[str, Any]


class Frame(Protocol):
    """A frame of any library with Arrow's PyCapsule interface: Polars, pandas, pyarrow, DuckDB."""

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
        """The frame as Arrow's stream."""
        ...


Rows = Iterable[Row] | Frame


def body_of(rows: Row | Sequence[Row], what: str) -> bytes:
    """One row, or several, as JSON.

    Times are datetimes with a zone; Decimals keep all of their digits; NumPy's values are what they stand for. Null is
    None; so is NaN, which JSON has not.

    Raises InputError for a value that is none of these.
    """
    try:
        return _ENCODER.encode(rows)
    except (TypeError, ValueError, OverflowError, msgspec.EncodeError) as error:
        allowed = "text, numbers, booleans, None, times with a zone, Decimals, NumPy's values, and lists of these"
        raise InputError(f"{what}: {one_line(error)}; allowed: {allowed}; convert the value") from error


def pieces(rows: object, size: int, what: str) -> Iterator[Sequence[Row]]:
    """Rows, or those of a frame, at most so many at a time. Raises InputError for what has no rows."""
    if hasattr(rows, "__arrow_c_stream__"):
        yield from _of_frame(rows, size, what)
    elif isinstance(rows, Iterable) and not isinstance(rows, str | bytes):
        each = iter(rows)
        while piece := list(islice(each, size)):
            yield piece
    else:
        allowed = "a mapping, several of them, or a frame with Arrow's PyCapsule interface"
        raise InputError(f"{what}: {quoted(rows)} has no rows; allowed: {allowed}; convert it")


def _of_frame(frame: object, size: int, what: str) -> Iterator[Sequence[Row]]:
    table = table_of(frame, what)
    names_bytes = sum(len(name) + _NUMBER_BYTES for name in table.columns)
    for piece in table.iter_slices(piece_rows(table, size, also_bytes=names_bytes)):
        yield piece.to_dicts()


def piece_rows(table: pl.DataFrame, most: int, *, also_bytes: int = 0) -> int:
    """How many rows of a table to send at a time: well below what a server takes in one body.

    also_bytes: of each row, beside what it takes in memory.
    """
    each = table.estimated_size() / max(table.height, 1) + also_bytes
    return max(1, min(most, int(_PIECE_BYTES / (each + 1))))


def table_of(frame: object, what: str) -> pl.DataFrame:
    """A frame of any library. Raises InputError for what is none, and for times without a zone."""
    from unisono.features.frames import to_polars  # Polars takes time to import; who sends mappings needs none of it
    from unisono.features.places import Place

    table = to_polars(frame, Place(what))
    for name, dtype in table.schema.items():
        if getattr(dtype, "time_zone", "") is None:
            allowed = "times with a zone"
            step = f'say which, e.g. .dt.replace_time_zone("UTC") on column {name}'
            raise InputError(f'{what}, column "{name}": times without a zone; allowed: {allowed}; {step}')
    return table


def _plain(value: object) -> object:
    """A value of a library as one that JSON has."""
    convert = _CONVERTERS.get(type(value).__module__.partition(".")[0])
    if convert is None:
        raise TypeError(f"{quoted(value)} cannot be sent")
    return convert(value)


def _of_numpy(value: Any) -> object:
    if getattr(value, "dtype", None) is None or value.dtype.kind not in "biufUM":
        raise TypeError(f"{quoted(value)} cannot be sent")
    if value.dtype.kind == "M":
        return _instants(value)
    return value.tolist()


def _instants(value: Any) -> object:
    """NumPy's instants, which are UTC, as RFC 3339."""
    if value.ndim:
        return [_instants(each) for each in value]
    return None if value != value else f"{value.astype('datetime64[us]')}Z"  # NaT is null


def _of_pandas(value: Any) -> object:
    """Its instants, to the microsecond, and its nulls."""
    name = type(value).__name__
    if name == "Timestamp":
        return value.to_pydatetime(warn=False)
    if name in ("NAType", "NaTType"):
        return None
    raise TypeError(f"{quoted(value)} cannot be sent")


_CONVERTERS: Mapping[str, Callable[[Any], object]] = {"numpy": _of_numpy, "pandas": _of_pandas}
_ENCODER = msgspec.json.Encoder(enc_hook=_plain, decimal_format="string")
