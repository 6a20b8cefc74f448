"""What a student learns from the inside of its teacher: hidden states, and how tokens look at each other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from unisono.compress.distil.layers import blocks_of
from unisono.compress.modules.batches import Batch
from unisono.compress.modules.training import Precision
from unisono.spec.errors import ModelError
from unisono.spec.wording import listing

_LOOKING = (("query", "key", "value"), ("q_lin", "k_lin", "v_lin"), ("q_proj", "k_proj", "v_proj"))
"""What the three products of an attention are called: BERT, DistilBERT, most others."""


@dataclass(frozen=True, slots=True)
class Inside:
    """What went on inside a transformer at the last batch.

    states:  after each layer, rows x tokens x width.
    looking: query, key and value of the last layer, each rows x tokens x width.
    """

    states: dict[int, torch.Tensor] = field(default_factory=dict)
    looking: dict[int, torch.Tensor] = field(default_factory=dict)


@contextmanager
def watched(module: nn.Module) -> Iterator[Inside]:
    """Sees what goes on inside a transformer. Raises ModelError if it has no layers."""
    blocks = blocks_of(module)
    if blocks is None:
        raise no_layers(module, "hidden and attention")
    inside = Inside()
    handles = [layer.register_forward_hook(_keeper(inside.states, place)) for place, layer in enumerate(blocks)]
    for place, part in enumerate(_looking(blocks[-1])):
        handles.append(part.register_forward_hook(_keeper(inside.looking, place)))
    try:
        yield inside
    finally:
        for handle in handles:
            handle.remove()


def no_layers(module: nn.Module, wanted: str) -> ModelError:
    """What is said of a module that is no transformer.

    wanted: what needs one.
    """
    return ModelError(
        f"distil: {type(module).__name__} has no list of equal layers; allowed: a transformer, for {wanted}; choose "
        'student = "module" with hidden = 0 and attention = 0'
    )


def _keeper(kept: dict[int, torch.Tensor], place: int) -> Any:
    def keep(module: nn.Module, given: Any, made: Any) -> None:
        kept[place] = (made[0] if isinstance(made, tuple) else made).float()

    return keep


def _looking(layer: nn.Module) -> list[nn.Module]:
    parts = {name.rpartition(".")[2]: one for name, one in layer.named_modules()}
    return next(([parts[name] for name in names] for names in _LOOKING if all(name in parts for name in names)), [])


def hidden_loss(student: torch.Tensor, teacher: torch.Tensor) -> torch.Tensor:
    """How far hidden states point elsewhere: one minus the cosine (Sanh et al. 2019), 0 to 2.

    Of states of another width: how differently their tokens resemble each other, as the mean squared difference of
    the cosines between tokens (Tung, Mori 2019).
    """
    if student.shape[-1] == teacher.shape[-1]:
        return 1 - functional.cosine_similarity(student, teacher, dim=-1).mean()
    return functional.mse_loss(_resemblance(student), _resemblance(teacher))


def _resemblance(states: torch.Tensor) -> torch.Tensor:
    unit = functional.normalize(states, dim=-1)
    return unit @ unit.transpose(-1, -2)


def relation_loss(student: torch.Tensor, teacher: torch.Tensor, heads: int) -> torch.Tensor:
    """How differently tokens relate: the divergence of softmaxed products of queries (or keys, or values) among
    themselves (MiniLMv2: Wang, Bao, Huang, Dong, Wei 2021); the widths may differ.

    heads: that both are cut into.
    """
    said, wanted = _relations(student, heads), _relations(teacher, heads)
    return functional.kl_div(said, wanted, log_target=True, reduction="none").sum(dim=-1).mean()


def _relations(states: torch.Tensor, heads: int) -> torch.Tensor:
    rows, tokens, width = states.shape
    cut = states.reshape(rows, tokens, heads, width // heads).transpose(1, 2)
    return functional.log_softmax(cut @ cut.transpose(-1, -2) / (width // heads) ** 0.5, dim=-1)


@dataclass(slots=True)
class Hints:
    """Adds to a student's loss what the inside of its teacher says.

    teacher:   a module; it reads what the student reads.
    layers:    the teacher's layer that each of the student's stands for.
    hidden:    weight of the hidden states.
    attention: weight of the relations between tokens in the last layer.
    ids:       the teacher's token of each of the student's, if they have other numbers.
    precision: of the teacher's products, as of the student's.
    """

    teacher: nn.Module
    layers: Sequence[int]
    hidden: float
    attention: float
    ids: torch.Tensor | None = None
    precision: Precision = "float32"
    _student: Inside = field(default_factory=Inside)

    @contextmanager
    def watching(self, module: nn.Module) -> Iterator[None]:
        """While a student is trained."""
        with watched(module) as self._student:
            yield

    def __call__(self, module: nn.Module, batch: Batch, scores: torch.Tensor) -> torch.Tensor:
        """The loss of the batch that the student has just read."""
        arguments = batch.arguments if self.ids is None else tuple(self.ids[one] for one in batch.arguments)
        quick = torch.autocast("cpu", dtype=torch.bfloat16, enabled=self.precision == "bfloat16")
        with torch.no_grad(), quick, watched(self.teacher) as told:
            self.teacher(*arguments)
        loss = scores.new_zeros(())
        if self.hidden:
            parts = [hidden_loss(self._student.states[own], told.states[its]) for own, its in enumerate(self.layers)]
            loss = loss + self.hidden * torch.stack(parts).mean()
        if self.attention:
            loss = loss + self.attention * self._relation(told)
        return loss

    def _relation(self, told: Inside) -> torch.Tensor:
        pairs = [(self._student.looking[place], told.looking[place]) for place in told.looking]
        if not pairs or not self._student.looking:
            raise ModelError(
                f"distil: attention = {self.attention:g}, and the layers have no {listing(_LOOKING[0])}; allowed: "
                f"layers whose products are called {' or '.join('/'.join(names) for names in _LOOKING)}; "
                "set attention = 0"
            )
        return torch.stack([relation_loss(*pair, heads_of(self.teacher)) for pair in pairs]).mean()


def heads_of(module: nn.Module) -> int:
    """Heads of a transformer's attention; 1 if it does not say."""
    known = (getattr(getattr(part, "config", None), "num_attention_heads", None) for part in module.modules())
    return next((int(one) for one in known if one), 1)
