"""The integer network of an encoder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from unisono.compress.integer import floating, stems
from unisono.compress.integer.blocks import Site, attention, feed
from unisono.compress.integer.curves import IBERT, tanh
from unisono.compress.integer.encoder import Dense, Encoder, Floats, Head, Normal, Squares, Words
from unisono.compress.integer.growing import Aim, Growing, How, Value
from unisono.compress.integer.matrices import Whole
from unisono.compress.integer.rounding import INT32_TOP, compensated, int32
from unisono.compress.integer.scales import (
    RESIDUAL_TOP,
    Spans,
    Units,
    at_least_a_share,
    bytes_of,
    residual,
    residual_scale,
    uniform,
)
from unisono.kernel.integer.network import BYTE_TOP, WEIGHT_TOP, Activation, Add, Network, Pool, Scores


@dataclass(frozen=True)
class Rows:
    """What calibration shows.

    given:  token ids, text after text; or the rows of patches in 8 bits, image after image.
    bounds: where each text or image begins, and where the last one ends.
    """

    given: Whole = field(repr=False)
    bounds: Whole = field(repr=False)


@dataclass(frozen=True)
class Built:
    """A network, and how well it does on the calibration rows.

    errors: name of an instruction -> root mean square error, as a share of its numbers' spread.
    alphas: name -> how much of the difficulty was left with what a product is given.
    """

    network: Network
    errors: dict[str, float]
    alphas: dict[str, float]


Progress = Callable[[int, int | None], None]
"""Called with layers that are done, and how many there are."""

USUAL = How(IBERT, Spans())
"""Polynomials, and all that calibration shows."""


@dataclass(frozen=True)
class _Block:
    """Something that is added to the residual, with a normalisation before or after it.

    products: that read the normalised residual.
    adds:     what is added, in floats, to a normalised residual.
    make:     makes it, of 8 bits, in units of the residual.
    """

    name: str
    norm: Normal
    products: tuple[Dense, ...]
    adds: Callable[[Floats], Floats]
    make: Callable[[Value, Units], Value]


def built(encoder: Encoder, rows: Rows, *, how: How = USUAL, progress: Progress) -> Built:
    """The integer network of an encoder. Raises ModelError for what has no scale, with the layer's name."""
    building = _Building(encoder, rows, how)
    for number in range(len(encoder.layers)):
        progress(number, len(encoder.layers))
        building.layer(number)
    progress(len(encoder.layers), len(encoder.layers))
    return building.finished()


