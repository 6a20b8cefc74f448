"""Texts and images through every driver: one tokenizer in the artifact, and the same bits everywhere."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import polars as pl
import pytest

import unisono as un
from tests.models import texts
from unisono.drivers.project import Project
from unisono.store.artifacts import make_artifact, read_artifact

pytestmark = pytest.mark.slow

DEFINITIONS = """
import unisono as un

mood = un.Predictor("mood", request={"text": un.String, "stars": un.Int64}, time="asked_at", features=())
"""
CONFIG = """
definitions = "definitions.py"

[requests]
mood = "requests.parquet"
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A project whose one predictor reads a text."""
    root = tmp_path_factory.mktemp("mood")
    (root / "definitions.py").write_text(DEFINITIONS)
    (root / "unisono.toml").write_text(CONFIG)
    instants = pl.datetime_range(pl.datetime(2026, 1, 1), pl.datetime(2026, 1, 2), "1m", time_zone="UTC", eager=True)
    rows = texts.ROWS.with_columns(
        stars=pl.lit(3), asked_at=instants[: texts.ROWS.height].cast(pl.Datetime("us", "UTC"))
    )
    rows.write_parquet(root / "requests.parquet")
    project = un.load(root)
    model = texts.model(id2label={0: "bad", 1: "good"})
    project.register("mood", (model, texts.tokenizer()), sample=rows)
    yield project


def answers(frame: pl.DataFrame, prefix: str = "") -> tuple[list[str], list[str]]:
    """Labels, and probabilities with every bit."""
    probabilities = frame.get_column(f"{prefix}probability").to_list()
    return frame.get_column(f"{prefix}prediction").to_list(), [one.hex() for one in probabilities]


@pytest.fixture(scope="module")
def wanted(project: Project) -> tuple[list[str], list[str]]:
    labels, probabilities = answers(project.predict("mood"))
    assert set(labels) == {"bad", "good"} and len(set(probabilities)) > 30
    return labels, probabilities


def test_batch_stream_and_online_give_the_same_bits(project: Project, wanted: tuple[list[str], list[str]]) -> None:
    assert answers(project.predict("mood", chunk=7)) == wanted
    project.stream("mood", batch=3)
    assert answers(project.predictions("mood"), "prediction.") == wanted
    online = project.online("mood")
    rows = project.requests("mood").select("text", "stars")
    told = [online.answer(json.dumps({**row, "asked_at": "2026-01-02T00:00:00Z"}).encode()) for row in rows.to_dicts()]
    predictions = [one.prediction for one in told]
    assert [one["prediction"] for one in predictions] == wanted[0]
    assert [one["probability"].hex() for one in predictions] == wanted[1]


def test_parity_compares_every_driver(project: Project) -> None:
    report = project.parity("mood")
    assert (report.requests, report.outputs, report.differing_bits) == (texts.ROWS.height, 2, 0)
    assert report.drivers == ("batch", "stream", "online")


def test_a_csv_becomes_a_parquet_file(project: Project, wanted: tuple[list[str], list[str]], tmp_path: Path) -> None:
    from unisono.drivers.batch import run_batch

    project.requests("mood").select("stars", "text").write_csv(tmp_path / "texts.csv")
    done = run_batch(project, "mood", tmp_path / "texts.csv", tmp_path / "scores.parquet", cores=2, chunk=5)
    assert (done.rows, done.parts) == (texts.ROWS.height, 8)
    assert answers(pl.read_parquet(tmp_path / "scores.parquet")) == wanted


def files_of(project: Project) -> dict[str, bytes]:
    return dict(project.registry.artifact(project.registry.active("mood")).files)


def test_another_word_in_the_tokenizer_is_another_artifact(project: Project) -> None:
    files = files_of(project)
    vocabulary: dict[str, Any] = msgspec.json.decode(files["tokenizer/text.json"])
    words = vocabulary["model"]["vocab"]
    words["a"], words["short"] = words["short"], words["a"]
    changed = {**files, "tokenizer/text.json": msgspec.json.encode(vocabulary)}
    artifact = make_artifact("mood", changed)
    assert artifact.id != project.registry.active("mood").id == make_artifact("mood", files).id
    version = project.registry.add(artifact)
    with pytest.raises(un.ModelError, match=r"tokenizer/text\.golden\.json: .* has other token ids"):
        project.scorer("mood", version.id)


def test_a_tokenizer_with_a_flipped_bit_is_refused(project: Project) -> None:
    content = bytearray(make_artifact("mood", files_of(project)).to_bytes())
    place = content.index(b"[UNK]")
    content[place] ^= 1
    with pytest.raises(un.StateError, match="artifact: "):
        read_artifact(bytes(content))


def test_a_version_without_its_tokenizer_is_refused(project: Project) -> None:
    files = {name: content for name, content in files_of(project).items() if not name.startswith("tokenizer/")}
    version = project.registry.add(make_artifact("mood", files))
    with pytest.raises(un.ModelError, match="reads text as tokens, and there are tokenizers of none"):
        project.scorer("mood", version.id)


def test_images_go_through_batch_stream_and_online(tmp_path: Path) -> None:
    import torch

    class Bright(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(4)
            self.inner = torch.nn.Linear(16, 3)

        def forward(self, image: torch.Tensor) -> dict[str, torch.Tensor]:
            flat = image.float().flatten(1)
            return {"embedding": self.inner(flat), "brightness": flat.mean(dim=1)}

    (tmp_path / "definitions.py").write_text(
        'import unisono as un\nseen = un.Predictor("seen", request={"image": un.Tensor("UInt8", (4, 4))}, '
        'time="asked_at", features=())\n'
    )
    (tmp_path / "unisono.toml").write_text('definitions = "definitions.py"\n[requests]\nseen = "requests.parquet"\n')
    images = np.random.default_rng(1).integers(0, 256, (9, 4, 4)).astype(np.uint8)
    instants = pl.datetime_range(pl.datetime(2026, 1, 1), pl.datetime(2026, 1, 2), "1m", time_zone="UTC", eager=True)
    rows = pl.DataFrame({"image": images, "asked_at": instants[:9].cast(pl.Datetime("us", "UTC"))})
    rows.write_parquet(tmp_path / "requests.parquet")
    project = un.load(tmp_path)
    project.register("seen", Bright(), sample=rows)
    batch = project.predict("seen")
    project.stream("seen")
    stream = project.predictions("seen")
    online = project.online("seen")
    for place in range(9):
        body = {"image": images[place].tolist(), "asked_at": "2026-01-02T00:00:00Z"}
        alone = online.answer(json.dumps(body).encode()).prediction
        assert alone["embedding"] == batch["embedding"][place].to_list()
        assert alone["embedding"] == stream["prediction.embedding"][place].to_list()
        assert alone["brightness"] == batch["brightness"][place] == images[place].mean()
    assert project.parity("seen").differing_bits == 0
