"""Models of transformers seen as modules of token ids: what such a module gives."""

from __future__ import annotations

from typing import Any

import torch

EMBEDDING = "embedding"
SCORES = "scores"


class _Inner(torch.nn.Module):
    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model


class Logits(_Inner):
    """One score a class."""

    def forward(self, ids: Any) -> Any:
        """Scores, rows x classes."""
        return self.model(input_ids=ids).logits


class Scores(_Inner):
    """A probability for each of some labels that do not exclude each other."""

    def forward(self, ids: Any) -> Any:
        """Probabilities, rows x labels."""
        return {SCORES: self.model(input_ids=ids).logits.sigmoid()}


class Embedding(_Inner):
    """The mean of the last hidden states."""

    def forward(self, ids: Any) -> Any:
        """Embeddings, rows x numbers."""
        hidden = self.model(input_ids=ids).last_hidden_state
        return {EMBEDDING: hidden.mean(dim=1)}
