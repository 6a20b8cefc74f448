"""The engine "openvino": the network of a graph by OpenVINO, everything around it by onnxruntime.

Class bounded: it adds up in another order, joins operators, and rounds to 8 bits at places of its own, so its answers
are near the reference's, not equal to them.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import Any, Final

import numpy as np

from unisono.models.engines.base import PreparedGraph, UnsuitableError
from unisono.models.engines.networks import NetworkParts, read_network_parts
from unisono.models.engines.relay import run_part
from unisono.models.session import Run, Runner, Tensor, stop, stopped, unfit
from unisono.models.verifying.classes import NumericClass
from unisono.spec.errors import InputError, ModelError
from unisono.spec.wording import one_line

SETTINGS: Mapping[str, object] = {
    "PERFORMANCE_HINT": "LATENCY",
    "NUM_STREAMS": 1,
    "INFERENCE_NUM_THREADS": 1,
    "ENABLE_CPU_PINNING": False,  # several workers share the cores
    "INFERENCE_PRECISION_HINT": "f32",  # else bfloat16 wherever the processor has it, and nobody is told
    "DYNAMIC_QUANTIZATION_GROUP_SIZE": 0,  # else activations are rounded to 8 bits in front of weights of 8 or 4
    "CPU_DENORMALS_OPTIMIZATION": False,
}
"""Of every network."""

BOUND = 1e-4
"""How far an answer in float32 may be from the reference's: a sum of thousands of numbers in another order."""
BOUND_ROUNDED = 0.05
"""The same where a network rounds to 8 bits: a number that lies between two steps may go to the other."""

_HUGE = 1e12  # numbers from which on sums and squares may overflow on the way, and become NaN
_TELEMETRY = "openvino_telemetry"


class OpenVino:
    """The engine."""

    numeric_class: NumericClass = "bounded"

    def open(self, graph: bytes, reference: Run) -> Run:
        """A graph, ready to run. Raises UnsuitableError for one without a network; ModelError without OpenVINO."""
        self.load()
        return _CutGraph(_cut(graph))

    def prepare(self, graph: bytes) -> PreparedGraph:
        """What is made of a graph. Raises UnsuitableError."""
        return PreparedGraph(_cut(graph).to_bytes(), needs_graph=False)

    def restore(self, content: bytes, reference: Run | None) -> Run:
        """What was prepared, ready to run. Raises ModelError for bytes that are something else."""
        return _CutGraph(read_network_parts(content))

    def bound(self, graph: bytes) -> float:
        """How far its answers may be from the reference's."""
        from unisono.models.engines.cutting import rounds  # which loads onnx

        return BOUND_ROUNDED if rounds(graph) else BOUND

    def load(self) -> None:
        """Have OpenVINO in memory, some 20 MB. Raises ModelError if it is not installed."""
        _core()


def _cut(graph: bytes) -> NetworkParts:
    from unisono.models.engines.cutting import cut_network  # which loads onnx

    return cut_network(graph)


@cache
def _core() -> Any:
    """OpenVINO, one for the process."""
    try:
        with _no_telemetry():
            import openvino
    except ImportError as error:
        raise ModelError(
            'engine "openvino": OpenVINO is not installed; allowed: version 2026.4 or later; '
            "run `pip install 'unisono[openvino]'`"
        ) from error
    return openvino.Core()


@contextmanager
def _no_telemetry() -> Iterator[None]:
    """While OpenVINO is imported: its telemetry, which writes into the home folder and sends, is not to be found."""
    missing: Final = object()
    before: Any = sys.modules.get(_TELEMETRY, missing)
    sys.modules[_TELEMETRY] = None  # type: ignore[assignment]  # an import of it fails then
    try:
        yield
    finally:
        if before is missing:
            del sys.modules[_TELEMETRY]
        else:
            sys.modules[_TELEMETRY] = before


class _CutGraph:
    """A graph in parts, ready to run."""

    __slots__ = ("_after", "_before", "_network", "_outputs")

    def __init__(self, parts: NetworkParts) -> None:
        self._before = None if parts.before is None else Runner(parts.before)
        self._network = _Network(parts)
        self._after = None if parts.after is None else Runner(parts.after)
        self._outputs = parts.outputs

    def __call__(self, feeds: Mapping[str, Tensor]) -> list[Tensor]:
        """The outputs, in order. Raises InputError if an array does not fit, ModelError if it was stopped."""
        values = dict(feeds)
        run_part(self._before, values)
        self._network.run(values)
        run_part(self._after, values)
        return [values[name] for name in self._outputs]

    def stop(self) -> None:
        """Let what runs now end soon."""
        stop(self._before)
        self._network.stop()
        stop(self._after)


