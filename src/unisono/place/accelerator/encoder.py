"""An encoder as an accelerator sees it: how many layers, how wide, how many tokens."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from unisono.place.accelerator.attention import Attention, Softmax
from unisono.place.accelerator.checking import check_counts
from unisono.place.accelerator.steps import Product, Rowwise, Step
from unisono.spec.errors import DefinitionError

_LEAST = {"layers": 1, "width": 1, "heads": 1, "inner": 1, "tokens": 1, "patch": 0, "outputs": 0}


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoder:
    """A transformer that reads a text or an image.

    layers, width, heads: of its blocks.
    inner:     width inside a feed-forward layer.
    tokens:    that it reads at once; of an image its patches, and one for the class.
    attention: of every layer.
    patch:     numbers of a patch, for an encoder of images; 0: tokens are looked up in a table.
    outputs:   of the last product; 0: there is none.

    Raises DefinitionError, all faults together.

    >>> Encoder(layers=6, width=384, heads=12, inner=1536, tokens=128).parameters
    10616832
    """

    layers: int
    width: int
    heads: int
    inner: int
    tokens: int
    attention: Attention = field(default_factory=Softmax)
    patch: int = 0
    outputs: int = 0

    def __post_init__(self) -> None:
        check_counts("encoder", self, _LEAST)
        if self.patch and self.tokens == 1:
            raise DefinitionError("encoder: tokens: 1 of an image; allowed: 2 or more (patches, and one for the class)")
        if self.width % self.heads:
            raise DefinitionError(
                f"encoder: heads: {self.heads} of a width of {self.width}; allowed: what divides the width"
            )

    @property
    def parameters(self) -> int:
        """Numbers of weights in products; tables of tokens, biases and normalisations are not among them."""
        return sum(one.weights for _, one in self.steps() if isinstance(one, Product))

    def steps(self) -> Iterator[tuple[str, Step]]:
        """What is done, in order: the place ("input", "layer 0", ..., "answer") and the step."""
        yield from (("input", one) for one in self._input())
        for place in range(self.layers):
            yield from ((f"layer {place}", one) for one in self._layer())
        if self.outputs:
            yield "answer", Product("classes", 1, self.width, self.outputs)

    def _input(self) -> Iterator[Step]:
        if self.patch:
            yield Product("patches", self.tokens - 1, self.patch, self.width)
        else:
            yield Rowwise("tokens", "lookup", self.tokens, self.width)
        yield Rowwise("positions", "lookup", self.tokens, self.width)
        yield Rowwise("norm", "norm", self.tokens, self.width)

    def _layer(self) -> Iterator[Step]:
        tokens, width = self.tokens, self.width
        yield Product("queries, keys, values", tokens, width, 3 * width)
        yield from self.attention.steps(tokens, self.heads, width // self.heads)
        yield Product("after attention", tokens, width, width)
        yield from self._joined()
        yield Product("feed forward, out", tokens, width, self.inner)
        yield Rowwise("gelu", "gelu", tokens, self.inner)
        yield Product("feed forward, back", tokens, self.inner, width)
        yield from self._joined()

    def _joined(self) -> Iterator[Step]:
        yield Rowwise("residual", "residual", self.tokens, self.width)
        yield Rowwise("norm", "norm", self.tokens, self.width)
