"""How long layers take: measured, by onnxruntime, one row and one thread, as they will be run."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from unisono.models.emit import Emitter, value
from unisono.models.session import Runner

_ROUNDS = 7
_ROUND_S = 0.004  # long enough for the clock, short enough to fit between two interruptions


def time_ms(layers: nn.Module, shape: tuple[int, ...]) -> float:
    """The quickest round of some, one row: what is left when nothing else disturbs.

    layers: a linear layer, a convolution, or some of them in a row.
    shape:  of what one row gives them.
    """
    feeds = {"given": np.random.default_rng(0).normal(size=(1, *shape)).astype(np.float32)}
    runner = Runner(_graph(layers, shape))
    calls = _calls(runner, feeds)
    return min(_round(runner, feeds, calls) for _ in range(_ROUNDS)) / calls * 1e3


def _calls(runner: Runner, feeds: dict[str, NDArray[np.float32]]) -> int:
    """As many as fill a round."""
    _round(runner, feeds, 2)
    return max(1, round(_ROUND_S / max(_round(runner, feeds, 3) / 3, 1e-9)))


def _round(runner: Runner, feeds: dict[str, NDArray[np.float32]], calls: int) -> float:
    start = perf_counter()
    for _ in range(calls):
        runner(feeds)
    return perf_counter() - start


def _graph(layers: nn.Module, shape: tuple[int, ...]) -> bytes:
    emit, name = Emitter(), "given"
    parts = list(layers) if isinstance(layers, nn.Sequential) else [layers]
    with torch.inference_mode():
        given = torch.zeros((1, *shape))
        for part in parts:
            name, given = _EMITTED[type(part)](emit, part, name), part(given)
    emit.rename(name, "made")
    model = emit.model([value("given", np.float32, 1, *shape)], [value("made", np.float32, *given.shape)])
    content: bytes = model.SerializeToString()
    return content


def _linear(emit: Emitter, layer: nn.Module, name: str) -> str:
    weight, *bias = _constants(layer)
    made = emit("MatMul", name, emit.constant(weight.T))
    return emit("Add", made, emit.constant(bias[0])) if bias else made


def _convolution(emit: Emitter, layer: nn.Module, name: str) -> str:
    assert isinstance(layer, nn.Conv2d)
    high, wide = (int(one) for one in layer.padding)
    return emit(
        "Conv",
        name,
        *(emit.constant(one) for one in _constants(layer)),
        strides=list(layer.stride),
        dilations=list(layer.dilation),
        pads=[high, wide, high, wide],
        group=layer.groups,
    )


def _constants(layer: nn.Module) -> list[NDArray[np.float32]]:
    """Its weight, and its bias if it has one."""
    return [one.detach().numpy() for one in layer.parameters()]


_EMITTED: dict[type[nn.Module], Callable[[Emitter, nn.Module, str], str]] = {
    nn.Linear: _linear,
    nn.Conv2d: _convolution,
}
