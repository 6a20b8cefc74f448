"""What is made of the sum of trees, for a few rows: number by number in plain Python, with the bits of the graph.

A call of onnxruntime costs 5 us before its first operator, and a sigmoid in operators that are rounded in one way
everywhere has 20 of them. Python's floats are the same IEEE numbers, and a step of them takes 60 ns; so up to a few
rows this is the quicker way. It says of itself where it cannot go on, and then onnxruntime does.
"""

from __future__ import annotations

import operator
from array import array
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from math import copysign
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

Value = float | int | bool | str
Operation = Callable[[Any, Any], Value]

FEW_ROWS = 4
"""Up to as many rows these steps are quicker than onnxruntime."""

KINDS: Mapping[str, Any] = {"float": np.float64, "int": np.int64, "bool": np.bool_, "text": object}
"""Kind of a value -> numpy's type of it."""


class Steps(msgspec.Struct, frozen=True, array_like=True):
    """Steps from a number to the outputs of a row.

    Every value has a place: first the tables, then the constants, then the number itself, then what each step makes.

    source:    name of the number.
    tables:    of float64.
    constants: values, and short tables of them.
    steps:     name of the operation, and the places of what it reads; some do not read the second one.
    outputs:   place and kind of each output, in order.
    """

    source: str
    tables: list[bytes]
    constants: list[Value | list[Value]]
    steps: list[tuple[str, int, int]]
    outputs: list[tuple[int, str]]


class StepsError(ValueError):
    """A number that Python and the graph might treat differently."""


def _quotient(one: int, other: int) -> int:
    """Cut towards zero."""
    whole = abs(one) // abs(other)
    return whole if (one < 0) == (other < 0) else -whole


def _remainder(one: int, other: int) -> int:
    """Has the sign of the first."""
    return one - other * _quotient(one, other)


def _rounded(one: float, _: Any) -> float:
    """To the nearest whole number, halves to the even one; the sign of a zero stays."""
    return copysign(float(round(one)), one)


def _whole(one: float, _: Any) -> int:
    found = int(one)
    if not -(2**63) <= found < 2**63:
        raise StepsError
    return found


def _number(one: float, _: Any) -> float:
    return float(one)


def _negated(one: float, _: Any) -> float:
    return -one


def _entry(table: Sequence[Value], place: int) -> Value:
    return table[place]


OPERATIONS: Mapping[tuple[str, str, str], tuple[Operation, str]] = {
    ("Add", "float", "float"): (operator.add, "float"),
    ("Sub", "float", "float"): (operator.sub, "float"),
    ("Mul", "float", "float"): (operator.mul, "float"),
    ("Div", "float", "float"): (operator.truediv, "float"),
    ("Div", "int", "int"): (_quotient, "int"),
    ("Mod", "int", "int"): (_remainder, "int"),
    ("Greater", "float", "float"): (operator.gt, "bool"),
    ("GreaterOrEqual", "float", "float"): (operator.ge, "bool"),
    ("Less", "float", "float"): (operator.lt, "bool"),
    ("LessOrEqual", "float", "float"): (operator.le, "bool"),
    ("Gather", "floats", "int"): (_entry, "float"),
    ("Choose", "floats", "bool"): (_entry, "float"),
    ("Choose", "ints", "bool"): (_entry, "int"),
    ("Choose", "texts", "bool"): (_entry, "text"),
    ("Round", "float", ""): (_rounded, "float"),
    ("Neg", "float", ""): (_negated, "float"),
    ("to int", "float", ""): (_whole, "int"),
    ("to float", "int", ""): (_number, "float"),
    ("to float", "bool", ""): (_number, "float"),
}
"""Operator and kinds of what it reads -> what does it, and the kind of what it makes. floats, ints, texts: tables."""


def operation_name(operator_name: str, *kinds: str) -> str:
    """How steps call an operation.

    >>> operation_name("Add", "float", "float")
    'Add float float'
    """
    return " ".join((operator_name, *kinds))


_BY_NAME = {
    operation_name(name, *filter(None, kinds)): operation for (name, *kinds), (operation, _) in OPERATIONS.items()
}


@lru_cache(maxsize=64)
def _shared(table: bytes) -> array[float]:
    """A table of float64; the graphs of many versions have the same ones, of 130 kB."""
    return array("d", table)


class Stepper:
    """Goes the steps."""

    __slots__ = ("_constants", "_outputs", "_steps")

    def __init__(self, steps: Steps) -> None:
        self._constants: list[Any] = [*map(_shared, steps.tables), *steps.constants]
        self._steps = [(_BY_NAME[name], one, other) for name, one, other in steps.steps]
        self._outputs = [(place, KINDS[kind]) for place, kind in steps.outputs]

    def outputs(self, numbers: Sequence[float]) -> list[NDArray[Any]] | None:
        """The outputs of some rows, in order; None where the graph itself has to say what they are."""
        try:
            rows = [self._row(one) for one in numbers]
        except (ArithmeticError, ValueError, IndexError):  # a division by zero, infinity to be rounded, no such entry
            return None
        return [np.array([row[place] for row in rows], kind) for place, kind in self._outputs]

    def _row(self, number: float) -> list[Any]:
        values = [*self._constants, number]
        put = values.append
        for operation, one, other in self._steps:
            put(operation(values[one], values[other]))
        return values
