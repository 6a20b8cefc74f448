"""Traces transforms: calls the user's function once, on arrays that write down what is done with them."""

from __future__ import annotations

import traceback
import warnings
from collections.abc import Iterator, Mapping
from functools import reduce
from pathlib import Path
from typing import Any

import ndonnx
import numpy as np
import spox
from onnx import ModelProto

from unisono.models.canonical import canonical
from unisono.models.emit import Emitter, value
from unisono.models.helpers import remembering_masks
from unisono.models.names import input_name, is_null_name, null_name
from unisono.models.nulls import columns_behind
from unisono.models.rows import mixed_rows
from unisono.models.steady import steady
from unisono.models.traced import METADATA_KEY, TracedTransform, load_transform, signature_json
from unisono.models.traced_outputs import Output, judge_outputs
from unisono.spec.errors import DefinitionError
from unisono.spec.frozen import FrozenMapping, Schema
from unisono.spec.transform import Transform
from unisono.spec.types import DType
from unisono.spec.wording import did_you_mean, listing, one_line, quoted

Columns = Mapping[str, DType]

_ARGUMENTS: Mapping[str, Any] = {
    "String": ndonnx.utf8,
    "Int64": ndonnx.int64,
    "Float64": ndonnx.float64,
    "Decimal": ndonnx.float64,
    "Bool": ndonnx.bool,
    "Timestamp": ndonnx.DateTime64DType("us"),
}
_ROWS = ("N",)
_STEP = "write it row by row with the array API: import ndonnx as xp; xp.where(...), xp.exp(...)"


def trace(transform: Transform, inputs: Mapping[str, Columns]) -> TracedTransform:
    """A transform as a graph.

    transform: its function is called once; one that holds a graph already is loaded instead.
    inputs:    namespace -> column -> dtype: what the function may read. Decimal columns enter as float64, rounded once;
               Timestamp columns as datetime64[us]; all of them without nulls: a derived value is null where any
               column it is made of is (see `fill_null` and `is_null`).

    Raises DefinitionError if the function fails, reads what is not there, or mixes rows.
    """
    if transform.graph is not None:
        return _loaded(transform.name, transform.graph, inputs)
    tracing = _Tracing(transform, inputs)
    outputs = tracing.call()
    model = tracing.model(outputs)
    reads = tracing.reads(model)
    dtypes = Schema({one.name: one.dtype for one in outputs})
    graph = canonical(model, {METADATA_KEY: signature_json(reads, dtypes)})
    if problem := mixed_rows(graph):
        raise tracing.fault(problem, "functions of one row at a time", _STEP)
    return TracedTransform(transform.name, graph, reads, dtypes)


def _loaded(name: str, graph: bytes, inputs: Mapping[str, Columns]) -> TracedTransform:
    traced = load_transform(name, graph)
    for namespace, columns in traced.reads.items():
        for column, dtype in columns.items():
            seen = inputs.get(namespace, {}).get(column)
            if seen != dtype:
                what = "is not there" if seen is None else f"is {seen}"
                raise DefinitionError(
                    f'transform {name}: its graph reads {namespace}["{column}"], which {what}; allowed: {dtype}; '
                    "trace the transform again, or change the schema"
                )
    return traced


class _Namespace(Mapping[str, Any]):
    """The columns of one namespace, made when they are asked for."""

    def __init__(self, name: str, columns: Columns, masks: dict[int, tuple[Any, Any]]) -> None:
        self._name = name
        self._columns = columns
        self._masks = masks
        self.taken: dict[str, tuple[Any, Any]] = {}

    def __getitem__(self, column: str) -> Any:
        if column not in self._columns:
            step = did_you_mean(column, self._columns)
            raise DefinitionError(
                f"it reads {self._name}[{quoted(column)}], which is not there; "
                f"allowed: {listing(self._columns)}; {step}"
            )
        if self._columns[column].name == "Tensor":
            raise DefinitionError(
                f"it reads {self._name}[{quoted(column)}], a {self._columns[column]}; "
                f"allowed: columns with one value a row; let the model read the tensor"
            )
        if column not in self.taken:
            dtype = _ARGUMENTS[self._columns[column].name]
            mask = ndonnx.argument(shape=_ROWS, dtype=ndonnx.bool)
            self.taken[column] = (ndonnx.argument(shape=_ROWS, dtype=dtype), mask)
        array, mask = self.taken[column]
        array = array.copy()  # an assignment into it must not change what the next user of the column gets
        self._masks[id(array)] = (array, mask)
        return array

    def dtype(self, column: str) -> DType:
        """The dtype of a column."""
        return self._columns[column]

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns)

    def __len__(self) -> int:
        return len(self._columns)


