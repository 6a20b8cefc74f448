"""Functions out of operators that every machine rounds alike: near what they stand for, and exact."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

from unisono.compress.quantise.functions import RULES
from unisono.compress.quantise.reading import read
from unisono.compress.quantise.rewriting import Plan, rewritten
from unisono.models.emit import Emitter, value
from unisono.models.session import Runner, Setting
from unisono.models.verifying.operators import unsure_operators

Make = Callable[[Emitter], str]
_ROWS = np.random.default_rng(0).normal(scale=3.0, size=(64, 37)).astype(np.float32)
_PLAN: dict[str, Any] = {"products": {}, "known": {}, "tables": {}, "portable": True, "bits": 8, "per": "channel"}


def _norm(emit: Emitter) -> str:
    random = np.random.default_rng(1)
    gain, bias = (emit.constant(random.normal(size=37).astype(np.float32)) for _ in range(2))
    return emit("LayerNormalization", "x", gain, bias, axis=-1)


def _batch_norm(emit: Emitter) -> str:
    known = [np.random.default_rng(seed).uniform(0.5, 2, 37).astype(np.float32) for seed in range(4)]
    return emit("BatchNormalization", "x", *map(emit.constant, known))


def _mean(emit: Emitter) -> str:
    return emit("Expand", emit("ReduceMean", "x", emit.constant(np.array([1]))), emit("Shape", "x"))


MADE: dict[str, tuple[Make, float]] = {
    "Softmax": (lambda emit: emit("Softmax", "x"), 0.02),
    "Gelu": (lambda emit: emit("Gelu", "x"), 0.0022),
    "LayerNormalization": (_norm, 1e-4),
    "BatchNormalization": (_batch_norm, 1e-5),
    "ReduceMean": (_mean, 1e-6),
    "Tanh": (lambda emit: emit("Tanh", "x"), 3e-7),
    "Sigmoid": (lambda emit: emit("Sigmoid", "x"), 3e-7),
    "Exp": (lambda emit: emit("Exp", emit("Min", "x", emit.constant(np.float32(0)))), 1e-7),
    "HardSwish": (lambda emit: emit("HardSwish", "x"), 1e-5),
    "HardSigmoid": (lambda emit: emit("HardSigmoid", "x"), 1e-6),
    "Reciprocal": (lambda emit: emit("Reciprocal", emit("Add", emit("Abs", "x"), emit.constant(np.float32(1)))), 1e-7),
    "Sqrt": (lambda emit: emit("Sqrt", emit("Abs", "x")), 1e-6),
    "Pow": (lambda emit: emit("Pow", "x", emit.constant(np.float32(2))), 1e-5),
}


def graphs(make: Make) -> tuple[bytes, bytes]:
    """As it is, and out of other operators."""
    emit = Emitter()
    emit.rename(make(emit), "y")
    model = emit.model([value("x", np.float32, "N", 37)], [value("y", np.float32, "N", 37)])
    before: bytes = model.SerializeToString()
    return before, rewritten(read(before), Plan(**_PLAN))


@pytest.mark.parametrize(("make", "error"), MADE.values(), ids=MADE)
def test_it_is_as_near_as_it_says_and_exact(make: Make, error: float) -> None:
    before, after = graphs(make)
    assert unsure_operators(onnx.load_model_from_string(after)) == ()
    said, wanted = (answer(one) for one in (after, before))
    assert np.abs(said - wanted).max() <= error
    for setting in (Setting("none"), Setting("all")):
        assert answer(after, setting).tobytes() == said.tobytes()


def answer(graph: bytes, setting: Setting | None = None) -> NDArray[np.float32]:
    """Of some rows."""
    run = Runner(graph) if setting is None else Runner(graph, setting)
    said: NDArray[np.float32] = run({"x": _ROWS})[0]
    return said


def test_every_rule_is_tried() -> None:
    elsewhere = {"ReduceSum", "GlobalAveragePool"}  # as ReduceMean
    assert set(MADE) | elsewhere == set(RULES)
