"""A network like AlexNet for drawings of 28 x 28, trained once on the training part alone.

As in AlexNet (Krizhevsky, Sutskever, Hinton 2012): five convolutions, three poolings, three linear layers with dropout,
which hold nine parameters of ten. It has a third of AlexNet's channels and half of its neurons; the first kernel is
5 x 5, since a drawing has no 11 x 11 that looks alike.
"""

from __future__ import annotations

from pathlib import Path

import polars as pl
import torch
from torch import nn

from benchmarks.compress.bench import SETTINGS
from benchmarks.compress.datasets.animals import SIDE
from benchmarks.harness import say
from unisono.compress.context import Context
from unisono.compress.modules.model import torch_model
from unisono.compress.modules.training import Lesson, Training, train
from unisono.compress.recipe import DataSettings
from unisono.compress.running.splitting import split
from unisono.compress.subject import Subject
from unisono.spec.types import Tensor

_CHANNELS = (32, 96, 128, 128, 96)
_NEURONS = 2048
_EPOCHS, _RATE, _ROWS = 8, 1e-3, 64
_INPUTS = {"image": Tensor("Float32", (1, SIDE, SIDE))}


class AlexNet(nn.Module):
    """Drawings -> scores of animals.

    classes: as text, in the order of the scores.
    """

    def __init__(self, classes: tuple[str, ...]) -> None:
        super().__init__()
        self.classes_ = classes
        first, second, third, fourth, fifth = _CHANNELS
        self.features = nn.Sequential(
            *(nn.Conv2d(1, first, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Conv2d(first, second, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Conv2d(second, third, 3, padding=1), nn.ReLU()),
            *(nn.Conv2d(third, fourth, 3, padding=1), nn.ReLU()),
            *(nn.Conv2d(fourth, fifth, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        )
        self.classifier = nn.Sequential(
            *(nn.Flatten(), nn.Dropout(), nn.Linear(fifth * 9, _NEURONS), nn.ReLU()),
            *(nn.Dropout(), nn.Linear(_NEURONS, _NEURONS), nn.ReLU()),
            nn.Linear(_NEURONS, len(classes)),
        )

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Rows x 1 x 28 x 28, from 0 to 1 -> rows x animals."""
        scores: torch.Tensor = self.classifier(self.features(image))
        return scores


def alexnet(folder: Path, frame: pl.DataFrame, seed: int = 0) -> AlexNet:
    """The network, trained from a seed; an earlier training is used again."""
    classes = tuple(sorted(frame["animal"].unique().to_list()))
    torch.manual_seed(seed)
    network = AlexNet(classes)
    path = folder / f"alexnet-{seed}.pt"
    if not path.exists():
        torch.save(_trained(network, classes, frame, folder, seed).state_dict(), path)
    network.load_state_dict(torch.load(path, weights_only=True))
    return network.eval()


def _trained(network: AlexNet, classes: tuple[str, ...], frame: pl.DataFrame, folder: Path, seed: int) -> nn.Module:
    say(f"training a network like AlexNet, seed {seed}, once")
    settings = DataSettings(**SETTINGS["animals"])
    data = split(frame, settings, reads=["image"], carries=[], inputs=_INPUTS, classes=classes, label=None)
    begun = torch_model(network, _INPUTS, None)
    stage = folder / f"alexnet-{seed}.work"
    stage.mkdir(exist_ok=True)
    context = Context(Subject(torch=begun), data, seed, stage, stage, _say)
    lesson = Lesson(frame=data.train, targets=data.targets(data.train))
    training = Training(epochs=_EPOCHS, batch_rows=_ROWS, learning_rate=_RATE, precision="bfloat16")
    return train(begun, lesson, context, training).module


def _say(what: str, done: int, total: int | None) -> None:
    if total and done % 50 == 0:
        say(f"  {what}: {done:,} of {total:,}")
