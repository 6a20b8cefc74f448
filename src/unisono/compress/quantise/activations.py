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
    """A value as rows x columns, with a scale for each row: rows x 1."""
    return site.once(name, "rows", lambda: _by_first_axis(site, site.flat(name), site.reading.least(name), axes=(-1,)))


def by_images(site: Site, name: str) -> Quantised:
    """A value of rows x channels x places with a scale for each row: rows x 1 x 1, ..."""
    axes = tuple(range(1, site.reading.rank(name) or 4))
    floor = site.reading.least(name)
    zero_or_none = None if floor else floor  # what is outside an image is 0
    return site.once(name, "images", lambda: _by_first_axis(site, site.narrow(name), zero_or_none, axes=axes))


def fixed(site: Site, name: str) -> Quantised:
    """A value with the scale of what was seen."""
    return site.once(name, "fixed", lambda: _fixed(site, name))


def _fixed(site: Site, name: str) -> Quantised:
    low, high = site.ranges[name]
    scale = np.float32(max((high - low) / _LARGEST, _SMALLEST))
    zero = min(max(round(-low / float(scale)), 0), _LARGEST)
    step = site.emit.constant(scale)
    return Quantised(_rounded(site, site.narrow(name), step, zero, axis=None), zero, step)


def by_matrices(site: Site, name: str) -> Quantised:
    """A value of ... x rows x columns with a scale for each matrix: ... x 1 x 1."""
    emit = site.emit
    x = site.narrow(name)
    top = emit("ReduceMax", emit("Abs", x), site.whole_numbers(-2, -1), keepdims=1)
    scale = _scale(site, top, _REACH)
    sides = emit("Concat", site.whole_numbers(-1), emit("Shape", x, start=-2), axis=0)
    flat = emit("Reshape", scale, site.whole_numbers(-1))
    numbers = _rounded(site, emit("Reshape", x, sides), flat, MIDDLE, axis=0)
    return Quantised(emit("Reshape", numbers, site.shape(name)), MIDDLE, scale)


def _by_first_axis(site: Site, x: str, floor: float | None, *, axes: tuple[int, ...]) -> Quantised:
    emit = site.emit
    if floor:
        x = emit("Sub", x, site.number(floor))
    top = emit("ReduceMax", x if floor is not None else emit("Abs", x), site.whole_numbers(*axes), keepdims=1)
    zero, reach = (MIDDLE, _REACH) if floor is None else (0, _LARGEST)
    scale = _scale(site, top, reach)
    numbers = _rounded(site, x, emit("Reshape", scale, site.whole_numbers(-1)), zero, axis=0)
    return Quantised(numbers, zero, scale, floor or 0.0)


def _scale(site: Site, top: str, reach: int) -> str:
    """Of the largest numbers; never 0, so that it can be divided by."""
    held = site.emit("Max", top, site.number(_SMALLEST * reach))
    return site.emit("Div", held, site.number(reach))


def _rounded(site: Site, x: str, scale: str, zero: int, *, axis: int | None) -> str:
    """To the nearest whole number, half to even, cut off at 0 and 255."""
    if axis is None:
        return site.emit("QuantizeLinear", x, scale, site.emit.constant(np.uint8(zero)))
    count = site.emit("Shape", scale)
    zeros = site.emit("Expand", site.emit.constant(np.array([zero], np.uint8)), count)
    return site.emit("QuantizeLinear", x, scale, zeros, axis=axis)
