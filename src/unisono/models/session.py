"""Runs graphs. The one module that opens sessions of onnxruntime.

Every session: no telemetry, one thread, operators in order, and one level of optimisation, which is part of the numeric
class.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self

import msgspec
import numpy as np
from numpy.typing import NDArray

from unisono.models.arena import share, shrinking
from unisono.models.front import MATRIX, Filling, Front, front_of
from unisono.models.names import FEATURES, REQUEST, is_null_name, is_tokens_name
from unisono.spec.errors import InputError, ModelError
from unisono.spec.wording import listing, one_line

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # it sends usage data unless this is set before the import

import onnxruntime

Tensor = NDArray[Any]

Run = Callable[[Mapping[str, Tensor]], list[Tensor]]
"""Arrays by the names of a graph's inputs -> its outputs, in order. Threads may share it."""

OPTIMISATION: Literal["basic"] = "basic"
"""Constants are folded, nodes without effect dropped; nothing is fused, since fused operators round elsewhere."""

_CHUNK = 1024  # rows a call: bounds the memory of a call, and the arrays stay in the cache
_LARGE_CHUNK = 4096  # of narrow rows: 30 columns into 200 trees take 4 % less time
_NARROW_BYTES = 1024  # of a row
_WIDE_BYTES = 1024  # of one array's row, such as an image: what operators make of it is many times as large
_WIDE_CALL_BYTES = 256 << 10  # of such an array a call; convolutions of a thousand rows take 1.6 times as long a row
_FATAL_ONLY = 4  # errors are raised, so they need not be printed as well


_LEVELS = {
    "none": onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL,
    "basic": onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC,
    "extended": onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED,
    "all": onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL,
}


@dataclass(frozen=True, slots=True)
class Setting:
    """How onnxruntime runs a graph; everything but a verification runs it as OURS.

    optimisation: what it may rewrite; more is fused at each level.
    threads:      of one operator.
    """

    optimisation: Literal["none", "basic", "extended", "all"]
    threads: int = 1


OURS = Setting(OPTIMISATION)


def open_native(graph: bytes, setting: Setting = OURS) -> Any:
    """A session of onnxruntime with our settings.

    Raises ModelError if the bytes are no graph that it can run.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = setting.threads
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.graph_optimization_level = _LEVELS[setting.optimisation]
    options.enable_mem_pattern = False  # keeps a plan for every batch size it ever saw; costs nothing
    share(options)
    options.log_severity_level = _FATAL_ONLY
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.load_model_format", "ONNX")  # not what its first bytes look like
    onnxruntime.disable_telemetry_events()
    try:
        return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise ModelError(f"graph: onnxruntime cannot run it: {one_line(error)}; import the model again") from error


class Runner:
    """A graph and the quickest way through it.

    graph:   an ONNX model.
    setting: how it is run.

    Threads may share it. Raises ModelError if it cannot be run.
    """

    __slots__ = ("_call", "_native", "_options", "inputs", "metadata", "outputs", "shapes")

    def __init__(self, graph: bytes, setting: Setting = OURS) -> None:
        self._native = open_native(graph, setting)
        given = [*self._native.get_inputs(), *self._native.get_overridable_initializers()]
        self.inputs: tuple[str, ...] = tuple(one.name for one in given)
        self.outputs: tuple[str, ...] = tuple(one.name for one in self._native.get_outputs())
        self.metadata: Mapping[str, str] = dict(self._native.get_modelmeta().custom_metadata_map)
        self.shapes: tuple[tuple[str, str, list[int]], ...] = tuple((one.name, one.type, one.shape) for one in given)
        # The public `run` checks names again, for 2 of the 12 us of a call with one row.
        inner = getattr(self._native, "_sess", None)
        self._call = self._native.run if inner is None else inner.run
        self._options: Any = shrinking()

    def __call__(self, feeds: Mapping[str, Tensor]) -> list[Tensor]:
        """The outputs, in order. Raises InputError if an array does not fit, ModelError if it was stopped."""
        options = self._options
        try:
            answer: list[Tensor] = self._call(self.outputs, feeds, options)
        except Exception as error:  # its errors have no common class of their own
            if options.terminate:
                raise stopped() from error
            raise unfit(error) from error
        return answer

    def stop(self) -> None:
        """Let what runs now end soon, with an error; not what is run later. On any thread."""
        running, self._options = self._options, shrinking()
        running.terminate = True


def stopped() -> ModelError:
    """What to say of a run that somebody stopped."""
    return ModelError("graph: it was stopped, since it took too long; allowed: less time; use another version")


def unfit(error: Exception) -> InputError:
    """What to say of arrays that a graph refuses."""
    return InputError(f"graph: {one_line(error)}; allowed: arrays as its inputs say; check the arrays")


def stop(run: Run | None) -> None:
    """Let what runs now end soon, if it is something that can be stopped."""
    stopping = getattr(run, "stop", None)
    if stopping is not None:
        stopping()


class Interface(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a graph that is run takes and gives.

    inputs:     names of what it takes.
    outputs:    names of what it gives, in order.
    one_by_one: whether it takes one row at a time.
    front:      what its matrix is made of, if it has one; see `front`.
    """

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    one_by_one: bool
    front: Front | None

    @classmethod
    def of(cls, runner: Runner) -> Interface:
        """Of a predictor's graph. Raises ModelError if it is something else."""
        if "unisono.predictor" not in runner.metadata:
            raise ModelError("graph: not a predictor's graph; allowed: one that build_graph made; register the model")
        is_single = runner.metadata.get("unisono.rows") == "one"
        return cls(runner.inputs, runner.outputs, is_single, front_of(runner.metadata))


