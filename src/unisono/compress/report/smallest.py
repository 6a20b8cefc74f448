"""A graph that hardly does anything, to have a runtime loaded."""

from __future__ import annotations

import msgspec
import numpy as np

from unisono.models.canonical import canonical
from unisono.models.emit import Emitter, value
from unisono.models.names import FEATURES, PREDICTION
from unisono.models.predictor_graph import METADATA_KEY, Description
from unisono.models.session import OPTIMISATION


def smallest_graph() -> bytes:
    """A predictor's graph of one feature, which it gives back."""
    emit = Emitter()
    emit.rename(emit("Squeeze", FEATURES, emit.constant(np.array([1], np.int64))), PREDICTION)
    model = emit.model([value(FEATURES, np.float64, "N", 1)], [value(PREDICTION, np.float64, "N")])
    told = Description("none", "regression", [], ["one"], {}, {}, "none", OPTIMISATION)
    return canonical(model, {METADATA_KEY: msgspec.json.encode(told).decode()})
