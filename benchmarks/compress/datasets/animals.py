"""10,000 drawings of ten animals, 28 x 28, from animal_mnist 0.4 (MIT): harder than digits.

The package has them as a pickle; it is read by a reader that knows arrays of numpy and nothing else. Copies of one
drawing are one row, so that none is in two parts; those that have two labels are left out.

Columns: image (1 x 28 x 28, float32, 0 to 1), animal (its number as text), ink ("light" or "dark"), part.
"""

from __future__ import annotations

import gzip
import io
import pickle
import tarfile
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import polars as pl

from examples.archives import Archive

ARCHIVE = Archive("animal_mnist", "0.4", "95ab7246452eb4dd389a19fd26467017507e11e5488bbdbcd2c4893ef0c4aa7d")
SIDE = 28
_FOLDER = f"{ARCHIVE.root}/src/animal_mnist/data/Animal_MNIST"
_ALLOWED = {
    ("numpy", "dtype"),
    ("numpy", "ndarray"),
    ("numpy._core.multiarray", "_reconstruct"),
    ("numpy.core.multiarray", "_reconstruct"),
    ("_codecs", "encode"),
}


class _Arrays(pickle.Unpickler):
    """Knows what arrays are made of, and nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED:
            raise pickle.UnpicklingError(f"{module}.{name} in a file of arrays")
        return super().find_class(module.replace("numpy.core", "numpy._core"), name)


def load(folder: Path) -> pl.DataFrame:
    """The drawings; the same archive always gives the same frame."""
    path = folder / "animals.parquet"
    if not path.exists():
        with tarfile.open(ARCHIVE.fetch(folder)) as archive:
            images = _array(archive, "animal_data_version_3.gz")
            labels = _array(archive, "animal_label_version_3.gz")
        _frame(images, labels).write_parquet(path)
    return pl.read_parquet(path)


def _array(archive: tarfile.TarFile, name: str) -> np.ndarray[Any, Any]:
    file = archive.extractfile(f"{_FOLDER}/{name}")
    assert file is not None
    return np.asarray(_Arrays(io.BytesIO(gzip.decompress(file.read()))).load())


def _frame(images: np.ndarray[Any, Any], labels: np.ndarray[Any, Any]) -> pl.DataFrame:
    pixels = images.reshape(len(images), 1, SIDE, SIDE).astype(np.float32)
    pixels /= max(float(pixels.max()), 1.0)
    places = [crc32(one.tobytes()) for one in pixels]
    ink = pixels.mean(axis=(1, 2, 3))
    frame = pl.DataFrame(
        {
            "image": pl.Series(pixels),
            "animal": labels.reshape(-1).astype(str),
            "ink": np.where(ink > np.median(ink), "dark", "light"),
            "hash": places,
        }
    )
    place = pl.col("hash") % 100
    part = (
        pl.when(place < 20).then(pl.lit("test")).when(place < 30).then(pl.lit("validation")).otherwise(pl.lit("train"))
    )
    agreed = frame.filter(pl.col("animal").n_unique().over("hash") == 1).unique(
        "hash", keep="first", maintain_order=True
    )
    return agreed.with_columns(part=part).drop("hash")
