"""Tables outside: sources to read and sinks to write, one adapter a kind.

Found by the entry-point groups `unisono.sources` and `unisono.sinks`. The name of an entry point is the kind: what
stands before the colon in KIND:PATH, the scheme of its URLs, the ending of its files.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from unisono.connect.tables.address import Address, parse_address
from unisono.connect.tables.base import Announce, Sink, Source, Staged
from unisono.connect.tables.overlap import overlaps
from unisono.connect.tables.stored import Span, StoredRows

__all__ = [
    "Address",
    "Announce",
    "Sink",
    "Source",
    "Span",
    "Staged",
    "StoredRows",
    "is_overlap",
    "open_sink",
    "open_source",
]

SOURCES_GROUP = "unisono.sources"
SINKS_GROUP = "unisono.sinks"

# The same as the entry points of this package, for a source tree that is not installed.
_SOURCES = {
    "csv": "unisono.connect.tables.csv:csv_source",
    "delta": "unisono.connect.tables.delta:DeltaSource",
    "ndjson": "unisono.connect.tables.ndjson:ndjson_source",
    "parquet": "unisono.connect.tables.parquet:ParquetSource",
    "sql": "unisono.connect.tables.sql_source:SqlSource",
}
_SINKS = {
    "csv": "unisono.connect.tables.csv:csv_sink",
    "delta": "unisono.connect.tables.delta:DeltaSink",
    "ndjson": "unisono.connect.tables.ndjson:ndjson_sink",
    "parquet": "unisono.connect.tables.parquet:parquet_sink",
    "sql": "unisono.connect.tables.sql_sink:SqlSink",
}


def open_source(where: str | Path) -> Source:
    """The table at PATH, URL#TABLE or KIND:PATH. Raises InputError if its kind is not known, StoreError."""
    places = _places(SOURCES_GROUP, _SOURCES)
    address = parse_address(where, places)
    source: Source = _load(places[address.kind])(address)
    return source


def open_sink(where: str | Path) -> Sink:
    """The table to write at PATH, URL#TABLE or KIND:PATH; nothing is written yet. Raises InputError, StoreError."""
    places = _places(SINKS_GROUP, _SINKS)
    address = parse_address(where, places)
    sink: Sink = _load(places[address.kind])(address)
    return sink


def is_overlap(source: str | Path, sink: str | Path) -> bool:
    """Whether writing the one table would change the other, which is read. Raises InputError if a kind is not known."""
    read = parse_address(source, _places(SOURCES_GROUP, _SOURCES))
    written = parse_address(sink, _places(SINKS_GROUP, _SINKS))
    return overlaps(read, written)


def _places(group: str, ours: Mapping[str, str]) -> Mapping[str, str]:
    """Kind -> where its adapter is. One that is installed takes the place of ours of the same name."""
    return {**ours, **_installed(group)}


@cache
def _installed(group: str) -> Mapping[str, str]:
    """Looked up once: it reads a file of every library that is there."""
    return {point.name: point.value for point in entry_points(group=group)}


def _load(place: str) -> Any:
    module, _, name = place.partition(":")
    return getattr(import_module(module), name)
