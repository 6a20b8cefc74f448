"""The same bits without VNNI and AVX-512, and in WebAssembly."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from benchmarks.compress.elsewhere import browser_runtime, emulated, emulator, here, in_web_assembly
from tests.compress.conftest import Case
from tests.compress.quantise.graphs import as_graph
from tests.compress.quantise.test_step import KINDS, feeds_of
from unisono.compress.quantise.step import Quantise

_ROWS = 6


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with onnxruntime for WebAssembly."""
    found = browser_runtime(tmp_path_factory.mktemp("browser"))
    if found is None:
        pytest.skip("node, npm or the package onnxruntime-web is not to be had")
    return found


def asked(name: str, request: pytest.FixtureRequest, step: Quantise) -> tuple[bytes, list[dict[str, Any]]]:
    """A portable graph, and rows for it, one at a time."""
    case: Case = as_graph(request.getfixturevalue(name))
    feeds = feeds_of(case)
    rows = [{one: feed[place : place + 1] for one, feed in feeds.items()} for place in range(_ROWS)]
    return case.applied(step).imported().graph, rows


@pytest.mark.slow
@pytest.mark.parametrize("name", KINDS)
def test_web_assembly_gives_the_same_bits(name: str, browser: Path, request: pytest.FixtureRequest) -> None:
    graph, rows = asked(name, request, Quantise(leave_out=1))
    assert in_web_assembly(graph, rows, browser) == here(graph, rows)


@pytest.mark.slow
@pytest.mark.skipif(emulator() is None, reason="qemu-user is not installed")
@pytest.mark.parametrize("name", KINDS)
def test_a_processor_without_vnni_gives_the_same_bits(
    name: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    graph, rows = asked(name, request, Quantise(leave_out=1))
    assert emulated(graph, rows, tmp_path) == here(graph, rows)


@pytest.mark.slow
@pytest.mark.skipif(emulator() is None, reason="qemu-user is not installed")
def test_weights_of_eight_bits_are_what_such_a_processor_saturates(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """The reason for 7 bits; if this fails, the emulator no longer shows what it is there for."""
    model = saturating()
    rows = [{"x": np.full((1, 64), 255, np.float32)}]
    assert emulated(model, rows, tmp_path) != here(model, rows)


def saturating() -> bytes:
    """A product of the largest numbers of 8 bits."""
    from unisono.models.emit import Emitter, value

    emit = Emitter()
    weights = emit.constant(np.full((64, 8), 127, np.int8))
    sums = emit("MatMulInteger", emit("Cast", "x", to=onnx.TensorProto.UINT8), weights)
    emit.rename(emit("Cast", sums, to=onnx.TensorProto.FLOAT), "y")
    made = emit.model([value("x", np.float32, "N", 64)], [value("y", np.float32, "N", 8)])
    encoded: bytes = made.SerializeToString()
    return encoded
