"""Small models of every kind, each with rows that it can learn from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import numpy as np
import polars as pl
import pytest

from unisono.compress.context import Context
from unisono.compress.data import Data
from unisono.compress.steps.base import Step
from unisono.compress.subject import Subject
from unisono.spec.types import DType, Float64, String, Tensor

ROWS = 1200
UP_TO_TRAIN, UP_TO_VALIDATION = 800, 1000


@dataclass(frozen=True)
class Case:
    """A model with rows.

    subject: as a recipe begins with it; it has learnt what the rows say, more or less.
    data:    some 800 rows to learn from, 200 to choose by, 200 to judge by.
    context: of a step; its cache is shared by the tests of a session.
    """

    subject: Subject
    data: Data
    context: Context

    def applied(self, step: Step) -> Subject:
        """The model after a step, in a stage of its own."""
        stage = Path(mkdtemp(dir=self.context.stage))
        return step.apply(self.subject, replace(self.context, stage=stage))


def case_of(folder: Path, subject: Subject, data: Data) -> Case:
    """A model with rows, and the folders of a stage."""
    for name in ("cache", "stage"):
        (folder / name).mkdir(exist_ok=True)
    return Case(subject, data, Context(subject, data, 0, folder / "cache", folder / "stage", lambda *told: None))


def data_of(frame: pl.DataFrame, inputs: Mapping[str, DType], classes: tuple[Any, ...]) -> Data:
    """Rows as a recipe has them; the label is `label`, and `side` makes slices."""
    return Data(
        train=frame[:UP_TO_TRAIN],
        validation=frame[UP_TO_TRAIN:UP_TO_VALIDATION],
        test=frame[UP_TO_VALIDATION:],
        unlabelled=frame[:0],
        inputs=inputs,
        label="label",
        classes=classes,
        slices=("side",),
        identity="0" * 32,
    )


def trained(subject: Subject, data: Data, folder: Path, *, epochs: int, rate: float) -> Subject:
    """The model after it has learnt from the rows."""
    import torch

    from unisono.compress.modules.recover import Recover

    torch.set_num_threads(1)  # two would wait for each other, with so little to do
    step = Recover(epochs=epochs, learning_rate=rate, teacher_share=0.0)
    return step.apply(subject, case_of(folder, subject, data).context)


@pytest.fixture(scope="session")
def numbers(tmp_path_factory: pytest.TempPathFactory) -> Case:
    """A module of three linear layers on four numbers."""
    import torch

    from tests.compress.nets import CLASSES, NUMBERS, Layers
    from unisono.compress.modules.model import torch_model

    folder = tmp_path_factory.mktemp("numbers")
    torch.manual_seed(0)
    model = torch_model(Layers(), dict.fromkeys(NUMBERS, Float64), None)
    data = data_of(number_rows(), dict.fromkeys(NUMBERS, Float64), CLASSES)
    return case_of(folder, trained(Subject(torch=model), data, folder, epochs=6, rate=5e-3), data)


def number_rows() -> pl.DataFrame:
    """Four numbers, and whether a sum of them is above zero."""
    random = np.random.default_rng(0)
    matrix = random.normal(size=(ROWS, 4))
    score = matrix @ [1.0, -1.0, 0.5, 0.0] + 0.3 * matrix[:, 0] * matrix[:, 1] + random.normal(scale=0.2, size=ROWS)
    return pl.DataFrame(
        {
            **{name: matrix[:, place] for place, name in enumerate("abcd")},
            "side": np.where(matrix[:, 3] > 0, "north", "south"),
            "label": np.where(score > 0, "yes", "no"),
        }
    )


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> Case:
    """A small convolutional network: where in an image is the bright spot?"""
    import torch

    from tests.compress.nets import SIDE, Convolutions
    from unisono.compress.modules.model import torch_model

    folder = tmp_path_factory.mktemp("images")
    inputs: dict[str, DType] = {"image": Tensor("Float32", (1, SIDE, SIDE))}
    torch.manual_seed(0)
    model = torch_model(Convolutions(), inputs, None)
    data = data_of(image_rows(SIDE), inputs, Convolutions.classes_)
    return case_of(folder, trained(Subject(torch=model), data, folder, epochs=3, rate=5e-3), data)


def image_rows(side: int) -> pl.DataFrame:
    """Noise with a bright spot at the left, in the middle or at the right."""
    random = np.random.default_rng(0)
    places = random.integers(0, 3, ROWS)
    pixels = random.normal(scale=0.5, size=(ROWS, 1, side, side)).astype(np.float32)
    for row, place in enumerate(places):
        top = random.integers(0, side - 3)
        pixels[row, 0, top : top + 3, 4 * place : 4 * place + 3] += 2.0
    labels = np.array(["left", "middle", "right"])[places]
    bright = np.where(pixels.mean(axis=(1, 2, 3)) > 0.25, "bright", "dark")
    return pl.DataFrame({"image": pl.Series(pixels), "side": bright, "label": labels})


@pytest.fixture(scope="session")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Case:
    """A BERT of two layers: is a sentence kind?"""
    import torch

    from tests.compress.nets import CLASSES, reader
    from unisono.compress.modules.model import torch_model

    folder = tmp_path_factory.mktemp("texts")
    inputs: dict[str, DType] = {"text": String}
    torch.manual_seed(0)
    model = torch_model(reader(), inputs, None)
    data = data_of(text_rows(), inputs, CLASSES)
    return case_of(folder, trained(Subject(torch=model), data, folder, epochs=8, rate=3e-3), data)


def text_rows() -> pl.DataFrame:
    """Sentences with a word that is kind or unkind, and sometimes a "not" before it."""
    random = np.random.default_rng(0)
    words = {True: ("good", "great", "light"), False: ("bad", "dull", "plain")}
    texts, labels, sides = [], [], []
    for _ in range(ROWS):
        kind, negated = bool(random.integers(2)), bool(random.random() < 0.3)
        word = words[kind][random.integers(3)]
        thing = ("film", "plot", "music", "story", "end")[random.integers(5)]
        rest = ("", " and it was a film", " but the actors")[random.integers(3)]
        texts.append(
            f"the {thing} was {'not ' if negated else ''}{'very ' if random.random() < 0.5 else ''}{word}{rest}"
        )
        labels.append("yes" if kind != negated else "no")
        sides.append(thing)
    return pl.DataFrame({"text": texts, "side": sides, "label": labels})


@pytest.fixture(scope="session")
def trees(tmp_path_factory: pytest.TempPathFactory) -> Case:
    """A LightGBM classifier of 60 trees on the same numbers as `numbers`."""
    import lightgbm

    rows = number_rows()
    matrix = rows[:UP_TO_TRAIN].select("a", "b", "c", "d").to_pandas()
    fitted = lightgbm.LGBMClassifier(n_estimators=60, num_leaves=15, n_jobs=1, verbose=-1, deterministic=True)
    fitted.fit(matrix, rows[:UP_TO_TRAIN]["label"].to_numpy())
    data = data_of(rows, dict.fromkeys("abcd", Float64), ("no", "yes"))
    return case_of(tmp_path_factory.mktemp("trees"), Subject(ensemble=fitted), data)
