"""A transform: a stateless function of columns."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from unisono.spec.errors import DefinitionError
from unisono.spec.faults import Faults
from unisono.spec.frozen import listed
from unisono.spec.wording import listing, quoted

Function = Callable[..., Mapping[str, Any]]
"""Namespaces in, columns out. Arrays of any array-API library pass through, hence Any."""


@dataclass(frozen=True, slots=True)
class Transform:
    """A function of namespaces of columns to new columns; the spec holds it and never calls it.

    name:     names the transform among the others of a predictor.
    function: called with one mapping (column name -> array) an input, returns name -> array; None once it is a graph.
    inputs:   the namespaces it reads: a source's name, `request`, or `features`.
    graph:    the bytes of its traced graph, for a transform that was loaded rather than written.

    Raises DefinitionError with all faults.
    """

    name: str
    function: Function | None = None
    inputs: tuple[str, ...] = ()
    graph: bytes | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        faults = Faults("transform", self.name)
        inputs = listed(self.inputs)
        names = [faults.name(f"inputs[{index}]", value) for index, value in enumerate(inputs)]
        if not names or len(set(names)) < len(names):
            seen = listing(map(quoted, inputs))
            step = "name each namespace once as a parameter"
            faults.add("inputs", seen, allowed="one or more namespaces, each once", step=step)
        if not (callable(self.function) or isinstance(self.graph, bytes)):
            step = "decorate a function with @unisono.transform"
            faults.add("function", quoted(self.function), allowed="a function or a traced graph", step=step)
        faults.raise_if_any()
        object.__setattr__(self, "inputs", inputs)


def transform(function: Function) -> Transform:
    """Makes a transform of a function; its parameters name the namespaces that it reads.

    function: parameters are a source's name, `request` or `features`; returns a mapping column name -> array.

    Raises DefinitionError if it has defaults, `*args` or `**kwargs`, or no parameters.

    >>> @transform
    ... def lateness(arrivals):
    ...     return {"late": arrivals["arr_delay"] > 15}
    >>> lateness.name, lateness.inputs
    ('lateness', ('arrivals',))
    """
    if not inspect.isfunction(function):
        raise DefinitionError(
            f"transform: {quoted(function)} is not a function; allowed: a function made by def; "
            "write @unisono.transform above it"
        )
    faults = Faults("transform", function.__name__)
    parameters = inspect.signature(function).parameters.values()
    for parameter in parameters:
        plain = parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
        if not plain or parameter.default is not parameter.empty:
            step = "name each namespace as a plain parameter"
            faults.add("parameters", f'"{parameter}"', allowed="plain parameters without defaults", step=step)
    faults.raise_if_any()
    return Transform(function.__name__, function, tuple(parameter.name for parameter in parameters))


def graph_of(transform: Transform, graphs: Mapping[str, bytes]) -> bytes:
    """The bytes of a transform's traced graph: its own, else the one of its name. Raises DefinitionError."""
    graph = transform.graph if transform.graph is not None else graphs.get(transform.name)
    if not isinstance(graph, bytes):
        raise DefinitionError(
            f"transform {transform.name}: {quoted(graph)} is not a traced graph; allowed: bytes; "
            f'trace it first, then pass graphs={{"{transform.name}": ...}}'
        )
    return graph
