"""What a product is given, as whole numbers of 8 bits.

Row by row, a scale comes from the row alone, so that an answer does not depend on the rows beside it; a fixed scale
comes from rows that were seen. A row that has no number in it but zeros gets a scale that is not zero.
"""

from __future__ import annotations

import numpy as np

from unisono.compress.quantise.site import MIDDLE, Quantised, Site

_LARGEST = 255
_REACH = 127  # of a number from the middle
_SMALLEST = 1e-30


def by_rows(site: Site, name: str) -> Quantised:
    """A value of ... x columns with a scale for each row: ... x 1."""
    return site.once(name, "rows", lambda: _scaled(site, name, (-1,), site.reading.least(name)))


def by_images(site: Site, name: str) -> Quantised:
    """A value of rows x channels x places with a scale for each row: rows x 1 x 1, ..."""
    axes = tuple(range(1, site.reading.rank(name) or 4))
    floor = None if site.reading.least(name) else site.reading.least(name)  # what is outside an image is 0
    return site.once(name, "images", lambda: _scaled(site, name, axes, floor))


def by_matrices(site: Site, name: str) -> Quantised:
    """A value of ... x rows x columns with a scale for each matrix: ... x 1 x 1."""
    return site.once(name, "matrices", lambda: _scaled(site, name, (-2, -1), None))


def fixed(site: Site, name: str) -> Quantised:
    """A value with the scale of what was seen."""
    return site.once(name, "fixed", lambda: _fixed(site, name))


def _fixed(site: Site, name: str) -> Quantised:
    low, high = site.ranges[name]
    scale = np.float32(max((high - low) / _LARGEST, _SMALLEST))
    zero = min(max(round(-low / float(scale)), 0), _LARGEST)
    step = site.emit.constant(scale)
    numbers = site.emit("QuantizeLinear", site.narrow(name), step, site.emit.constant(np.uint8(zero)))
    return Quantised(numbers, zero, step)


def _scaled(site: Site, name: str, axes: tuple[int, ...], floor: float | None) -> Quantised:
    """With the scale of the largest number along some axes.

    floor: that no number is below, so that all 8 bits are for what is above it; None: numbers may be negative.

    The quotient is an operator of its own: QuantizeLinear with a scale for each row wants them in one axis, which takes
    two changes of shape and as many sides to be computed.
    """
    emit, x = site.emit, site.narrow(name)
    if floor:
        x = emit("Sub", x, site.number(floor))
    top = emit("ReduceMax", x if floor is not None else emit("Abs", x), site.whole_numbers(*axes), keepdims=1)
    zero, reach = (MIDDLE, _REACH) if floor is None else (0, _LARGEST)
    held = emit("Max", top, site.number(_SMALLEST * reach))  # never 0, so that it can be divided by
    scale = emit("Div", held, site.number(reach))
    steps = emit("Div", x, scale)
    numbers = emit("QuantizeLinear", steps, site.number(1), emit.constant(np.uint8(zero)))
    return Quantised(numbers, zero, scale, floor or 0.0, steps)
