"""Ranges of what products are given, as rows of the training part show them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper

from unisono.compress.context import Context
from unisono.compress.data import sample_of
from unisono.compress.quantise.reading import Reading
from unisono.compress.quantise.rewriting import Plan
from unisono.compress.quantise.step import Quantise
from unisono.models import ImportedModel
from unisono.models.canonical import canonical, metadata_of
from unisono.models.emit import Emitter
from unisono.spec.errors import InputError
from unisono.spec.wording import quoted

_BINS = 2048
_ROWS = 8  # asked at a time: what products are given is kept of so many
_LEVELS = 255
_SEEN = "seen."
_SHARES = np.linspace(0.3, 1.0, 36)  # of the widest range, that are tried by squared error


class Histogram:
    """Of the numbers of one value; it grows with what it is shown."""

    def __init__(self) -> None:
        self.counts: NDArray[np.float64] = np.zeros(_BINS)
        self.low, self.high = np.inf, -np.inf
        self._reach = 0.0

    def add(self, numbers: NDArray[np.float32]) -> None:
        """Counts some numbers."""
        self.low, self.high = min(self.low, float(numbers.min())), max(self.high, float(numbers.max()))
        top = max(-self.low, self.high, 1e-30)
        if self._reach == 0.0:
            self._reach = top
        while top > self._reach:
            self._double()
        counts, _ = np.histogram(numbers, bins=_BINS, range=(-self._reach, self._reach))
        self.counts += counts

    def _double(self) -> None:
        """Twice the reach: two bins become one."""
        quarter = _BINS // 4
        self.counts = np.pad(self.counts.reshape(-1, 2).sum(axis=1), quarter)
        self._reach *= 2

    @property
    def middles(self) -> NDArray[np.float64]:
        """Of the bins."""
        edges = np.linspace(-self._reach, self._reach, _BINS + 1)
        return (edges[1:] + edges[:-1]) / 2


def ranges_of(
    reading: Reading, plan: Plan, made_by: Callable[[bytes], ImportedModel], step: Quantise, context: Context
) -> dict[str, tuple[float, float]]:
    """What every product is given, but for those that are left out: lowest and highest, with 0 among them.

    Raises InputError for rows of which a product is given NaN or infinity.
    """
    names = list(dict.fromkeys(plan.known[made].node.input[0] for made, way in plan.products.items() if way == "whole"))
    frame = sample_of(context.data.train, step.rows, context.seed)
    watched = made_by(_watching(reading, names))
    found = {name: Histogram() for name in names}
    for start in range(0, frame.height, _ROWS):
        context.progress("looking at what products are given", start, frame.height)
        said = watched.answer(frame[start : start + _ROWS])
        for place, name in enumerate(names):
            _refuse_no_numbers(said[f"{_SEEN}{place}"], name)
            found[name].add(said[f"{_SEEN}{place}"])
    return {name: _range(one, step) for name, one in found.items()}


def _watching(reading: Reading, names: Sequence[str]) -> bytes:
    """The graph with what products are given as outputs, one number after the other."""
    emit = Emitter("watched.")
    model = onnx.ModelProto()
    model.CopyFrom(reading.model)
    for place, name in enumerate(names):
        flat = emit("Reshape", name, emit.constant(np.array([-1])))
        emit.rename(emit("Cast", flat, to=onnx.TensorProto.FLOAT), f"{_SEEN}{place}")
        model.graph.output.append(helper.make_tensor_value_info(f"{_SEEN}{place}", onnx.TensorProto.FLOAT, ["M"]))
    model.graph.node.extend(emit.nodes)
    model.graph.initializer.extend(emit.initializers)
    return canonical(model, metadata_of(reading.model))


def _refuse_no_numbers(numbers: NDArray[np.float32], name: str) -> None:
    wrong = int((~np.isfinite(numbers)).sum())
    if wrong:
        raise InputError(
            f"calibration: NaN, null or infinity in {wrong} of {numbers.size} numbers that the value {quoted(name)} "
            "has for some rows of the training part; allowed: numbers; fill them, or leave such rows out"
        )


def _range(seen: Histogram, step: Quantise) -> tuple[float, float]:
    low, high = min(seen.low, 0.0), max(seen.high, 0.0)
    if step.calibration == "percentile":
        top = _percentile(seen, step.percentile)
        return max(low, -top), min(high, top)
    if step.calibration == "mse":
        return min(((low * share, high * share) for share in _SHARES), key=lambda one: _squared_error(seen, *one))
    return low, high


def _percentile(seen: Histogram, percentile: float) -> float:
    """Of the absolute values."""
    order = np.argsort(np.abs(seen.middles), kind="stable")
    below = np.cumsum(seen.counts[order])
    place = int(np.searchsorted(below, percentile / 100 * below[-1]))
    return float(np.abs(seen.middles[order[min(place, _BINS - 1)]]))


def _squared_error(seen: Histogram, low: float, high: float) -> float:
    """Of all numbers, after they have been rounded and cut off."""
    scale = max(high - low, 1e-30) / _LEVELS
    near = np.clip(np.round(seen.middles / scale) * scale, low, high)
    return float((seen.counts * (near - seen.middles) ** 2).sum())