class _Building:
    def __init__(self, encoder: Encoder, rows: Rows, how: How) -> None:
        self._encoder, self._spans = encoder, how.spans
        self._made = Growing(rows.given, rows.bounds, how)
        self._alphas: dict[str, float] = {}
        self._norm: tuple[str, Normal] | None = None  # that the residual has to go through next
        if isinstance(encoder.stem, Words):
            self._last = stems.words(self._made, encoder.stem, rows.given)
            self._norm = ("embedding norm", encoder.stem.norm)
        else:
            self._last = stems.squares(self._made, encoder.stem, rows.given, self._widest(encoder.stem, rows))

    def _widest(self, stem: Squares, rows: Rows) -> float:
        """The scale of the one residual that goes through all layers."""
        bounds = rows.bounds + np.arange(len(rows.bounds))
        seen = [floating.joined(stem, rows.given / BYTE_TOP, rows.bounds)]
        for layer in self._encoder.layers:
            added = floating.added_by_attention(layer, floating.normal(layer.attention_norm, seen[-1]), bounds)
            seen += [added, seen[-1] + added]
            added = floating.added_by_feed(layer, floating.normal(layer.norm, seen[-1]))
            seen += [added, seen[-1] + added]
        return residual_scale(*seen)

    def layer(self, number: int) -> None:
        """Attention, then the two linear layers."""
        layer, bounds = self._encoder.layers[number], self._made.bounds
        site = Site(self._made, f"layer {number}", layer)
        add = self._add_after if self._encoder.norms == "before" else self._add_before
        add(
            _Block(
                f"{site.place} attention",
                layer.attention_norm,
                (layer.query, layer.key, layer.value),
                lambda numbers: floating.added_by_attention(layer, numbers, bounds),
                partial(attention, site),
            )
        )
        add(
            _Block(
                f"{site.place} feed",
                layer.norm,
                (layer.rise,),
                lambda numbers: floating.added_by_feed(layer, numbers),
                partial(feed, site),
            )
        )

    def _add_after(self, block: _Block) -> None:
        """After its normalisation; the residual goes on as it is."""
        before = self._last
        given = self._normed_bytes(f"{block.name} norm", before, block.norm, block.products)
        self._added(block, before, block.make(given, before.units), before.units, clipped=True)

    def _add_before(self, block: _Block) -> None:
        """Before its normalisation, which the sum goes through, and which takes out what zero points add up to."""
        before = self._residual(block.adds)
        given = self._bytes(f"{block.name} input", before, block.products)
        added = block.make(given, before.units)
        scale, zero = float(before.units.scale[0]), int(before.units.zero[0])
        self._added(block, before, added, uniform(scale, 2 * zero, 2 * RESIDUAL_TOP, before.width), clipped=False)
        self._norm = (f"{block.name} norm", block.norm)

    def _added(self, block: _Block, before: Value, added: Value, units: Units, *, clipped: bool) -> None:
        zero, top = (int(units.zero[0]), units.top) if clipped else (0, None)
        add = Add(f"{block.name} residual", before.place, added.place, zero, top)
        self._last = self._made.add(add, Aim(units, before.numbers + added.numbers))
        self._made.note_error(self._last)
        self._made.keep_only(self._last)

    def _residual(self, adds: Callable[[Floats], Floats]) -> Value:
        """The normalised residual, in units in which what is to be added fits, too."""
        assert self._norm is not None
        name, norm = self._norm
        numbers = floating.normal(norm, self._last.numbers)
        scale = residual_scale(numbers, adds(numbers))
        return self._made.norm(name, self._last, norm, Aim(residual(scale, self._last.width), numbers))

    def _bytes(self, name: str, given: Value, products: tuple[Dense, ...]) -> Value:
        units, self._alphas[name] = bytes_of(given.numbers, products, self._spans)
        return self._made.requantised(name, given, units)

    def _normed_bytes(self, name: str, given: Value, norm: Normal, products: tuple[Dense, ...]) -> Value:
        numbers = floating.normal(norm, given.numbers)
        units, self._alphas[name] = bytes_of(numbers, products, self._spans)
        return self._made.norm(name, given, norm, Aim(units, numbers))

    def finished(self) -> Built:
        """The network with what comes after the layers."""
        encoder, made = self._encoder, self._made
        if encoder.norms == "after":
            self._last = self._residual(lambda numbers: numbers)
        pool = Pool("pool", self._last.place, encoder.pool)
        numbers = floating.pooled(self._last.numbers, encoder.pool, made.bounds)
        pooled = made.add(pool, Aim(self._last.units, numbers))
        answer = pooled if encoder.head is None else self._head(pooled, encoder.head)
        made.note_error(answer)
        scale, zero = float(answer.units.scale[0]), int(answer.units.zero[0])
        return Built(Network(tuple(made.instructions), zero, scale), made.errors, self._alphas)

    def _head(self, pooled: Value, head: Head) -> Value:
        products = (head.scores,) if head.inner is None else (head.inner,)
        if self._encoder.final is not None:
            given = self._normed_bytes("final norm", pooled, self._encoder.final, products)
        else:
            given = self._bytes("head input", pooled, products)
        return self._scores(given if head.inner is None else self._inner(given, head.inner, head.curve), head.scores)

    def _inner(self, given: Value, inner: Dense, curve: str) -> Value:
        numbers = floating.dense(inner, given.numbers)
        width = numbers.shape[1]
        if curve == "relu":
            numbers = floating.CURVES["relu"](numbers)
            high = at_least_a_share(self._spans.of(numbers, BYTE_TOP)[1])
            units = Units(high / BYTE_TOP, np.zeros(width, int), BYTE_TOP)
            return self._made.linear("head", given, inner, Aim(units, numbers))
        how = tanh()
        argument = self._made.linear("head", given, inner, Aim(uniform(*how.argument, width), numbers))
        activation = Activation("head tanh", argument.place, how.function)
        return self._made.add(activation, Aim(uniform(*how.value, width), np.tanh(numbers)))

    def _scores(self, given: Value, dense: Dense) -> Value:
        """All scores have the same step, so that they can be compared as they are."""
        wide = dense.weights * given.units.scale[:, np.newaxis]
        step = max(float(np.abs(wide).max()), 1e-30) / WEIGHT_TOP
        inputs = self._made.inputs(given)
        weights = compensated(wide, np.full(wide.shape[1], step), inputs)
        bias = np.rint(dense.bias / step).astype(np.int64) - given.units.zero @ weights.astype(np.int64)
        scores = Scores("classifier", given.place, weights, int32("classifier", bias))
        units = uniform(step, 0, INT32_TOP, wide.shape[1])
        return self._made.add(scores, Aim(units, floating.dense(dense, given.numbers)))