class _Network:
    """A network by OpenVINO. Threads may share it: each run has a request of its own, which is used again."""

    __slots__ = ("_compiled", "_floats", "_free", "_ids", "_inputs", "_outputs", "_running", "_whole")

    def __init__(self, parts: NetworkParts) -> None:
        core = _core()
        try:
            self._compiled = core.compile_model(core.read_model(parts.network), "CPU", dict(SETTINGS))
        except Exception as error:  # its errors are RuntimeErrors of many lines
            raise UnsuitableError(f"OpenVINO does not take it: {one_line(error)}") from error
        # By name: a port has the names of all values that are passed on through it.
        self._inputs = tuple((name, self._compiled.input(name)) for name in parts.reads)
        self._outputs = tuple((name, self._compiled.output(name)) for name in parts.gives)
        self._ids = parts.ids
        self._floats = tuple(name for name, port in self._inputs if port.get_element_type().is_real())
        self._whole = _Lazy(parts.network) if self._floats else None
        self._free: list[Any] = []
        self._running: dict[int, _Running] = {}

    def run(self, values: dict[str, Tensor]) -> None:
        """Add what it makes to the values that there are. Raises InputError, ModelError."""
        for name, count in self._ids.items():
            _refuse_unknown(name, values[name], count)
        if self._whole is not None and not all((np.abs(values[name]) < _HUGE).all() for name in self._floats):
            run_part(self._whole.runner, values)
            return
        running = _Running(self._request())
        self._running[id(running)] = running
        try:
            running.answer({port: _known(values[name]) for name, port in self._inputs})
        finally:
            del self._running[id(running)]
        # The next run writes into the request's own arrays.
        values.update((name, running.request.get_tensor(port).data.copy()) for name, port in self._outputs)
        self._free.append(running.request)

    def _request(self) -> Any:
        try:
            return self._free.pop()
        except IndexError:
            return self._compiled.create_infer_request()

    def stop(self) -> None:
        """Let what runs now end soon. On any thread."""
        for running in list(self._running.values()):
            running.stop()
        if self._whole is not None:
            stop(self._whole.opened)


class _Lazy:
    """The network by onnxruntime, opened when it is first needed: OpenVINO loses NaN, a ReLU of it is 0 there.

    So it gets neither NaN nor what may become NaN on the way.
    """

    __slots__ = ("_network", "opened")

    def __init__(self, network: bytes) -> None:
        self._network = network
        self.opened: Runner | None = None

    @property
    def runner(self) -> Runner:
        """Ready to run."""
        if self.opened is None:
            self.opened = Runner(self._network)
        return self.opened


class _Running:
    """One run of a network."""

    __slots__ = ("_is_stopped", "request")

    def __init__(self, request: Any) -> None:
        self.request = request
        self._is_stopped = False

    def answer(self, feeds: Mapping[Any, Tensor]) -> None:
        """Go on until it is done. Raises InputError if an array does not fit, ModelError if it was stopped."""
        request = self.request
        try:
            request.start_async(feeds, share_inputs=True)  # one that is not asynchronous cannot be cancelled
            request.wait()
        except Exception as error:  # of OpenVINO, as RuntimeError
            if self._is_stopped:
                raise stopped() from error
            raise unfit(error) from error

    def stop(self) -> None:
        """Let it end soon, with an error."""
        self._is_stopped = True
        self.request.cancel()


def _known(array: Tensor) -> Tensor:
    """The same array: onnxruntime calls int64 "long long", which is the same here, but not for OpenVINO."""
    return array.view(np.int64) if array.dtype.char == "q" else array


def _refuse_unknown(name: str, ids: Tensor, count: int) -> None:
    """Raises InputError for an id beyond the table, which OpenVINO would read as zeros."""
    if ids.size and not (-count <= ids.min() and ids.max() < count):
        worst: int = ids.flat[np.argmax(np.abs(ids))].item()
        raise InputError(f"graph: {name}: {worst}; allowed: ids from 0 to {count - 1}; check the arrays")
