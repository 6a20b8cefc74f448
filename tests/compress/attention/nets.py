"""Encoders of PyTorch's own layers."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from tests.compress.nets import CLASSES, SPECIAL, WORDS, reader


class Tokens(nn.Module):
    """Token ids -> scores of two classes: the first token's state says it."""

    classes_ = CLASSES

    def __init__(self, width: int = 32, layers: int = 2, *, batch_first: bool = True) -> None:
        super().__init__()
        self.words = nn.Embedding(len(WORDS) + len(SPECIAL), width)
        self.places = nn.Embedding(32, width)
        layer = nn.TransformerEncoderLayer(width, 4, 64, dropout=0.0, batch_first=batch_first)
        self.encoder = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)
        self.head = nn.Linear(width, len(CLASSES))
        self._batch_first = batch_first

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        """Rows x tokens -> rows x 2."""
        given = self.words(ids) + self.places.weight.index_select(0, torch.arange(ids.shape[1]))
        states = self.encoder(given) if self._batch_first else self.encoder(given.transpose(0, 1)).transpose(0, 1)
        scores: torch.Tensor = self.head(states[:, 0])
        return scores


def tokenizer() -> Any:
    """Of the texts."""
    return reader()[1]
