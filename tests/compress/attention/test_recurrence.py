"""A causal encoder event by event, in float: near to the whole sequence, with a state that is kept as bytes."""

from __future__ import annotations

import subprocess
import sys
from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from unisono.compress.attention.recurrence import Recurrence, recurrence_of
from unisono.compress.attention.step import LinearAttention
from unisono.compress.attention.swapping import attentions_of, replacement
from unisono.compress.modules.replacing import replace_layer
from unisono.spec.errors import InputError, ModelError, StateError

WIDTH = 16
FURTHEST = 1e-5
"""Of the largest number; twenty times what was measured."""


def encoder(step: LinearAttention) -> nn.Module:
    torch.manual_seed(0)
    layer = nn.TransformerEncoderLayer(WIDTH, 2, 32, dropout=0.0, batch_first=True)
    made = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False).eval()
    for name, attention in attentions_of(made, step).items():
        replace_layer(made, name, replacement(attention, step, 1))
    return made


@pytest.fixture(scope="module")
def module() -> nn.Module:
    return encoder(LinearAttention(causal=True))


@pytest.fixture(scope="module")
def recurrence(module: nn.Module) -> Recurrence:
    return recurrence_of(module, WIDTH)


def events(count: int) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    return np.random.default_rng(2).normal(size=(count, WIDTH)).astype(np.float32)


@pytest.mark.slow
def test_event_by_event_answers_are_near_those_over_the_whole(module: nn.Module, recurrence: Recurrence) -> None:
    given = events(500)
    with torch.inference_mode():
        expected = module(torch.from_numpy(given)[None])[0].numpy()
    state, answers = recurrence.begin(), []
    for event in given:
        state, answer = recurrence.step(state, event)
        answers.append(answer)
    assert np.abs(np.array(answers) - expected).max() < FURTHEST * np.abs(expected).max()
    assert len(state) == len(recurrence.begin())


@pytest.mark.slow
def test_a_state_that_is_saved_goes_on_in_another_process_with_the_same_bytes(
    recurrence: Recurrence, tmp_path: Path
) -> None:
    given, state = events(30), recurrence.begin()
    for event in given[:20]:
        state, _ = recurrence.step(state, event)
    (tmp_path / "graph").write_bytes(recurrence.graph)
    (tmp_path / "state").write_bytes(state)
    np.save(tmp_path / "events.npy", given[20:])
    subprocess.run([sys.executable, "-c", _CONTINUE, str(tmp_path)], check=True)
    for event in given[20:]:
        state, _ = recurrence.step(state, event)
    assert (tmp_path / "after").read_bytes() == state


_CONTINUE = """
import sys
from pathlib import Path
import numpy as np
from unisono.compress.attention.recurrence import Recurrence
folder = Path(sys.argv[1])
recurrence = Recurrence((folder / "graph").read_bytes())
state = (folder / "state").read_bytes()
for event in np.load(folder / "events.npy"):
    state, _ = recurrence.step(state, event)
assert "torch" not in sys.modules
(folder / "after").write_bytes(state)
"""


@pytest.mark.slow
def test_what_does_not_fit_is_refused(recurrence: Recurrence) -> None:
    with pytest.raises(InputError, match=r"event: shape \[3\]; allowed: 16 finite numbers"):
        recurrence.step(recurrence.begin(), [1.0, 2.0, 3.0])
    with pytest.raises(InputError, match="event: NaN or infinite"):
        recurrence.step(recurrence.begin(), [np.nan] * WIDTH)
    with pytest.raises(StateError, match="state of attention: 0 bytes"):
        recurrence.step(b"", events(1)[0])


@pytest.mark.slow
def test_a_network_that_counts_places_is_refused() -> None:
    class Placed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = encoder(LinearAttention(causal=True))

        def forward(self, given: torch.Tensor) -> torch.Tensor:
            made: torch.Tensor = self.inner(given + torch.arange(given.shape[1])[:, None] / 10)
            return made

    with pytest.raises(ModelError, match="take out what counts places or sees what comes"):
        recurrence_of(Placed(), WIDTH)


@pytest.mark.parametrize(
    "step", [LinearAttention(), LinearAttention(kind="local_global", causal=True)], ids=lambda one: one.kind
)
def test_attention_without_sums_over_the_past_is_refused(step: LinearAttention) -> None:
    with pytest.raises(ModelError, match=r"layers\.0\.self_attn.*allowed: causal attention of the kind elu or"):
        recurrence_of(encoder(step), WIDTH)


def test_a_network_without_attention_is_refused_and_left_as_it_is() -> None:
    plain = nn.Sequential(nn.Linear(WIDTH, 4))
    before = deepcopy(plain.state_dict())
    with pytest.raises(ModelError, match="no attention; allowed"):
        recurrence_of(plain, WIDTH)
    assert all(torch.equal(one, before[name]) for name, one in plain.state_dict().items())
