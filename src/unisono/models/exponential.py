"""exp, sigmoid and softmax in float64 out of operators that are rounded in one way everywhere.

onnxruntime's own Exp gives other bits to the last row of an odd batch, and others again on another kind of machine.
This one is made of +, -, *, /, rounding and tables, which IEEE 754 fixes to the bit. Its error stays below 0.51 units
in the last place; it takes about 6 us a call where 200 trees take 13.

exp(x) = 2**q * 2**(j / 4096) * exp(r),  x = (4096 q + j) ln(2) / 4096 + r,  |r| < 0.000085  (Tang, 1989).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal, localcontext
from functools import cache
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto

from unisono.models.emit import Emitter

T = TypeVar("T")

_STEPS = 4096
_FARTHEST = 0.6931471805599453 / 2 / _STEPS  # largest |r|
_LOWEST, _HIGHEST = -746.0, 710.0  # beyond these the answer is 0 or infinity
_SMALLEST_POWER, _LARGEST_POWER = -1077, 1024  # the quotients that those limits can give
_FINE = 64  # of the steps: 4096 powers are the products of 64 coarse and 64 fine ones
_FACTOR_BITS = 26  # of a factor's first part
_RANGE = 32  # of the whole powers likewise
_UFUNCS: Mapping[str, np.ufunc] = {"Mul": np.multiply, "Add": np.add, "Sub": np.subtract}
_HIGH_BITS = 30  # with the 23 bits of the largest step number the product is exact


@cache
def _constants() -> tuple[float, float, float]:
    """Steps per unit, and the length of a step as the sum of two numbers."""
    with localcontext() as context:
        context.prec = 60
        step = Decimal(2).ln() / _STEPS
        mantissa, exponent = np.frexp(float(step))
        high = float(np.ldexp(np.floor(np.ldexp(mantissa, _HIGH_BITS)), int(exponent) - _HIGH_BITS))
        return float(1 / step), high, float(step - Decimal(high))


@cache
def _factors() -> tuple[NDArray[np.float64], ...]:
    """2**(a / 64) as a column and 2**(b / 4096) as a row, each as 26 bits, whose products are exact, and the rest.

    a: 0 to 63, then -64 to -1; b: 0 to 63. So place 64 a + b of their products counts from the end if it is negative.
    """
    with localcontext() as context:
        context.prec = 50
        step = Decimal(2).ln() / _STEPS
        coarse = [(step * _FINE * a).exp() for a in (*range(_FINE), *range(-_FINE, 0))]
        fine = [(step * b).exp() for b in range(_FINE)]
        columns = [[[float(one)] for one in column] for column in _halves(coarse)]
        rows = [[[float(one) for one in row]] for row in _halves(fine)]
    return tuple(np.array(one) for one in (*columns, *rows))


def _halves(exact: Sequence[Decimal]) -> tuple[list[Decimal], list[Decimal]]:
    mantissas, exponents = np.frexp([float(one) for one in exact])
    near = np.ldexp(np.floor(np.ldexp(mantissas, _FACTOR_BITS)), exponents - _FACTOR_BITS)
    high = [Decimal(one) for one in near.tolist()]
    return high, [one - other for one, other in zip(exact, high, strict=True)]


@cache
def _scale_factors() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """2**(32 a + 31) as a column and 2**(b - 31) as a row: 2**q is their product at place q, as above."""
    places = np.array([*range(_LARGEST_POWER // _RANGE + 1), *range(_SMALLEST_POWER // _RANGE, 0)])
    with np.errstate(over="ignore"):
        coarse = np.ldexp(1.0, places * _RANGE + (_RANGE - 1))
    return coarse[:, None], np.ldexp(1.0, np.arange(_RANGE) - (_RANGE - 1))[None, :]


class _Arithmetic(Protocol[T]):
    """What multiplies, adds and subtracts tables, each number rounded once: numpy, or nodes of a graph."""

    def __call__(self, operator: str, one: T, other: T, /) -> T: ...


def _powers(do: _Arithmetic[T], factors: Sequence[T]) -> tuple[T, T]:
    """2**(j / 4096) for j from -4096 to 4095, rounded, and what the rounding left, to 2**-75."""
    high, low, fine_high, fine_low = factors
    near = do("Mul", high, fine_high)  # exact
    mixed = do("Add", do("Mul", high, fine_low), do("Mul", low, fine_high))
    rest = do("Add", mixed, do("Mul", low, fine_low))
    rounded = do("Add", near, rest)
    return rounded, do("Sub", rest, do("Sub", rounded, near))


def _scales(do: _Arithmetic[T], factors: Sequence[T]) -> T:
    """2**q for q from -1088 to 1055; infinity and 0 where float64 has no such number."""
    return do("Mul", *factors)


@cache
def tables() -> tuple[NDArray[np.float64], ...]:
    """What is looked up: constants of the method, in every graph that has an exponential."""
    with np.errstate(over="ignore", under="ignore"):
        made = (*_powers(_by_numpy, _factors()), _scales(_by_numpy, _scale_factors()))
    return tuple(one.reshape(-1) for one in made)


def _by_numpy(operator: str, one: NDArray[np.float64], other: NDArray[np.float64], /) -> NDArray[np.float64]:
    made: NDArray[np.float64] = _UFUNCS[operator](one, other)
    return made


def tables_in(emit: Emitter) -> tuple[str, ...]:
    """The same tables, made of their factors in the graph: 4 kB of it, not 148; who loads it folds constants once."""
    factors, scale_factors = ([emit.constant(one) for one in each] for each in (_factors(), _scale_factors()))
    made = (*_powers(emit, factors), _scales(emit, scale_factors))
    flat = emit.constant(np.array([-1]))
    return tuple(emit("Reshape", one, flat) for one in made)


def exp(emit: Emitter, x: str, *, bounded: bool = False, negated: bool = False) -> str:
    """exp of a float64 tensor.

    bounded: every number is known to lie between -700 and 700, and none is NaN; saves four operators.
    negated: gives exp(-x) instead.
    """
    if not bounded:
        unknown = emit("IsNaN", x)
        known = emit("Where", unknown, emit.constant(0.0), x)
        lowest, highest = (-_HIGHEST, -_LOWEST) if negated else (_LOWEST, _HIGHEST)
        inside = emit("Clip", known, emit.constant(lowest), emit.constant(highest))
        return emit("Where", unknown, x, exp(emit, inside, bounded=True, negated=negated))
    per_unit, high, low = _constants()
    sign = -1.0 if negated else 1.0
    step = emit("Round", emit("Mul", x, emit.constant(sign * per_unit)))
    whole = emit("Mul", step, emit.constant(sign * high))
    rest = emit("Sub", whole, x) if negated else emit("Sub", x, whole)
    rest = emit("Sub", rest, emit("Mul", step, emit.constant(low)))
    return _scaled(emit, emit("Cast", step, to=TensorProto.INT64), _series(emit, rest))


def _series(emit: Emitter, rest: str) -> str:
    """exp(rest) - 1: the square's factor takes most of rest**4 / 24 with it, which leaves 4e-19."""
    square = 0.5 + 2 * (2**0.5 - 1) / 24 * _FARTHEST**2
    slope = emit("Add", emit("Mul", rest, emit.constant(1.0 / 6.0)), emit.constant(square))
    return emit("Add", rest, emit("Mul", emit("Mul", rest, rest), slope))


