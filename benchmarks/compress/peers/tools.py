"""onnxruntime's own quantisation, and NNCF, each as its documentation does it, in the runtime that it is made for."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from onnxruntime import quantization

from benchmarks.compress.peers.sentences import Run, Sentences
from benchmarks.harness import ROOT, say
from benchmarks.serving.environments import UnavailableError, python_of
from unisono.models.engines.openvino import OpenVino

Model = tuple[Run, list[Path]]
"""A model that is open, and the files that it is kept in."""


def _dynamic(work: Sentences) -> Model:
    """8-bit weights, activations scaled as they come."""
    path = work.folder / "dynamic.onnx"
    quantization.quantize_dynamic(work.network, path, weight_type=quantization.QuantType.QInt8)
    return _onnxruntime(path), [path]


def _static(work: Sentences) -> Model:
    """8-bit weights for each channel, ranges of activations from rows."""
    path = work.folder / "static.onnx"
    quantization.quantize_static(
        work.network,
        path,
        _Reader(work),
        op_types_to_quantize=["MatMul", "Gemm"],
        per_channel=True,
        weight_type=quantization.QuantType.QInt8,
    )
    return _onnxruntime(path), [path]


class _Reader(quantization.CalibrationDataReader):  # type: ignore[misc]  # without types
    def __init__(self, work: Sentences) -> None:
        (name,) = work.parts.reads
        self._feeds: Iterator[Mapping[str, Any]] = iter([{name: ids} for ids in work.calibration])

    def get_next(self) -> Mapping[str, Any] | None:
        return next(self._feeds, None)


def _onnxruntime(path: Path) -> Run:
    """Of one thread, with all its optimisations."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    (name,) = (one.name for one in session.get_inputs())
    return lambda ids: session.run(None, {name: ids})[0]


def _nncf(work: Sentences) -> Model:
    """NNCF's quantisation of transformers, on OpenVINO."""
    ids, path = work.folder / "calibration.npz", work.folder / "nncf.xml"
    np.savez(ids, *work.calibration)
    script = ROOT / "benchmarks" / "compress" / "peers" / "nncf_process.py"
    done = subprocess.run(
        [python_of("nncf"), script, work.network, ids, path], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise UnavailableError(f"NNCF: {(done.stderr.strip().splitlines() or ['nothing was said'])[-1][:200]}")
    return _openvino(path), [path, path.with_suffix(".bin")]


def _openvino(path: Path) -> Run:
    """Of one thread, with its own precision."""
    OpenVino().load()
    import openvino

    settings = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": 1}
    compiled = openvino.Core().compile_model(path, "CPU", settings)
    request = compiled.create_infer_request()
    return lambda ids: request.infer([ids], share_inputs=True)[0]


TOOLS: Mapping[str, Callable[[Sentences], Model]] = {
    "onnxruntime, dynamic int8": _dynamic,
    "onnxruntime, static int8": _static,
    "NNCF on OpenVINO, int8": _nncf,
}


def models(work: Sentences) -> Iterator[tuple[str, Run, list[Path]]]:
    """The model of each tool; one that cannot be installed is said and left out."""
    for name, make in TOOLS.items():
        say(f"  {name}")
        try:
            run, files = make(work)
        except UnavailableError as error:
            say(f"  {name}: {error}")
            continue
        yield name, run, files
