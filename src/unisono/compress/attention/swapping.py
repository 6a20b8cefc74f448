"""Finds the attention layers of a module, and puts others in their place."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

import torch
from torch import nn

from unisono.compress.attention.features import Elu, Performer
from unisono.compress.attention.kernels import Kernel
from unisono.compress.attention.layers import Mixing, TorchAttention, TransformersAttention
from unisono.compress.attention.local import LocalGlobal
from unisono.compress.attention.pooled import Linformer
from unisono.compress.attention.step import LinearAttention
from unisono.compress.modules.replacing import refuse_unknown
from unisono.spec.errors import ModelError
from unisono.spec.wording import listing


@dataclass(frozen=True, slots=True)
class Parts:
    """What attention is made of; the linear layers are copies.

    is_causal: whether it was made to look at nothing that comes later.
    """

    query: nn.Linear
    key: nn.Linear
    value: nn.Linear
    out: nn.Linear | None
    heads: int
    is_causal: bool = False

    @property
    def size(self) -> int:
        """Numbers of a head."""
        return self.query.out_features // self.heads


def attentions_of(module: nn.Module, step: LinearAttention) -> dict[str, nn.Module]:
    """Name -> attention, of those that the step names.

    Raises ModelError if there is none, for one that cannot be replaced, and for a pattern that fits none.
    """
    known = {name: one for name, one in module.named_modules() if _looks_like_attention(one)}
    for pattern in (*step.include, *step.exclude):
        refuse_unknown(pattern, known)
    chosen = {name: one for name, one in known.items() if _fits(name, step.include) and not _fits(name, step.exclude)}
    unknown = {name: reason for name, one in chosen.items() if (reason := _unfit(one, step))}
    if unknown:
        seen = listing(f"{name}: {why}" for name, why in unknown.items())
        raise ModelError(
            f"linear_attention: {seen}; allowed: {listing(_KINDS)}, as they were trained; leave layers out with "
            "`exclude`, or correct the step"
        )
    if not chosen:
        kinds = listing(sorted({type(one).__name__ for one in module.modules()}))
        raise ModelError(
            f"linear_attention: no attention among {kinds}; allowed: {listing(_KINDS)}; give a model that has it, or "
            "include other layers"
        )
    return chosen


def _looks_like_attention(module: nn.Module) -> bool:
    """Also of those that cannot be replaced, so that they are named."""
    if isinstance(module, nn.MultiheadAttention):
        return True
    if not type(module).__module__.startswith("transformers.") or not _is_named_so(module):
        return False
    return not any(_is_named_so(inner) for inner in module.modules() if inner is not module)


def _is_named_so(module: nn.Module) -> bool:
    return type(module).__name__.endswith("Attention")


def _fits(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _unfit(module: nn.Module, step: LinearAttention) -> str | None:
    """Why it cannot be replaced; None: it can."""
    kind = type(module).__name__
    if kind not in _KINDS:
        return f"a {kind}"
    if isinstance(module, nn.MultiheadAttention):
        return _unfit_torch(module)
    if _parts(module).is_causal != step.causal:
        return f"was trained with causal = {str(not step.causal).lower()}"
    return None


def _unfit_torch(attention: Any) -> str | None:
    if attention.in_proj_weight is None:
        return "its keys or values are of another width than its queries"
    if attention.bias_k is not None or attention.add_zero_attn:
        return "it has keys of its own (bias_k, add_zero_attn)"
    return None


def replacement(attention: nn.Module, step: LinearAttention, positions: int) -> Mixing:
    """Other attention with the weights of one. What is random in it is drawn from torch's generator."""
    parts = _parts(attention)
    own: dict[str, Any] = {
        "query": parts.query,
        "key": parts.key,
        "value": parts.value,
        "out": parts.out,
        "heads": parts.heads,
        "form": form_of(step, parts.size, positions),
        "causal": step.causal,
    }
    if isinstance(attention, nn.MultiheadAttention):
        return TorchAttention(batch_first=attention.batch_first, **own)
    return TransformersAttention(**own)


def form_of(step: LinearAttention, size: int, positions: int) -> nn.Module:
    """What mixes tokens, as a step says, for heads of a size."""
    if step.kind == "elu":
        return Kernel(Elu(size), causal=step.causal)
    if step.kind == "performer":
        return Kernel(Performer(size, step.features or 2 * size, causal=step.causal), causal=step.causal)
    if step.kind == "linformer":
        return Linformer(size, step.slots, positions)
    return LocalGlobal(size, step.window, step.global_tokens, causal=step.causal)


def _parts(attention: nn.Module) -> Parts:
    return _KINDS[type(attention).__name__](attention)


def _of_bert(attention: Any) -> Parts:
    query, key, value = (deepcopy(one) for one in (attention.query, attention.key, attention.value))
    is_causal = bool(attention.is_causal or attention.is_decoder)
    return Parts(query, key, value, None, attention.num_attention_heads, is_causal)


def _of_distilbert(attention: Any) -> Parts:
    linear = (attention.q_lin, attention.k_lin, attention.v_lin, attention.out_lin)
    query, key, value, out = (deepcopy(one) for one in linear)
    return Parts(query, key, value, out, attention.n_heads)


def _of_torch(attention: Any) -> Parts:
    biases = [None] * 3 if attention.in_proj_bias is None else attention.in_proj_bias.chunk(3)
    weights = attention.in_proj_weight.chunk(3)
    query, key, value = (_linear(weight, bias) for weight, bias in zip(weights, biases, strict=True))
    out = _linear(attention.out_proj.weight, attention.out_proj.bias)
    return Parts(query, key, value, out, attention.num_heads)


def _linear(weight: torch.Tensor, bias: torch.Tensor | None) -> nn.Linear:
    made = nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None)
    with torch.no_grad():
        made.weight.copy_(weight)
        if bias is not None:
            made.bias.copy_(bias)
    return made


_KINDS: Mapping[str, Callable[[Any], Parts]] = {
    "BertSelfAttention": _of_bert,
    "RobertaSelfAttention": _of_bert,
    "ElectraSelfAttention": _of_bert,
    "DistilBertSelfAttention": _of_distilbert,
    "MultiheadAttention": _of_torch,
}
