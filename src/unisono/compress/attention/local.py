"""Softmax attention to the neighbours, and to and from a few tokens that see all (Beltagy et al.: Longformer, 2020)."""

from __future__ import annotations

import torch
from torch import nn


class LocalGlobal(nn.Module):
    """Each token sees those at most `window` away and the first few, which see everything.

    size:          numbers of a head.
    window:        tokens to each side; of the causal one, before.
    global_tokens: the first ones, at most as many as `window`; what a classifier reads should be among them.
    causal:        nothing is seen before it has come; then the first ones see only each other.
    """

    def __init__(self, size: int, window: int, global_tokens: int, *, causal: bool) -> None:
        super().__init__()
        self._scale, self._window, self._first = size**-0.5, window, global_tokens
        self.causal = causal

    def forward(self, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
        """Each rows x heads x tokens x size."""
        queries = self._filled(query * self._scale)
        made = self._near(queries, key, value).flatten(2, 3)
        if self._first > 0 and not self.causal:
            scores = queries[:, :, 0, : self._first] @ key.transpose(-1, -2)
            made = torch.cat([torch.softmax(scores, -1) @ value, made[:, :, self._first :]], 2)
        return made[:, :, : query.shape[-2]]

    def _near(self, queries: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
        """Blocks of `window` queries see three blocks of keys, less what is too far away."""
        scores = queries @ self._neighbours(key).transpose(-1, -2)
        scores = scores.masked_fill(~self._sees(key.shape[-2]), -torch.inf)
        return torch.softmax(scores, -1) @ self._neighbours(value)

    def _filled(self, given: torch.Tensor) -> torch.Tensor:
        """rows x heads x tokens x size -> rows x heads x blocks x window x size, filled up with at least one zero."""
        rows, heads, tokens, size = given.shape
        blocks = tokens // self._window + 1
        filled = torch.cat([given, given.new_zeros(rows, heads, blocks * self._window - tokens, size)], 2)
        return filled.reshape(rows, heads, blocks, self._window, size)

    def _neighbours(self, given: torch.Tensor) -> torch.Tensor:
        """For each block the one before, itself, the one behind, and the first tokens."""
        own = self._filled(given)
        nothing = torch.zeros_like(own[:, :, :1])
        before = torch.cat([nothing, own[:, :, :-1]], 2)
        behind = torch.cat([own[:, :, 1:], nothing], 2)
        first = own[:, :, :1, : self._first].expand(-1, -1, own.shape[2], -1, -1)
        sides = [before, own] if self.causal else [before, own, behind]
        return torch.cat([*sides, first], 3)

    def _sees(self, tokens: int) -> torch.Tensor:
        """blocks x window x keys of `_neighbours`: whether a query sees a key."""
        window = self._window
        blocks = tokens // window + 1
        start = torch.arange(blocks).reshape(-1, 1, 1) * window
        query = start + torch.arange(window).reshape(1, -1, 1)
        key = start - window + torch.arange((2 if self.causal else 3) * window).reshape(1, 1, -1)
        distance = query - key
        is_near = (distance <= window) & (distance >= (0 if self.causal else -window))
        is_near = is_near & (key >= self._first) & (key < tokens)
        first = torch.arange(self._first).reshape(1, 1, -1)
        is_there = (first < tokens) & ((first <= query) | (not self.causal))
        return torch.cat([is_near, is_there.expand(blocks, window, -1)], 2)