class _Tracing:
    """One function while it is being traced."""

    def __init__(self, transform: Transform, inputs: Mapping[str, Columns]) -> None:
        self._transform = transform
        self._namespaces: dict[str, _Namespace] = {}
        self._inputs = inputs

    def fault(self, seen: str, allowed: str, step: str, line: int | None = None) -> DefinitionError:
        """What is wrong with the function, and where it is written."""
        code = getattr(self._transform.function, "__code__", None)
        where = f" ({Path(code.co_filename).name}:{line or code.co_firstlineno})" if code else ""
        return DefinitionError(f"transform {self._transform.name}{where}: {seen}; allowed: {allowed}; {step}")

    def call(self) -> list[Output]:
        """What the function returns, judged."""
        function = self._transform.function
        if function is None:
            raise self.fault("neither a function nor a graph", "one of them", "decorate a function with @transform")
        with remembering_masks() as masks, warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            self._namespaces = {name: self._namespace(name, masks) for name in self._transform.inputs}
            try:
                answer = function(*self._namespaces.values())
            except Exception as error:
                raise self._failed(error) from error
        self._refuse_lossy(said)
        outputs, problems = judge_outputs(answer)
        if problems:
            raise DefinitionError([str(self.fault(*problem)) for problem in problems])
        return outputs

    def _namespace(self, name: str, masks: dict[int, tuple[Any, Any]]) -> _Namespace:
        if name not in self._inputs:
            step = did_you_mean(name, self._inputs, otherwise="rename the parameter")
            raise self.fault(f'parameter "{name}" names no namespace', listing(self._inputs), step)
        return _Namespace(name, self._inputs[name], masks)

    def _failed(self, error: Exception) -> DefinitionError:
        if isinstance(error, DefinitionError):  # from a namespace or a helper, with what was allowed and the next step
            seen, allowed, step = str(error).split("; ", 2)
            return self.fault(seen, allowed.removeprefix("allowed: "), step, self._line(error))
        seen = f"{type(error).__name__}: {one_line(error)}"
        return self.fault(seen, "what the array API can say about columns", _STEP, self._line(error))

    def _line(self, error: Exception) -> int | None:
        file = getattr(getattr(self._transform.function, "__code__", None), "co_filename", None)
        lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
        return lines[-1] if lines else None

    def _refuse_lossy(self, said: list[warnings.WarningMessage]) -> None:
        for message in said:
            text = str(message.message)
            # The cosine is sent back to float64 (see `steady`).
            if "lossy cast to 'float32'" in text and not text.startswith("'cos'"):
                name = text.split("'")[1]
                seen = f"{name} of a float64 column, which onnxruntime has for float32 only"
                step = f'write it with those, or say xp.{name}(column.astype("float32"))'
                raise self.fault(seen, "exp, log, sin, cos, tanh, sqrt, arithmetic", step)

    def model(self, outputs: list[Output]) -> ModelProto:
        """The graph of the outputs, with an output more for each that may be null."""
        arguments: dict[str, Any] = {}
        for namespace, columns in self._namespaces.items():
            for column, (array, mask) in columns.taken.items():
                name = input_name(namespace, column)
                arguments[name] = array.disassemble()
                arguments[null_name(name)] = mask.disassemble()
        wanted = {one.name: one.values for one in outputs}
        wanted |= {_own_nulls(one.name): one.nulls for one in outputs if one.nulls is not None}
        try:
            built = spox.build(arguments, wanted, drop_unused_inputs=True)
        except Exception as error:
            raise self._failed(error) from error
        return _with_nulls(steady(built), list(arguments))

    def reads(self, model: ModelProto) -> FrozenMapping[Schema]:
        """The columns whose values or nulls the graph needs."""
        needed = {one.name for one in model.graph.input}
        found: dict[str, Schema] = {}
        for namespace, columns in self._namespaces.items():
            names = {column: input_name(namespace, column) for column in columns.taken}
            used = [column for column, name in names.items() if needed & {name, null_name(name)}]
            found[namespace] = Schema({column: columns.dtype(column) for column in used})
        return FrozenMapping(found)


def _own_nulls(name: str) -> str:
    """The output that says where the function itself made a null."""
    return f"{name}.own"


def _with_nulls(model: ModelProto, arguments: list[str]) -> ModelProto:
    """The graph with an output `NAME.null` for each output that may be null, and the inputs that it takes to say so."""
    graph = model.graph
    behind = columns_behind(graph)
    own = {one.name for one in graph.output} - {one.removesuffix(".own") for one in behind}
    emit = Emitter("_null")
    for name in [one for one in behind if one not in own]:
        masks = [null_name(column) for column in behind[name]]
        masks += [_own_nulls(name)] if _own_nulls(name) in own else []
        if masks:
            emit.rename(reduce(lambda one, other: emit("Or", one, other), masks), null_name(name))
    nulls = [node.output[0] for node in emit.nodes if is_null_name(node.output[0])]
    kept = [one for one in graph.output if one.name not in own]
    known = {one.name: one for one in graph.input}
    needed = {name for node in emit.nodes for name in node.input} | set(known)
    inputs = [known.get(name) or value(name, np.bool_, *_ROWS) for name in arguments if name in needed]
    for field, entries in ((graph.input, inputs), (graph.output, kept)):
        entries = list(entries)
        del field[:]
        field.extend(entries)
    graph.output.extend(value(name, np.bool_, *_ROWS) for name in nulls)
    graph.node.extend(emit.nodes)
    return model
