"""Attention as two products with a matrix that does not grow: features of queries times sums over keys."""

from __future__ import annotations

import torch
from torch import nn

from unisono.compress.attention.features import Features

LEAST_SUM = 1e-6
"""Added to the sum of weights that is divided by: far below any that counts, above none."""

_CHUNK = 64  # tokens; within one, causal attention multiplies tokens with tokens


class Kernel(nn.Module):
    """sum_j f(q_i).f(k_j) v_j / sum_j f(q_i).f(k_j) over all j; of the causal one, over j up to i.

    features: f.
    causal:   nothing is seen before it has come.
    """

    def __init__(self, features: Features, *, causal: bool) -> None:
        super().__init__()
        self.features = features
        self.causal = causal

    def forward(self, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
        """Each rows x heads x tokens x size."""
        queries, keys = self.features.queries(query), self.features.keys(key)
        if self.causal:
            return _in_chunks(queries, keys, value)
        sums = keys.transpose(-1, -2) @ value
        weights = queries @ keys.sum(-2).unsqueeze(-1)
        return (queries @ sums) / (weights + LEAST_SUM)


def _in_chunks(queries: torch.Tensor, keys: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
    """Causal: tokens of a chunk see each other in a square, and the chunks before it as sums."""
    tokens = queries.shape[-2]
    queries, keys, value = (_chunked(one) for one in (queries, keys, value))
    square = torch.tril(queries @ keys.transpose(-1, -2))
    before = _before(keys.transpose(-1, -2) @ value)
    weights = square.sum(-1, keepdim=True) + queries @ _before(keys.sum(-2).unsqueeze(-1))
    made = (square @ value + queries @ before) / (weights + LEAST_SUM)
    return made.flatten(2, 3)[:, :, :tokens]


def _chunked(given: torch.Tensor) -> torch.Tensor:
    """rows x heads x tokens x numbers -> rows x heads x chunks x _CHUNK x numbers, filled up with zeros.

    One token at least is filled up: a length that may be zero is none that torch can export.
    """
    rows, heads, tokens, numbers = given.shape
    chunks = tokens // _CHUNK + 1
    filled = torch.cat([given, given.new_zeros(rows, heads, chunks * _CHUNK - tokens, numbers)], 2)
    return filled.reshape(rows, heads, chunks, _CHUNK, numbers)


def _before(sums: torch.Tensor) -> torch.Tensor:
    """Of each chunk, the sum of all chunks before it."""
    shifted = torch.cat([torch.zeros_like(sums[:, :, :1]), sums[:, :, :-1]], 2)
    return shifted.cumsum(2)