def _scaled(emit: Emitter, step: str, growth: str) -> str:
    """2**(step / 4096) * (1 + growth); quotient and remainder are both cut towards zero, so they fit together."""
    steps = emit.constant(np.int64(_STEPS))
    rounded, left, scales = tables_in(emit)
    part = emit("Mod", step, steps, fmod=1)
    power = emit("Gather", rounded, part)
    correction = emit("Add", emit("Mul", power, growth), emit("Gather", left, part))
    scale = emit("Gather", scales, emit("Div", step, steps))
    return emit("Mul", emit("Add", power, correction), scale)


def sigmoid(emit: Emitter, x: str, *, bounded: bool = False) -> str:
    """1 / (1 + exp(-x)) of a float64 tensor."""
    one = emit.constant(1.0)
    return emit("Div", one, emit("Add", exp(emit, x, bounded=bounded, negated=True), one))


def softmax(emit: Emitter, x: str, *, axis: int = -1, bounded: bool = False) -> str:
    """exp(x - max) over their sum along an axis, summed from the first to the last."""
    shifted = emit("Sub", x, emit("ReduceMax", x, emit.constant(np.array([axis])), keepdims=1))
    weights = exp(emit, shifted, bounded=bounded)
    return emit("Div", weights, sum_in_order(emit, weights, axis=axis))


def sum_in_order(emit: Emitter, x: str, *, axis: int = -1) -> str:
    """The sum along an axis, from the first to the last, with that axis kept. ReduceSum promises no order."""
    running = emit("CumSum", x, emit.constant(np.int64(axis)))
    return emit("Gather", running, emit.constant(np.array([-1])), axis=axis)
