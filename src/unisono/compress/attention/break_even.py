"""From which length on other attention is quicker: measured, by onnxruntime, one row and one thread, as it will run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from unisono.compress.attention.layers import Mixing
from unisono.models.importers.torch_graph import Input, Meaning, frozen, graph_of, quiet
from unisono.models.session import Runner
from unisono.spec.errors import ModelError

_SHORTEST, LONGEST = 16, 4096
"""Tokens that are tried, doubling. Softmax attention of more needs gigabytes."""

_ROUNDS, _TRIES = 7, 4
_ROUND_S = 0.003  # long enough for the clock, short enough to fit between two interruptions
_CERTAIN = 1.25
"""Times as quick, beyond the data's lengths, after which no longer ones are tried."""


@dataclass(frozen=True, slots=True)
class Times:
    """Of one layer, by length.

    tokens: rising.
    before: milliseconds of the original's attention.
    after:  milliseconds of the other.
    """

    tokens: tuple[int, ...]
    before: tuple[float, ...]
    after: tuple[float, ...]

    @property
    def break_even(self) -> int | None:
        """The fewest tokens from which on the other is quicker; None: it is not at any length that was tried.

        Between two lengths the logarithm of the ratio is a line over the logarithm of the length.
        """
        ratios = np.log(np.array(self.before) / np.array(self.after))
        slower = np.flatnonzero(ratios < 0)
        if len(slower) == 0:
            return self.tokens[0]
        last = int(slower[-1])
        if last == len(self.tokens) - 1:
            return None
        share = -ratios[last] / (ratios[last + 1] - ratios[last])
        low, high = np.log(self.tokens[last : last + 2])
        return int(np.ceil(np.exp(low + share * (high - low))))

    def gain(self, lengths: NDArray[np.int64]) -> float:
        """Times as quick for rows of these lengths together."""
        before, after = (self._at(lengths, times).sum() for times in (self.before, self.after))
        return float(before / after)

    def _at(self, lengths: NDArray[np.int64], times: Sequence[float]) -> NDArray[np.float64]:
        made: NDArray[np.float64] = np.exp(np.interp(np.log(lengths), np.log(self.tokens), np.log(times)))
        return made


def measured(attention: nn.Module, other: Mixing, lengths: NDArray[np.int64]) -> Times:
    """How long both take, at lengths up to the longest row's and on to where the other is surely quicker."""
    width = other.query.in_features
    runners = [_Runner(_Alone(one), width) for one in (attention, other)]
    tokens, before, after = [], [], []
    count = _SHORTEST
    while count <= LONGEST:
        own = _interleaved([runner.call(count) for runner in runners])
        tokens.append(count)
        before.append(own[0])
        after.append(own[1])
        if count >= lengths.max() and own[0] > _CERTAIN * own[1]:
            break
        count *= 2
    return Times(tuple(tokens), tuple(before), tuple(after))


def refuse_slower(times: Times, lengths: NDArray[np.int64]) -> None:
    """Raises ModelError if rows of these lengths would take longer, with the length that they should have."""
    gain = times.gain(lengths)
    if gain > 1:
        return
    even = times.break_even
    needed = f"rows of {even:,} tokens or more" if even else f"no length up to {times.tokens[-1]:,} tokens"
    raise ModelError(
        f"linear_attention: rows of {int(np.median(lengths)):,} tokens (median; the longest {lengths.max():,}), whose "
        f"attention would take {1 / gain:.2f} times as long on this machine; allowed: {needed}, where it is quicker; "
        "leave the step out, or say `force = true`"
    )


class _Alone(nn.Module):
    """An attention layer: rows x tokens x width, the same again."""

    def __init__(self, attention: nn.Module) -> None:
        super().__init__()
        self.attention: Any = attention

    def forward(self, given: torch.Tensor) -> dict[str, torch.Tensor]:
        """What it gives, by name, as an importer takes it."""
        if isinstance(self.attention, Mixing):
            return {"made": self.attention.mixed(given)}
        if not isinstance(self.attention, nn.MultiheadAttention):
            return {"made": self.attention(given)[0]}
        if self.attention.batch_first:
            return {"made": self.attention(given, given, given, need_weights=False)[0]}
        turned = given.transpose(0, 1)
        return {"made": self.attention(turned, turned, turned, need_weights=False)[0].transpose(0, 1)}


class _Runner:
    def __init__(self, module: nn.Module, width: int) -> None:
        self._width = width
        example = [torch.zeros(3, 9, width)]
        given = [Input("given", np.float32, (None, width))]
        with quiet():
            self._run = Runner(graph_of(frozen(module), given, example, Meaning("outputs", names=("made",))))

    def call(self, tokens: int) -> Callable[[], object]:
        """Runs it once, on a row of so many tokens."""
        feeds = {"given": np.random.default_rng(0).normal(size=(1, tokens, self._width)).astype(np.float32)}
        return lambda: self._run(feeds)


def _interleaved(calls: Sequence[Callable[[], object]]) -> list[float]:
    """Milliseconds of each: the quickest round of some, in turns, so that what disturbs disturbs both."""
    counts = [_count(one) for one in calls]
    best = [float("inf")] * len(calls)
    for _ in range(_ROUNDS):
        for place, (call, count) in enumerate(zip(calls, counts, strict=True)):
            best[place] = min(best[place], _round(call, count) / count * 1e3)
    return best


def _count(call: Callable[[], object]) -> int:
    """Calls that fill a round, by the quickest of some: the first of a length is slow, and any may be interrupted."""
    once = min(_round(call, 1) for _ in range(_TRIES))
    return max(1, round(_ROUND_S / max(once, 1e-9)))


def _round(call: Callable[[], object], count: int) -> float:
    start = perf_counter()
    for _ in range(count):
        call()
    return perf_counter() - start
