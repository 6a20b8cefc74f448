"""Causal attention event by event: the same network as over a whole sequence, with a state that does not grow."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from hashlib import sha256
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unisono.compress.attention.state import Layout
from unisono.models.session import Runner
from unisono.spec.errors import InputError, ModelError

GIVEN, MADE = "event", "answer"
"""What a graph of one event reads and gives, beside the states."""

_TRIED = 96  # events, more than a chunk of the parallel form
_NEAR = 1e-3  # of the largest number; two orders of sums differ by less


class Recurrence:
    """A causal network, one event at a time.

    graph: as `recurrence_of` makes it; needs no torch to run.

    `begin()` is the state before the first event; states are bytes: see `state`. Raises ModelError for another graph.
    """

    __slots__ = ("_layout", "_runner", "graph", "width")

    def __init__(self, graph: bytes) -> None:
        self._runner = Runner(graph)
        self.graph = graph
        shapes = {name: shape[1:] for name, _, shape in self._runner.shapes}
        if self._runner.inputs[:1] != (GIVEN,) or len(shapes) != len(self._runner.outputs):
            raise ModelError(
                f"recurrence: a graph of {self._runner.inputs}; allowed: what `recurrence_of` makes; make it so"
            )
        self.width = int(shapes.pop(GIVEN)[0])
        self._layout = Layout(sha256(graph).digest()[:16], "<f8", tuple(map(tuple, shapes.values())))

    def begin(self) -> bytes:
        """The state before the first event."""
        return self._layout.begin()

    def step(self, state: bytes, event: NDArray[Any] | Sequence[float]) -> tuple[bytes, NDArray[np.float32]]:
        """The state after an event, and what the network says of it.

        event: finite numbers, as many as the network is wide.

        Raises StateError for bytes that are no state of this network, InputError for an event that does not fit.
        """
        events, sums = self._layout.read(state)
        feeds = {GIVEN: self._checked(event)[np.newaxis]}
        feeds |= {name: one[np.newaxis] for name, one in zip(self._runner.inputs[1:], sums, strict=True)}
        answer, *after = self._runner(feeds)
        return self._layout.write(events + 1, [one[0] for one in after]), answer[0]

    def _checked(self, event: NDArray[Any] | Sequence[float]) -> NDArray[np.float32]:
        numbers = np.asarray(event, np.float32)
        if numbers.shape != (self.width,) or not np.isfinite(numbers).all():
            seen = f"shape {list(numbers.shape)}" if numbers.shape != (self.width,) else "NaN or infinite"
            raise InputError(f"event: {seen}; allowed: {self.width} finite numbers; correct it")
        return numbers


def recurrence_of(module: Any, width: int) -> Recurrence:
    """A network event by event.

    module: of torch; rows x events x width -> rows x events x anything, with attention as the step `linear_attention`
            makes it, causal, of the kind "elu" or "performer"; it must not count places.
    width:  numbers of an event.

    It is tried on an example: event by event it must give what it gives over the whole. Raises ModelError if it does
    not, or cannot be fed event by event.
    """
    from unisono.compress.attention.stepping import step_graph

    made = Recurrence(step_graph(deepcopy(module).eval(), width))
    _refuse_other_answers(module, made)
    return made


def _refuse_other_answers(module: Any, made: Recurrence) -> None:
    import torch

    events = np.random.default_rng(0).normal(size=(_TRIED, made.width)).astype(np.float32)
    with torch.inference_mode():
        expected = deepcopy(module).eval()(torch.from_numpy(events)[None])[0].numpy()
    state, answers = made.begin(), []
    for event in events:
        state, answer = made.step(state, event)
        answers.append(answer)
    furthest = float(np.abs(np.array(answers) - expected).max())
    if furthest > _NEAR * float(np.abs(expected).max()):
        raise ModelError(
            f"recurrence: event by event its answers are up to {furthest:.3g} away from those over the whole; allowed: "
            "layers that look at one event, and causal attention; take out what counts places or sees what comes"
        )
