"""Functions of one small number out of operators; those without a formula are looked up, which is slow (8 ns a number).

The operators of a formula are run for every argument that there is, and compared with the function's table.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
import numpy.typing as npt

from unisono.kernel.integer.functions import Bytes, Function, Gelu, Polynomial
from unisono.kernel.integer.network import Network
from unisono.models.emit import Emitter, value
from unisono.models.integer.proving import Proof
from unisono.models.integer.site import Site
from unisono.models.session import Runner
from unisono.spec.errors import ModelError

_ZEROS_BEYOND = 64  # arguments behind a table's end that are tried
_BYTE = 8


def activated(site: Site, given: str, function: Function) -> str:
    """function.table()[given], number by number, int32 -> uint8."""
    if not isinstance(function, Gelu):
        return site.emit("Gather", site.emit.constant(function.table()), given)
    _check(function)
    return _gelu(site, given, function)


def weighted(site: Site, scores: str, function: Function) -> str:
    """function.table()[largest of the row - score], number by number, int32 -> uint8."""
    if isinstance(function, Polynomial):
        _check(function)
        return _polynomial(site, scores, function)
    emit, table = site.emit, function.table()
    gap = emit("Sub", _largest(site, scores), scores)
    return emit("Gather", emit.constant(table), emit("Min", gap, site.number(len(table) - 1)))


def _largest(site: Site, scores: str) -> str:
    return site.emit("ReduceMax", scores, site.shape(-1), keepdims=1)


def _gelu(site: Site, given: str, gelu: Gelu) -> str:
    emit = site.emit
    x = emit("Sub", given, site.number(gelu.zero))
    size = emit("Abs", x)
    rest = emit("Relu", emit("Sub", site.number(gelu.bend), size))
    bump = emit("Mul", emit("Mul", rest, rest), size)
    whole = emit("Mul", emit("Relu", x), site.number(gelu.slope))
    curve = emit("Add", emit("Sub", whole, bump), site.number(gelu.offset))
    return site.cast(site.shifted(curve, gelu.shift), np.uint8)


def _polynomial(site: Site, scores: str, curve: Polynomial) -> str:
    """With d + (down << fraction) for d, so that its upper bits are the shift; from 31 bits on all is gone. In uint32,
    where what is below 0 is two's complement."""
    emit, fraction = site.emit, curve.fraction
    top = emit("Add", _largest(site, scores), site.number(curve.down << fraction))
    gap = site.cast(emit("Min", emit("Sub", top, scores), site.number((32 << fraction) - 1)), np.uint32)
    shift = emit("BitShift", gap, site.number(fraction, np.uint32), direction="RIGHT")
    root = emit("Add", _rest(site, gap, shift, fraction), site.number(-curve.center % 2**32, np.uint32))
    parabola = emit("Add", emit("Mul", root, root), site.number(curve.rest % 2**32, np.uint32))
    return site.cast(emit("BitShift", parabola, shift, direction="RIGHT"), np.uint8)


def _rest(site: Site, gap: str, shift: str, fraction: int) -> str:
    """The lowest bits of a gap; if they are a byte, two casts are enough."""
    if fraction == _BYTE:
        return site.cast(site.cast(gap, np.uint8), np.uint32)
    return site.emit("Sub", gap, site.emit("Mul", shift, site.number(1 << fraction, np.uint32)))


@cache
def _check(function: Gelu | Polynomial) -> None:
    """Raises ModelError if operators give something else than the table."""
    table = function.table()
    if isinstance(function, Gelu):
        found = _run(lambda site: _gelu(site, "x", function), np.arange(len(table)))
    else:
        table = np.concatenate([table, np.zeros(_ZEROS_BEYOND, np.uint8)])
        found = _run(lambda site: _polynomial(site, "x", function), -np.arange(len(table)))
    wrong = np.flatnonzero(found != table)
    if len(wrong):
        seen = f"its operators give {found[wrong[0]]} at {wrong[0]}, where its table has {table[wrong[0]]}"
        raise ModelError(f"{function}: {seen}; allowed: the same everywhere; use Table with these values")


def _run(write: Callable[[Site], str], arguments: npt.NDArray[np.int64]) -> Bytes:
    emit = Emitter()
    emit.rename(write(Site(Network((), 0, 1.0), Proof(()), emit, "x")), "y")
    model = emit.model([value("x", np.int32, "N")], [value("y", np.uint8, "N")])
    found: Bytes = Runner(model.SerializeToString())({"x": arguments.astype(np.int32)})[0]
    return found