class Session:
    """A predictor's graph, ready to answer.

    graph:   the bytes of `PredictorGraph.onnx`, with or without a front.
    setting: how it is run.

    inputs, outputs: names of what the registered graph takes and gives; a front changes neither.

    A row's answer has the same bits whatever batch it comes in. Threads may share it.
    Raises ModelError if it is no such graph.
    """

    __slots__ = ("_columns", "_run", "_tokens", "direct", "inputs", "interface", "one_by_one", "outputs")

    def __init__(self, graph: bytes, *, setting: Setting = OURS) -> None:
        runner = Runner(graph, setting)
        self._use(runner, Interface.of(runner))

    @classmethod
    def over(cls, run: Run, interface: Interface) -> Self:
        """One of a graph that is open already."""
        session = cls.__new__(cls)
        session._use(run, interface)
        return session

    def _use(self, run: Run, interface: Interface) -> None:
        front = interface.front
        self.interface = interface
        self.direct: Run = run
        self._run: Run = run if front is None else _BehindFront(run, interface.inputs, Filling(front))
        self.inputs: tuple[str, ...] = interface.inputs if front is None else front.inputs
        self.outputs: tuple[str, ...] = interface.outputs
        self.one_by_one: bool = interface.one_by_one
        self._columns = tuple((name, name.removeprefix(f"{REQUEST}.")) for name in self.inputs if name != FEATURES)
        self._tokens = tuple(name for name in self.inputs if is_tokens_name(name))

    def run(self, features: NDArray[np.float64], request: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The answers to some requests.

        features: float64, rows x features in the predictor's order; NaN where a feature is null.
        request:  column -> array with one value a row, as `PredictorGraph.encode` makes them; `column.null` says where
                  a column has no value, and may be left out if it has one everywhere; `column.tokens` has an array of
                  ids a row. Columns that the graph does not read are ignored.

        Returns output name -> array with one row a request. Raises InputError if an array does not fit.
        Cost: about 12 us for a row through 200 trees, of which 1 is ours.
        """
        return self.answer(self.feeds(features, request), len(features))

    def answer(self, feeds: Mapping[str, Tensor], rows: int | None = None) -> dict[str, Tensor]:
        """The answers to what `feeds` made.

        rows: how many there are, if that is known.
        """
        return self._answer(self._run, feeds, len(next(iter(feeds.values()))) if rows is None else rows)

    def answer_directly(self, feeds: Mapping[str, Tensor], rows: int) -> dict[str, Tensor]:
        """The answers to arrays by the names of `interface.inputs`, as `RowEncoder` makes them."""
        return self._answer(self.direct, feeds, rows)

    def stop(self) -> None:
        """Let what runs now end soon, with an error. On any thread."""
        stop(self.direct)

    def _answer(self, run: Run, feeds: Mapping[str, Tensor], rows: int) -> dict[str, Tensor]:
        size = self._rows_a_call(feeds, rows) if rows > 1 else 1
        if 0 < rows <= size:
            return dict(zip(self.outputs, run(self._flat(feeds) if self._tokens else feeds), strict=True))
        return self._in_parts(run, feeds, rows, size)

    def _rows_a_call(self, feeds: Mapping[str, Tensor], rows: int) -> int:
        if self.one_by_one:
            return 1
        sizes = [one.nbytes for one in feeds.values()]
        if (widest := max(sizes, default=0) // rows) > _WIDE_BYTES:
            return max(_WIDE_CALL_BYTES // widest, 1)
        return _LARGE_CHUNK if sum(sizes) <= _NARROW_BYTES * rows else _CHUNK

    def _flat(self, feeds: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """One row with its token ids as 1 x length."""
        return {**feeds, **{name: feeds[name][0][np.newaxis] for name in self._tokens}}

    def feeds(self, features: NDArray[np.float64], request: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Every input of the graph by name. Raises InputError if one is missing, or has another number of rows."""
        rows = len(features)
        feeds: dict[str, Tensor] = {FEATURES: features} if FEATURES in self.inputs else {}
        for name, column in self._columns:
            tensor = request.get(column)
            if tensor is None:
                if not is_null_name(name):
                    raise self._missing(column)
                if rows == 1:
                    continue  # the graph takes it to have a value
                tensor = np.zeros(rows, np.bool_)
            if len(tensor) != rows:
                raise InputError(f"{name}: {len(tensor)} rows; allowed: {rows}, as features has; check the arrays")
            feeds[name] = tensor
        return feeds

    def _missing(self, column: str) -> InputError:
        columns = [known for name, known in self._columns if not is_null_name(name)]
        return InputError(
            f'request, column "{column}": missing; allowed: every column that the graph reads ({listing(columns)}); '
            "add it"
        )

    def _in_parts(self, run: Run, feeds: Mapping[str, Tensor], rows: int, size: int) -> dict[str, Tensor]:
        starts = range(0, rows, size)
        cuts = ({name: one[start : start + size] for name, one in feeds.items()} for start in starts)
        parts = [run(self._flat(cut) if self._tokens else cut) for cut in cuts]
        if not parts:
            return self._no_rows(run, feeds)
        return {
            name: np.concatenate(column) for name, column in zip(self.outputs, zip(*parts, strict=True), strict=True)
        }

    def _no_rows(self, run: Run, feeds: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Some operators refuse an empty batch, so a row of nothing is asked for, and dropped."""
        blank = {name: np.zeros((1, *one.shape[1:]), one.dtype) for name, one in feeds.items()}
        blank |= {name: np.zeros((1, 1), np.int64) for name in self._tokens}
        blank = {name: one.astype(str).astype(object) if one.dtype == object else one for name, one in blank.items()}
        return {name: one[:0] for name, one in zip(self.outputs, run(blank), strict=True)}


class _BehindFront:
    """A graph with a front, as the registered one is run."""

    __slots__ = ("_filling", "_others", "_run")

    def __init__(self, run: Run, inputs: Sequence[str], filling: Filling) -> None:
        self._run, self._filling = run, filling
        self._others = tuple(name for name in inputs if name != MATRIX)

    def __call__(self, feeds: Mapping[str, Tensor]) -> list[Tensor]:
        given = {name: feeds[name] for name in self._others if name in feeds}
        given[MATRIX] = self._filling.matrix(feeds)
        return self._run(given)


def same_bits(one: Sequence[Tensor], other: Sequence[Tensor]) -> bool:
    """Whether two lists of outputs are equal bit for bit; any NaN equals any."""
    return all(_same(left, right) for left, right in zip(one, other, strict=True))


def _same(one: Tensor, other: Tensor) -> bool:
    if one.shape != other.shape or one.dtype != other.dtype:
        return False
    if one.dtype.kind == "f":
        return bool((bits(one) == bits(other)).all())
    return bool((one == other).all())


def bits(values: Tensor) -> NDArray[Any]:
    """The bits of float numbers as whole numbers, with one NaN."""
    canonical = np.where(np.isnan(values), np.asarray(np.nan, values.dtype), values)
    return canonical.view(f"i{values.dtype.itemsize}")
