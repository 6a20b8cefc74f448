"""Layers that take the place of softmax attention: the same projections, another way to mix tokens."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from unisono.spec.errors import ModelError


class Mixing(nn.Module):
    """Tokens as queries, keys and values, mixed by a form.

    query, key, value: of what comes in.
    out:   of what is mixed; None: it is given as it is.
    heads: that the width is cut into.
    form:  (queries, keys, values) -> mixed, each rows x heads x tokens x size.
    """

    def __init__(
        self, *, query: nn.Linear, key: nn.Linear, value: nn.Linear, out: nn.Linear | None, heads: int, form: nn.Module
    ) -> None:
        super().__init__()
        self.query, self.key, self.value, self.out = query, key, value, out
        self.heads, self.form = heads, form

    def mixed(self, given: torch.Tensor) -> torch.Tensor:
        """rows x tokens x width, the same again."""
        parts = [self._in_heads(one(given)) for one in (self.query, self.key, self.value)]
        made: torch.Tensor = _precise(self.form, parts)
        flat = made.transpose(1, 2).flatten(2).to(given.dtype if self.out is None else self.out.weight.dtype)
        return flat if self.out is None else self.out(flat)

    def _in_heads(self, given: torch.Tensor) -> torch.Tensor:
        rows, tokens, width = given.shape
        return given.reshape(rows, tokens, self.heads, width // self.heads).transpose(1, 2)


def _precise(form: nn.Module, parts: list[torch.Tensor]) -> Any:
    """Sums over many tokens in float32, also where the rest is multiplied in 16 bits."""
    if not torch.is_autocast_enabled("cpu"):
        return form(*parts)
    with torch.autocast("cpu", enabled=False):
        return form(*(one.float() for one in parts))


class TransformersAttention(Mixing):
    """In the place of attention in a model of transformers.

    causal: what comes later is not seen.
    """

    def __init__(self, *, causal: bool, **parts: Any) -> None:
        super().__init__(**parts)
        self.causal = causal

    def forward(
        self, hidden_states: torch.Tensor, attention_mask: torch.Tensor | None = None, **others: Any
    ) -> tuple[torch.Tensor, None]:
        """What it gives, and no weights. Raises ModelError for a mask that hides something else."""
        if attention_mask is not None:
            is_seen = attention_mask if attention_mask.dtype == torch.bool else attention_mask == 0
            _refuse_other_mask(is_seen, causal=self.causal)
        return self.mixed(hidden_states), None


class TorchAttention(Mixing):
    """In the place of `torch.nn.MultiheadAttention` that attends to what it is given.

    batch_first: rows come before tokens.
    causal:      what comes later is not seen.
    """

    in_proj_bias = None  # says to torch.nn.TransformerEncoderLayer that it cannot read the weights itself
    _qkv_same_embed_dim = False

    def __init__(self, *, batch_first: bool, causal: bool, **parts: Any) -> None:
        super().__init__(**parts)
        self.batch_first, self.causal = batch_first, causal

    def forward(
        self,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        key_padding_mask: torch.Tensor | None = None,
        need_weights: bool = True,
        attn_mask: torch.Tensor | None = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[torch.Tensor, None]:
        """What it gives, and no weights.

        Raises ModelError for a mask that hides something else, and for queries that are not the keys.
        """
        for mask in (attn_mask, key_padding_mask):
            if mask is not None:
                is_seen = ~mask if mask.dtype == torch.bool else mask == 0
                _refuse_other_mask(is_seen, causal=self.causal and mask is attn_mask)
        if query is not key or key is not value:
            raise ModelError(
                "linear_attention: queries are of another tensor than keys; allowed: attention of a tensor to itself; "
                "leave this layer out with `exclude`"
            )
        if self.batch_first:
            return self.mixed(query), None
        return self.mixed(query.transpose(0, 1)).transpose(0, 1), None


def _refuse_other_mask(is_seen: torch.Tensor, *, causal: bool) -> None:
    """A mask may hide what a causal layer does not see, and nothing else.

    While a graph is made its values are not known, and an importer feeds rows of one length without a mask: what is
    there then comes from the library.
    """
    if torch.compiler.is_compiling():
        return
    wanted = torch.ones(is_seen.shape[-2:], dtype=torch.bool)
    if not bool((is_seen == (wanted.tril() if causal else wanted)).all()):
        allowed = "what comes later is hidden, nothing else" if causal else "nothing is hidden"
        raise ModelError(
            f"linear_attention: a mask; allowed: {allowed}; feed rows of one length together without a mask, or say "
            f"`causal = {str(not causal).lower()}`"
        )
