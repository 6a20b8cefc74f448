"""Integer attention of a layer in float, and of events that are like those that will come."""

from __future__ import annotations

from math import frexp

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from unisono.compress.attention.features import Elu
from unisono.compress.attention.integers import (
    FEATURE_TOP,
    MEAN_BITS,
    MOST_SHIFT,
    TOP,
    IntegerAttention,
    Ints,
    Linear,
)
from unisono.compress.attention.kernels import Kernel
from unisono.compress.attention.layers import Mixing
from unisono.spec.errors import InputError, ModelError

_MULTIPLIER_BITS = 30
_HELD = 2.0**40
"""What is larger is far too large in any case, and is refused as such."""

_LEAST_SCALE = 1e-12
Floats = NDArray[np.float64]


def integer_attention_of(layer: Mixing, events: NDArray[np.floating]) -> IntegerAttention:
    """A layer in whole numbers of 8 bits.

    layer:  causal, of the kind "elu".
    events: finite, events x width; the largest of what they become are the largest numbers that there can be.

    Raises ModelError for another layer, and for weights that cannot be scaled so that nothing overflows; InputError for
    events that do not fit.
    """
    _refuse_other_layer(layer)
    given = _checked(events, layer.query.in_features)
    scale = _scale(given)
    parts = {name: getattr(layer, name) for name in ("query", "key", "value")}
    made = {name: _float(one, given) for name, one in parts.items()}
    scales = {name: _scale(one) for name, one in made.items()}
    with torch.inference_mode():
        answer = layer.mixed(torch.from_numpy(given[None].astype(np.float32)))[0].numpy()
    answer_scale = _scale(answer)
    out = layer.out if layer.out is not None else _same(layer.value.out_features)
    return IntegerAttention(
        query=_linear(layer.query, scale, scales["query"]),
        key=_linear(layer.key, scale, scales["key"]),
        value=_linear(layer.value, scale, scales["value"]),
        out=_linear(out, scales["value"] / (1 << MEAN_BITS), answer_scale),
        query_features=_features(scales["query"]),
        key_features=_features(scales["key"]),
        heads=layer.heads,
        event_scale=scale,
        answer_scale=answer_scale,
    )


def _refuse_other_layer(layer: Mixing) -> None:
    form = layer.form
    if not (isinstance(form, Kernel) and form.causal and isinstance(form.features, Elu)):
        raise ModelError(
            f"integer attention: a {type(form).__name__}; allowed: a causal layer of the kind elu; make it with the "
            'step linear_attention, with kind = "elu" and causal = true'
        )


def _checked(events: NDArray[np.floating], width: int) -> Floats:
    given = np.asarray(events, np.float64)
    if given.shape[1:] != (width,) or len(given) == 0 or not np.isfinite(given).all():
        seen = f"shape {list(given.shape)}" + ("" if np.isfinite(given).all() else ", NaN or infinite")
        raise InputError(f"events: {seen}; allowed: finite numbers, events x {width}; correct them")
    return given


def _scale(numbers: NDArray[np.floating]) -> float:
    return max(float(np.abs(numbers).max()), _LEAST_SCALE) / TOP


def _float(layer: nn.Linear, given: Floats) -> Floats:
    with torch.inference_mode():
        made: Floats = layer(torch.from_numpy(given.astype(np.float32))).numpy().astype(np.float64)
    return made


def _same(width: int) -> nn.Linear:
    made = nn.Linear(width, width, bias=False)
    with torch.no_grad():
        made.weight.copy_(torch.eye(width))
    return made


def _linear(layer: nn.Linear, given: float, made: float) -> Linear:
    """Weights of 8 bits, row by row. given, made: what a step of the inputs and of the outputs is worth."""
    numbers = {name: one.detach().numpy().astype(np.float64) for name, one in layer.named_parameters()}
    weights = numbers["weight"]
    scales = np.maximum(np.abs(weights).max(axis=1), _LEAST_SCALE) / TOP
    whole = np.rint(weights / scales[:, None]).astype(np.int64)
    bias = numbers.get("bias", np.zeros(len(whole)))
    factors = scales * given / made
    shift = min(max(_MULTIPLIER_BITS - frexp(factors.max())[1], 1), MOST_SHIFT)
    real = (bias / (scales * given), factors * 2.0**shift)
    steps, multipliers = (np.rint(np.clip(one, -_HELD, _HELD)).astype(np.int64) for one in real)
    return Linear(whole, steps, multipliers, shift)


def _features(scale: float) -> Ints:
    """elu(x) + 1 of each number, as a share of the largest, which becomes FEATURE_TOP; 1 at least."""
    numbers = np.arange(-TOP, TOP + 1) * scale
    features = np.where(numbers > 0, numbers + 1, np.exp(np.minimum(numbers, 0)))
    made: Ints = np.maximum(np.rint(features / features.max() * FEATURE_TOP), 1).astype(np.int64)
    return made
