"""Softmax attention over few keys and values, each of which is a mix of many (Wang et al.: Linformer, 2020)."""

from __future__ import annotations

import torch
from torch import nn

from unisono.spec.errors import InputError


class Linformer(nn.Module):
    """Keys and values are multiplied with a matrix, slots x tokens, that learns; heads share it.

    It begins as the mean of neighbours: with no more tokens than slots each has its own, and this is the attention that
    it stands for. The paper's matrix is of one length; cut to short texts it would leave most slots empty, and empty
    slots take weight. So the neighbours are of the length that comes, what learns is added, and empty slots are left
    out.

    size:      numbers of a head.
    slots:     keys that there are.
    positions: tokens that there can be at most.
    """

    def __init__(self, size: int, slots: int, positions: int) -> None:
        super().__init__()
        self._scale, self._slots, self._positions = size**-0.5, slots, positions
        self.key_mix = nn.Parameter(torch.zeros(slots, positions))
        self.value_mix = nn.Parameter(torch.zeros(slots, positions))

    def forward(self, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
        """Each rows x heads x tokens x size. Raises InputError for more tokens than there can be."""
        tokens = key.shape[-2]
        if not torch.compiler.is_compiling() and tokens > self._positions:
            raise InputError(
                f"linformer: {tokens:,} tokens; allowed: {self._positions:,}, which it was made for; cut them off, or "
                "make it anew with `positions`"
            )
        places = torch.arange(tokens)
        means, is_used = self._means(places, (tokens + self._slots - 1) // self._slots)
        keys = (means + self.key_mix.index_select(1, places)) @ key
        values = (means + self.value_mix.index_select(1, places)) @ value
        scores = query @ keys.transpose(-1, -2) * self._scale
        return torch.softmax(scores.masked_fill(~is_used, -torch.inf), -1) @ values

    def _means(self, places: torch.Tensor, width: int) -> tuple[torch.Tensor, torch.Tensor]:
        """slots x tokens: the share of each token in its slot; and which slots have any.

        width: tokens of a slot.
        """
        belongs = places // width == torch.arange(self._slots).unsqueeze(1)
        counts = belongs.sum(1, keepdim=True)
        return belongs.float() / counts.clamp(min=1), counts[:, 0] > 0
