"""A module of PyTorch with what feeds it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray
from torch import nn

from unisono.models.importers import huggingface
from unisono.models.importers import torch as torch_importer
from unisono.models.importers.huggingface_modules import classes_of, module_of
from unisono.models.importers.torch_graph import quiet
from unisono.spec.types import DType

Arrays = list[NDArray[Any]]
"""One array an argument of a module, with a row for each row; token ids are an array of arrays."""


@dataclass(frozen=True, slots=True)
class TorchModel:
    """A module of PyTorch with what feeds it.

    module:    its `forward` takes one tensor an argument and gives scores, rows x classes; or rows x 1: the score of
               the second of two classes, or the number of a regression. In float32, on the CPU.
    classes:   the labels in the order of the scores; empty for a regression.
    columns:   what it reads: of numbers in one matrix, tensors one an argument, or one text.
    arrays:    a frame as its arguments.
    tokenizer: of transformers, for a module that reads a text.
    """

    module: nn.Module
    classes: tuple[Any, ...]
    columns: tuple[str, ...]
    arrays: Callable[[pl.DataFrame], Arrays] = field(repr=False)
    tokenizer: Any = field(default=None, repr=False)

    @property
    def importable(self) -> object:
        """What the importer takes; give it `columns`, too."""
        return self.module if self.tokenizer is None else (self.module, self.tokenizer)

    def with_module(self, module: nn.Module) -> Self:
        """Another module that reads the same and answers the same question."""
        if self.classes:
            module.classes_ = self.classes  # type: ignore[assignment]  # read by the importer
        return replace(self, module=module)

    @property
    def parameters(self) -> int:
        """Numbers that were learnt."""
        return sum(one.numel() for one in self.module.parameters())


def torch_model(model: Any, inputs: Mapping[str, DType], columns: Sequence[str] | None) -> TorchModel:
    """A model as an importer takes it: a module, a pair with a tokenizer, a pipeline, a folder of save_pretrained.

    It is copied, and is in training mode nowhere. Raises ModelError for models that the importer refuses.
    """
    if huggingface.HuggingFace().accepts(model):
        return _reading_text(model, inputs, columns)
    with quiet():
        module = _copied(model)
    blocks, taken = torch_importer.arguments_of(model, inputs, columns)
    made = TorchModel(
        module,
        tuple(getattr(model, "classes_", ())),
        tuple(name for block in blocks for name in block.columns),
        lambda frame: list(torch_importer.arrays_of(frame, blocks, taken, inputs)),
    )
    return made.with_module(module)


def _reading_text(model: Any, inputs: Mapping[str, DType], columns: Sequence[str] | None) -> TorchModel:
    with quiet():
        pair = huggingface.pair_of(model)
        module = _copied(module_of(pair.model))
    column = huggingface.column_of(inputs, columns)
    tokenizer = huggingface.tokenizer_of(pair)
    made = TorchModel(
        module,
        tuple(classes_of(pair.model) or ()),
        (column,),
        lambda frame: [tokenizer.column(frame.get_column(column).fill_null("").to_list())],
        pair.tokenizer,
    )
    return made.with_module(module)


def _copied(module: Any) -> nn.Module:
    from copy import deepcopy

    copied: nn.Module = deepcopy(module).cpu().eval()
    return copied


def scores_of(raw: torch.Tensor, classes: Sequence[Any]) -> torch.Tensor:
    """What a module gives, as one score a class: rows x classes; of a regression rows x 1.

    The one score of the second of two classes becomes a pair whose softmax is the score's sigmoid.
    """
    flat = raw.reshape(len(raw), -1)
    if len(classes) == 2 and flat.shape[1] == 1:
        return torch.cat([torch.zeros_like(flat), flat], dim=1)
    return flat


def answers(model: TorchModel, frame: pl.DataFrame, *, batch_rows: int = 64) -> NDArray[np.float32]:
    """The scores of a model for the rows of a frame: rows x classes, or rows x 1 of a regression."""
    from unisono.compress.modules.batches import Batches

    found = np.empty((frame.height, max(len(model.classes), 1)), np.float32)
    was_training = model.module.training
    model.module.eval()
    with torch.inference_mode():
        for batch in Batches(model, frame).in_order(batch_rows):
            found[batch.rows] = scores_of(model.module(*batch.arguments), model.classes).numpy()
    model.module.train(was_training)
    return found
