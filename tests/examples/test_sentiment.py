"""The sentiment example: its data, a honest split, and one command from CSV to Parquet."""

from __future__ import annotations

import io
import subprocess
import sys
import tarfile
from pathlib import Path

import polars as pl
import pytest

from examples.archives import Archive, ArchiveError
from examples.sentiment import data

ROOT = Path(data.__file__).parent
LINES = ["1\t2.25\tA ''fine'' film, really.\r\n", "2\t-0.5\tDull\r\n", "3\t0.0\tFilm, plot\r\n", "4\t-1\tDull"]


def archive(path: Path) -> Path:
    """A source archive as vaderSentiment's is, with four sentences."""
    inner, text = io.BytesIO(), "".join(LINES).encode()
    with tarfile.open(fileobj=inner, mode="w:gz") as packed:
        _add(packed, "hutto_ICWSM_2014/movieReviewSnippets_GroundTruth.txt", text)
    with tarfile.open(path, "w:gz") as outer:
        _add(outer, f"{data.ARCHIVE.root}/additional_resources/hutto_ICWSM_2014.tar.gz", inner.getvalue())
    return path


def _add(packed: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    packed.addfile(entry, io.BytesIO(content))


def test_the_sentences_are_read_out_of_the_inner_archive(tmp_path: Path) -> None:
    table = data.rated(data.read(archive(tmp_path / "outer.tar.gz")))
    assert table.get_column("text").to_list() == ["A ''fine'' film, really.", "Dull", "Film, plot", "Dull"]
    assert table.get_column("rating").to_list() == [2.25, -0.5, 0.0, -1.0]
    assert table.get_column("positive").to_list() == [True, False, False, False]


def test_equal_sentences_are_on_one_side_of_the_split() -> None:
    rows = pl.DataFrame({"id": range(900), "rating": 1.0, "text": [f"sentence {row % 300}" for row in range(900)]})
    split = data.rated(rows).group_by("text").agg(pl.col("held_out").n_unique())
    assert split.get_column("held_out").to_list() == [1] * 300
    held_out = data.rated(rows).get_column("held_out").mean()
    assert isinstance(held_out, float) and 0.1 < held_out < 0.3


def test_another_archive_is_refused(tmp_path: Path) -> None:
    pinned = Archive("vaderSentiment", "3.3.2", "0" * 64)
    (tmp_path / pinned.file).write_bytes(b"not the archive")
    with pytest.raises(ArchiveError, match=r"sha256 is .*, pinned is 000"):
        pinned.fetch(tmp_path)


def project_with(folder: Path, *, trained_on: int, asked: int) -> Path:
    """The example with few sentences in a folder of its own, and its model registered there; gives sentences.csv."""
    ratings = data.rated(data.read(data.ARCHIVE.fetch(data.DATA)))
    for name in ("definitions.py", "train.py", "unisono.toml"):
        (folder / name).write_text((ROOT / name).read_text())
    (folder / "data").mkdir()
    few = ratings.head(trained_on)
    few.write_parquet(folder / "data" / "ratings.parquet")
    data.sample(few).head(8).write_parquet(folder / "data" / "sample.parquet")
    ratings.head(asked).select("id", "text").write_csv(folder / "data" / "sentences.csv")
    run("register", "sentiment", "train:fit", "--project", str(folder))
    return folder / "data" / "sentences.csv"


def run(*arguments: str) -> None:
    done = subprocess.run([sys.executable, "-m", "unisono", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def scores(folder: Path, sentences: Path) -> pl.DataFrame:
    """What one command makes of the sentences, beside their ratings."""
    out = folder / "scores.parquet"
    run(
        "predict",
        "sentiment",
        "--project",
        str(folder),
        "--requests",
        str(sentences),
        "--keep",
        "id,text",
        "--out",
        str(out),
    )
    ratings = data.rated(data.read(data.ARCHIVE.fetch(data.DATA)))
    found = pl.read_parquet(out).cast({"id": pl.Int64})  # of a column that no schema names, CSV has the text
    return found.join(ratings.select("id", "positive", "held_out"), on="id", maintain_order="left")


def accuracy(table: pl.DataFrame) -> float:
    """The share of sentences that are called what they are."""
    right = (table["prediction"] == "positive") == table["positive"]
    return int(right.sum()) / table.height


@pytest.mark.slow
def test_one_command_classifies_a_csv_into_parquet(tmp_path: Path) -> None:
    table = scores(tmp_path, project_with(tmp_path, trained_on=250, asked=400))
    assert table.get_column("id").to_list() == list(range(1, 401))
    assert set(table.get_column("prediction")) == {"negative", "positive"}
    assert ((table["probability"] > 0.5) == (table["prediction"] == "positive")).all()
    assert accuracy(table.slice(250)) > 0.6  # 0.5 by guessing; 150 sentences


@pytest.mark.soak
def test_one_command_classifies_all_sentences(tmp_path: Path) -> None:
    table = scores(tmp_path, project_with(tmp_path, trained_on=10_605, asked=10_605))
    assert table.height == 10_605 and table.null_count().sum_horizontal().item() == 0
    assert accuracy(table.filter("held_out")) > 0.75
