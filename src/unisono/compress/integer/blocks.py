"""Attention, and the two linear layers after it, as instructions."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import ceil, sqrt

import numpy as np

from unisono.compress.integer import curves, floating
from unisono.compress.integer.encoder import Dense, Floats, Layer
from unisono.compress.integer.growing import Aim, Growing, Value
from unisono.compress.integer.scales import Spans, Units, at_least_a_share, uniform
from unisono.kernel.integer.network import (
    BYTE_TOP,
    KEY_TOP,
    KEY_ZERO,
    QUERY_ZERO,
    Activation,
    Attention,
)

_FRACTIONS = (10, 9, 8, 7, 6)
_REACHES = (3.0, 3.5, 4.0, 4.5, 5.0, 6.0, 8.0, 12.0, 16.0, 24.0)
_MOST_PIECES = 1 / 64  # of the width, that are added for numbers beyond GELU's reach
_SPARE = 1.1  # what is beyond calibration's largest number is still within reach


@dataclass(frozen=True)
class Site:
    """Where a layer goes.

    place: what its names begin with.
    """

    made: Growing
    place: str
    layer: Layer


def attention(site: Site, given: Value, target: Units) -> Value:
    """Attention and its output.

    given:  8 bits.
    target: units of the residual.

    What all keys of a head have in common changes no softmax, so their middle is taken out; the middle of the values
    goes into the bias that comes after.
    """
    made, place, layer, spans = site.made, site.place, site.layer, site.made.how.spans
    keys, values = _centred(layer.key, given.numbers, spans), _centred(layer.value, given.numbers, spans)
    query = floating.dense(layer.query, given.numbers)
    key, value = floating.dense(keys, given.numbers), floating.dense(values, given.numbers)
    fraction, query_scale, key_scale = _score_scales(query, key, query.shape[1] // layer.heads)
    value_scale = np.abs(spans.of(value, KEY_TOP)).max(axis=0) / KEY_ZERO
    sides = made.linears(
        given,
        {
            f"{place} query": (layer.query, Aim(_about(query_scale, QUERY_ZERO, BYTE_TOP), query)),
            f"{place} key": (keys, Aim(_about(key_scale, KEY_ZERO, KEY_TOP), key)),
            f"{place} value": (values, Aim(_about(value_scale, KEY_ZERO, KEY_TOP), value)),
        },
    )
    instruction = Attention(
        f"{place} attention",
        query=sides[0].place,
        key=sides[1].place,
        value=sides[2].place,
        heads=layer.heads,
        exponential=made.how.curves.exponential(fraction),
    )
    mean = floating.attended(query, key, value, layer.heads, made.bounds)
    found = made.add(instruction, Aim(_about(value_scale / 2, QUERY_ZERO, BYTE_TOP), mean))
    output = replace(layer.output, bias=layer.output.bias + (layer.value.bias - values.bias) @ layer.output.weights)
    return made.linear(f"{place} output", found, output, Aim(target, floating.dense(output, mean)))


def _about(scale: Floats, zero: int, top: int) -> Units:
    return Units(scale, np.full(len(scale), zero), top)


def _centred(dense: Dense, given: Floats, spans: Spans) -> Dense:
    low, high = spans.of(floating.dense(dense, given), KEY_TOP)
    return replace(dense, bias=dense.bias - (low + high) / 2)


def _score_scales(query: Floats, key: Floats, size: int) -> tuple[int, Floats, Floats]:
    """The finest step of scores in which queries and keys fit, and their scales, whose product it is.

    A step is ln2 / 2**fraction, with the 1 / sqrt(size) of attention. Within what fits, columns are scaled so that both
    sides' rounding does the same harm.
    """
    widest_query, widest_key = (at_least_a_share(np.abs(one).max(axis=0)) for one in (query, key))
    most = (widest_query * widest_key).max() / ((BYTE_TOP - QUERY_ZERO) * KEY_ZERO)
    steps = {one: curves.STEP_OF_SCORES / 2**one * sqrt(size) for one in _FRACTIONS}
    fraction = next((one for one in _FRACTIONS if steps[one] >= most), _FRACTIONS[-1])
    step = steps[fraction]
    usual_query, usual_key = (at_least_a_share(np.sqrt((one**2).mean(axis=0))) for one in (query, key))
    even = np.sqrt(step * usual_key / usual_query)
    least = widest_key / KEY_ZERO
    scale = np.clip(even, least, np.maximum((BYTE_TOP - QUERY_ZERO) * step / widest_query, least))
    return fraction, step / scale, scale


def feed(site: Site, given: Value, target: Units) -> Value:
    """The two linear layers. See `attention`."""
    made, place, layer = site.made, site.place, site.layer
    if layer.curve == "relu":
        return _fed_by_relu(site, given, target)
    numbers = floating.dense(layer.rise, given.numbers)
    reach, rise, fall = _within_reach(layer, numbers)
    argument_numbers = floating.dense(rise, given.numbers)
    gelu = made.how.curves.gelu(reach)
    width = argument_numbers.shape[1]
    argument = made.linear(f"{place} rise", given, rise, Aim(uniform(*gelu.argument, width), argument_numbers))
    aim = Aim(uniform(*gelu.value, width), floating.CURVES["gelu"](argument_numbers))
    found = made.add(Activation(f"{place} gelu", argument.place, gelu.function), aim)
    return made.linear(f"{place} fall", found, fall, Aim(target, floating.added_by_feed(layer, given.numbers)))


def _fed_by_relu(site: Site, given: Value, target: Units) -> Value:
    """What is below 0 is cut off by the register, whose columns have units of their own."""
    made, place, layer = site.made, site.place, site.layer
    numbers = floating.CURVES["relu"](floating.dense(layer.rise, given.numbers))
    high = at_least_a_share(made.how.spans.of(numbers, BYTE_TOP)[1])
    found = made.linear(f"{place} rise", given, layer.rise, Aim(_about(high / BYTE_TOP, 0, BYTE_TOP), numbers))
    return made.linear(f"{place} fall", found, layer.fall, Aim(target, floating.added_by_feed(layer, given.numbers)))


def _within_reach(layer: Layer, numbers: Floats) -> tuple[float, Dense, Dense]:
    """How far GELU goes, and both layers with columns for what is beyond it.

    A column that goes beyond is there again with `reach` taken off: GELU(x) is about GELU(x) cut off at reach, and
    GELU(x - reach), and so on, as outlier channels are split by Zhao et al. 2019. The smallest reach that needs few
    such columns is taken, since it has the finest step.
    """
    widest = _SPARE * numbers.max(axis=0)
    pieces = {reach: np.maximum(np.ceil(widest / reach).astype(int) - 1, 0) for reach in _reaches(widest)}
    reach = next(one for one in pieces if pieces[one].sum() <= _MOST_PIECES * numbers.shape[1])
    again = np.repeat(np.arange(len(widest)), pieces[reach])
    off = reach * np.concatenate([np.arange(1, count + 1) for count in pieces[reach]] or [np.zeros(0)])
    rise, fall = layer.rise, layer.fall
    return (
        reach,
        Dense(np.hstack([rise.weights, rise.weights[:, again]]), np.hstack([rise.bias, rise.bias[again] - off])),
        Dense(np.vstack([fall.weights, fall.weights[again]]), fall.bias),
    )


def _reaches(widest: Floats) -> tuple[float, ...]:
    return (*_REACHES, float(max(ceil(widest.max()), 1)))
