"""The sentences: `python -m examples.sentiment.data` makes the files; the same archive always gives the same files.

They are 10,605 sentences of film reviews from Rotten Tomatoes, each rated by twenty people from -4 to 4 (C.J. Hutto,
E.E. Gilbert: VADER, ICWSM 2014); they lie in the source archive of vaderSentiment (MIT). A sentence whose mean rating
is above zero is called positive here.

sentences.csv   id, text: what is to be predicted
ratings.parquet id, text, rating, positive, held_out: what is known of them
sample.parquet  some of those held out, as requests: graph and model are compared on them
"""

from __future__ import annotations

import tarfile
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from examples.archives import Archive, ArchiveError

DATA = Path(__file__).parent / "data"
ARCHIVE = Archive("vaderSentiment", "3.3.2", "5d7c06e027fc8b99238edb0d53d970cf97066ef97654009890b83703849632f9")
SAMPLE_ROWS = 200

_INNER = f"{ARCHIVE.root}/additional_resources/hutto_ICWSM_2014.tar.gz"
_TABLE = "hutto_ICWSM_2014/movieReviewSnippets_GroundTruth.txt"
_ASKED = datetime(2026, 1, 1, tzinfo=UTC)


def prepare(folder: Path = DATA) -> Path:
    """Make the files, unless they are there already; returns where sentences.csv is. Raises ArchiveError."""
    sentences = folder / "sentences.csv"
    if not sentences.exists():
        ratings = rated(read(ARCHIVE.fetch(folder)))
        ratings.write_parquet(folder / "ratings.parquet")
        sample(ratings).write_parquet(folder / "sample.parquet")
        ratings.select("id", "text").write_csv(sentences)  # last, so that it stands for complete files
    return sentences


def read(path: Path) -> pl.DataFrame:
    """The table in the archive that is in the archive: id, rating, text."""
    with tarfile.open(path) as outer, tarfile.open(fileobj=_member(outer, _INNER), mode="r:gz") as inner:
        lines = _member(inner, _TABLE).read().decode().splitlines()
    return pl.DataFrame(
        [line.split("\t") for line in lines], schema=["id", "rating", "text"], orient="row"
    ).with_columns(pl.col("id").cast(pl.Int64), pl.col("rating").cast(pl.Float64))


def _member(archive: tarfile.TarFile, name: str):  # type: ignore[no-untyped-def]  # tarfile's own kind of file
    file = archive.extractfile(name)
    if file is None:
        raise ArchiveError(f"{ARCHIVE.file}: holds no {name}; delete the file and run again")
    return file


def rated(table: pl.DataFrame) -> pl.DataFrame:
    """What is known of each sentence; one of five is held out, by its text, so that equal texts stay together."""
    held_out = pl.col("text").map_elements(_is_held_out, return_dtype=pl.Boolean)
    return table.select("id", "text", "rating", positive=pl.col("rating") > 0, held_out=held_out)


def _is_held_out(text: str) -> bool:
    from zlib import crc32

    return crc32(text.encode()) % 5 == 0


def sample(ratings: pl.DataFrame) -> pl.DataFrame:
    """Requests: some that no model is trained on."""
    rows = ratings.filter("held_out").head(SAMPLE_ROWS)
    return rows.select(
        "text", asked_at=pl.lit(_ASKED).cast(pl.Datetime("us", "UTC")) + pl.duration(seconds=pl.int_range(pl.len()))
    )


if __name__ == "__main__":
    print(f"sentences in {prepare()}")
