"""Replaces attention, if that pays, and lets what is new learn from what was there."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray
from torch import nn

from unisono.compress.attention import break_even
from unisono.compress.attention.imitating import layers_taught, taught_together
from unisono.compress.attention.layers import Mixing
from unisono.compress.attention.step import LinearAttention
from unisono.compress.attention.swapping import attentions_of, replacement
from unisono.compress.context import Context
from unisono.compress.data import sample_of
from unisono.compress.modules.batches import Batches
from unisono.compress.modules.model import TorchModel
from unisono.compress.modules.replacing import replace_layer
from unisono.compress.modules.seeds import deterministic
from unisono.models.importers.huggingface_modules import without_masks
from unisono.spec.errors import ModelError

_ROWS = 1000  # whose lengths are looked at


def replaced(model: TorchModel, step: LinearAttention, context: Context) -> tuple[TorchModel, dict[str, object]]:
    """A model with other attention, and what was found. Raises ModelError: see `LinearAttention`."""
    original = model.with_module(without_masks(deepcopy(model.module)))
    attentions = attentions_of(original.module, step)
    context.progress("looking at lengths", 0, None)
    lengths = lengths_of(original, attentions, sample_of(context.data.train, _ROWS, context.seed))
    positions = _positions(original.module, step, lengths)
    with deterministic(context.seed):
        mixings = {name: replacement(one, step, positions) for name, one in attentions.items()}
        first = next(iter(attentions.values()))
        of_any_length = replacement(first, step, break_even.LONGEST)
    context.progress("measuring the break-even length", 0, None)
    times = break_even.measured(first, of_any_length, lengths)
    if not step.force:
        break_even.refuse_slower(times, lengths)
    mixings = layers_taught(original, mixings, step, context)
    made = original.with_module(_with(original.module, mixings))
    made = taught_together(original, made, step, context)
    return made, _notes(step, mixings, times, lengths)


def lengths_of(model: TorchModel, attentions: Mapping[str, nn.Module], frame: pl.DataFrame) -> NDArray[np.int64]:
    """Tokens of each row that attention sees. No more of the module runs than what stands before it."""
    first = next(iter(attentions.values()))
    found = np.zeros(frame.height, np.int64)
    axis = 0 if getattr(first, "batch_first", True) is False else 1
    with torch.inference_mode():
        for batch in Batches(model, frame).in_order(frame.height):
            found[batch.rows] = _seen(model.module, first, batch.arguments, axis)
    return found


def _seen(module: nn.Module, attention: nn.Module, arguments: tuple[torch.Tensor, ...], axis: int) -> int:
    def tell(layer: nn.Module, given: tuple[torch.Tensor, ...], named: dict[str, torch.Tensor]) -> None:
        tensor = given[0] if given else next(iter(named.values()))
        raise _EnoughError(tensor.shape[axis])

    hook = attention.register_forward_pre_hook(tell, with_kwargs=True)
    try:
        module(*arguments)
    except _EnoughError as seen:
        return seen.tokens
    finally:
        hook.remove()
    raise ModelError(
        "linear_attention: an attention layer is never called by the module; allowed: layers that are used; leave it "
        "out with `exclude`"
    )


class _EnoughError(Exception):
    """Ends a forward pass. tokens: that attention was given."""

    def __init__(self, tokens: int) -> None:
        super().__init__()
        self.tokens = tokens


def _positions(module: nn.Module, step: LinearAttention, lengths: NDArray[np.int64]) -> int:
    """Tokens that a linformer can read. Raises ModelError if rows have more."""
    configs = (getattr(part, "config", None) for part in module.modules())
    said = [int(one) for config in configs if (one := getattr(config, "max_position_embeddings", None))]
    positions = step.positions or (said[0] if said else int(lengths.max()))
    if positions < lengths.max():
        raise ModelError(
            f"linear_attention: positions {positions:,}, and a row of {lengths.max():,} tokens; allowed: as many as "
            "the longest row has; say more, or leave `positions` out"
        )
    return positions


def _with(module: nn.Module, mixings: Mapping[str, Mixing]) -> nn.Module:
    made = deepcopy(module)
    for name, mixing in mixings.items():
        replace_layer(made, name, mixing)
    return made


def _notes(
    step: LinearAttention, mixings: Mapping[str, Mixing], times: break_even.Times, lengths: NDArray[np.int64]
) -> dict[str, object]:
    return {
        "kind": step.kind,
        "causal": step.causal,
        "layers": list(mixings),
        "break_even_tokens": times.break_even,
        "median_tokens": int(np.median(lengths)),
        "longest_tokens": int(lengths.max()),
        "attention_gain": round(times.gain(lengths), 3),
        "measured": [
            {"tokens": tokens, "before_ms": round(before, 4), "after_ms": round(after, 4)}
            for tokens, before, after in zip(times.tokens, times.before, times.after, strict=True)
        ],
    }
