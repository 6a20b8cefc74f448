"""A causal network as a graph of one event: what attention remembers comes in and goes out."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from unisono.compress.attention.kernels import LEAST_SUM, Kernel
from unisono.compress.attention.layers import Mixing
from unisono.compress.attention.recurrence import GIVEN, MADE
from unisono.compress.modules.replacing import replace_layer
from unisono.models.importers.torch_graph import Input, Meaning, frozen, graph_of, quiet
from unisono.spec.errors import ModelError
from unisono.spec.wording import listing

_STATE = "state"
_ROWS = 3  # of an example


def step_graph(module: nn.Module, width: int) -> bytes:
    """The graph: rows x width and a state a layer -> `answer` and the states after it.

    module: is changed. Raises ModelError if its attention is not of sums, and for what torch cannot export.
    """
    stepping = _Stepping(module)
    inputs = [Input(GIVEN, np.float32, (width,))]
    inputs += [Input(f"{_STATE}{place}", np.float64, shape) for place, shape in enumerate(stepping.shapes)]
    examples = [torch.from_numpy(np.zeros((_ROWS, *(side or 1 for side in one.shape)), one.kind)) for one in inputs]
    meaning = Meaning("outputs", names=(MADE, *(f"{_STATE}{place}_after" for place in range(len(stepping.shapes)))))
    with quiet():
        return graph_of(frozen(stepping), inputs, examples, meaning)


class _Tape:
    """What the layers remember, while one event goes through them."""

    def __init__(self) -> None:
        self.states: list[torch.Tensor] = []


class _Sums(nn.Module):
    """A kernel for one event. The last column of a state is the sum of the features themselves.

    Sums are of 64 bits: in 32 the sixteen-millionth event would change nothing any more.
    """

    def __init__(self, kernel: Kernel, tape: _Tape, place: int) -> None:
        super().__init__()
        self.features = kernel.features
        self._tape, self._place = tape, place

    def forward(self, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
        """Each rows x heads x 1 x size."""
        queries, keys = self.features.queries(query), self.features.keys(key)
        values = torch.cat([value, torch.ones_like(value[..., :1])], -1)
        state = self._tape.states[self._place] + (keys.transpose(-1, -2) @ values).double()
        self._tape.states[self._place] = state
        mixed = queries.double() @ state
        return (mixed[..., :-1] / (mixed[..., -1:] + LEAST_SUM)).float()


class _Stepping(nn.Module):
    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module, self._tape = module, _Tape()
        self.shapes = [self._changed(place, name) for place, name in enumerate(_mixings(module))]

    def _changed(self, place: int, name: str) -> tuple[int, int, int]:
        """The shape of the state of a layer, whose kernel remembers from now on."""
        mixing = self.module.get_submodule(name)
        assert isinstance(mixing, Mixing)
        assert isinstance(mixing.form, Kernel)
        kernel = mixing.form
        replace_layer(self.module, f"{name}.form", _Sums(kernel, self._tape, place))
        return mixing.heads, kernel.features.count, mixing.value.out_features // mixing.heads + 1

    def forward(self, event: torch.Tensor, *states: torch.Tensor) -> dict[str, torch.Tensor]:
        """rows x width and the states -> the answer and the states after it."""
        self._tape.states = list(states)
        answer = self.module(event.unsqueeze(1))[:, 0]
        after = {f"{_STATE}{place}_after": one for place, one in enumerate(self._tape.states)}
        return {MADE: answer, **after}


def _mixings(module: nn.Module) -> list[str]:
    """Names of attention that can be fed event by event. Raises ModelError if there is none, or one that cannot."""
    found = {name: one.form for name, one in module.named_modules() if isinstance(one, Mixing)}
    wrong = [name for name, form in found.items() if not (isinstance(form, Kernel) and form.causal)]
    others = [name for name, one in module.named_modules() if isinstance(one, nn.MultiheadAttention)]
    if wrong or others or not found:
        seen = listing([*wrong, *others]) if wrong or others else "no attention"
        raise ModelError(
            f"recurrence: {seen}; allowed: causal attention of the kind elu or performer, in every layer; make it with "
            "the step linear_attention, with `causal = true`"
        )
    return [*found]
