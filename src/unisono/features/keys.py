"""Entity keys as small whole numbers, the same for events and requests."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from unisono.features.numbers import pieces

Codes = NDArray[np.int32]

_DENSE = 4  # a range of whole numbers this many times larger than the rows is still a table


def encode(events: pl.DataFrame, requests: pl.DataFrame) -> tuple[Codes, Codes, int]:
    """One code for each different key, from 0 on; which key gets which code means nothing.

    events, requests: key columns in their one form (`frames.key_frame`), the same columns in both.

    Returns the events' codes, the requests' codes, and how many codes there are.
    """
    if events.width == 1 and events.dtypes[0] == pl.Int64:
        direct = _direct(events.to_series(), requests.to_series())
        if direct is not None:
            return direct
    known = unique(pl.concat([unique(events), unique(requests)]))
    table = known.with_columns(pl.int_range(pl.len(), dtype=pl.Int32).alias(_CODE))
    return _looked_up(events, table), _looked_up(requests, table), known.height


_CODE = "\0code"  # no column of a schema can be called so


def unique(keys: pl.DataFrame) -> pl.DataFrame:
    """Each different key once, in any order."""
    return keys.unique(maintain_order=False)


def _looked_up(keys: pl.DataFrame, table: pl.DataFrame) -> Codes:
    joined = keys.join(table, on=keys.columns, how="left", maintain_order="left").get_column(_CODE)
    codes: Codes = joined.rechunk().to_numpy()
    return codes


def group(keys: pl.DataFrame) -> tuple[pl.DataFrame, Codes]:
    """The different keys, and for each row which of them it has."""
    known = unique(keys)
    table = known.with_columns(pl.int_range(pl.len(), dtype=pl.Int32).alias(_CODE))
    return known, _looked_up(keys, table)


def _direct(events: pl.Series, requests: pl.Series) -> tuple[Codes, Codes, int] | None:
    """Whole numbers that lie close together are looked up in a table, not hashed."""
    bounds = [number for keys in (events, requests) for number in (keys.min(), keys.max()) if isinstance(number, int)]
    if not bounds:
        return None
    lowest, span = min(bounds), max(bounds) - min(bounds) + 1
    if span > _DENSE * (len(events) + len(requests)) + 1024:
        return None
    met = np.zeros(span, np.bool_)
    for keys in (events, requests):
        for piece in pieces(keys):
            met[piece - lowest] = True
    table = np.cumsum(met, dtype=np.int32)
    table -= 1
    return _in_table(events, table, lowest), _in_table(requests, table, lowest), int(table[-1]) + 1


def _in_table(keys: pl.Series, table: Codes, lowest: int) -> Codes:
    codes = np.empty(len(keys), np.int32)
    done = 0
    for piece in pieces(keys):
        np.take(table, piece - lowest, out=codes[done : done + len(piece)])
        done += len(piece)
    return codes
