"""A small ViT for drawings of animals, trained here once."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from benchmarks.compress.bench import SETTINGS, Bench
from benchmarks.compress.datasets.animals import SIDE
from benchmarks.harness import say

_EPOCHS, _RATE, _ROWS = 12, 1e-3, 64
PREDICTOR = "animals"


class Viewer(nn.Module):
    """Drawings of 1 x 28 x 28 -> scores of ten animals: 16 patches of 7 x 7, four layers of 64."""

    def __init__(self, classes: tuple[str, ...]) -> None:
        from transformers import ViTConfig, ViTForImageClassification

        super().__init__()
        made: Any = ViTConfig
        config = made(
            hidden_size=64,
            num_hidden_layers=4,
            num_attention_heads=4,
            intermediate_size=256,
            image_size=SIDE,
            patch_size=7,
            num_channels=1,
            num_labels=len(classes),
            attn_implementation="eager",
        )
        self.classes_ = classes
        self.model = ViTForImageClassification(config)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Rows x 1 x 28 x 28 -> rows x classes."""
        scores: torch.Tensor = self.model(pixel_values=image).logits
        return scores


def viewer(bench: Bench) -> Any:
    """The trained one."""
    frame = bench.data(PREDICTOR)
    classes = tuple(sorted(frame["animal"].unique().to_list()))
    torch.manual_seed(0)
    model = Viewer(classes)
    path = bench.folder / "viewer.pt"
    if not path.exists():
        torch.save(_trained(bench, model, classes).state_dict(), path)
    model.load_state_dict(torch.load(path, weights_only=True))
    return model.eval()


def _trained(bench: Bench, model: Viewer, classes: tuple[str, ...]) -> nn.Module:
    from unisono.compress.context import Context
    from unisono.compress.modules.model import torch_model
    from unisono.compress.modules.training import Lesson, Training, train
    from unisono.compress.recipe import DataSettings
    from unisono.compress.running.splitting import split
    from unisono.compress.subject import Subject

    say("training a viewer, once")
    inputs = bench.project(PREDICTOR).ready(PREDICTOR).inputs
    begun = torch_model(model, inputs, None)
    settings = DataSettings(label="animal", split="part", slices=SETTINGS[PREDICTOR]["slices"])
    data = split(
        bench.data(PREDICTOR), settings, reads=["image"], carries=[], inputs=inputs, classes=classes, label=None
    )
    stage = bench.folder / "viewer.work"
    stage.mkdir(exist_ok=True)
    context = Context(Subject(torch=begun), data, 0, stage, stage, _say)
    lesson = Lesson(frame=data.train, targets=data.targets(data.train))
    training = Training(epochs=_EPOCHS, batch_rows=_ROWS, learning_rate=_RATE, weight_decay=0.05)
    return train(begun, lesson, context, training, what="viewer").module


def _say(what: str, done: int, total: int | None) -> None:
    if total and done % 200 == 0:
        say(f"  {what}: {done:,} of {total:,}")
