"""An integer network with what makes a predictor's model of it: its answers as labels, probabilities or numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import numpy as np
from onnx import TensorProto, ValueInfoProto

from unisono.compress.integer.encoder import Encoder, Squares
from unisono.compress.running.graphs import graph_model
from unisono.kernel.integer.network import BYTE_TOP, Network
from unisono.models import ImportedModel, exponential
from unisono.models.canonical import canonical
from unisono.models.emit import Emitter, value
from unisono.models.importers.base import (
    Block,
    Task,
    Tensor,
    class_array,
    emit_either_label,
    emit_labels,
    outputs_of,
)
from unisono.models.importers.huggingface_heads import EMBEDDING
from unisono.models.integer.graph import lowered
from unisono.models.names import PREDICTION, PROBABILITIES, PROBABILITY
from unisono.spec.types import DType

_TOKENS = "tokens"


@dataclass(frozen=True)
class Front:
    """What a model reads.

    column: a text, or a tensor.
    inputs: the columns with their dtypes.
    extras: files of the tokenizer.
    """

    column: str
    inputs: Mapping[str, DType]
    extras: Mapping[str, bytes]


def model_of(network: Network, encoder: Encoder, front: Front, classes: tuple[Any, ...]) -> ImportedModel:
    """A network as a model: only what comes after its answer, in float64, has floats in it.

    Raises ModelError, with the layer's name, for a network whose numbers cannot be shown to fit their types.
    """
    emit = Emitter()
    stem = encoder.stem
    if isinstance(stem, Squares):
        block = Block(f"tensor.{front.column}", (front.column,), kind="tensor")
        given = value(block.name, np.float32, "N", *stem.shape)
        answer = lowered(network, emit, _patches(emit, block.name, stem))
    else:
        block = Block(_TOKENS, (front.column,), kind="tokens")
        given = value(_TOKENS, np.int64, "N", "T")
        answer = lowered(network, emit, _TOKENS)
    task, outputs = _ended(emit, answer, network, encoder, classes)
    return graph_model(
        canonical(emit.model([given], outputs), {}),
        task=task,
        classes=classes,
        blocks=(block,),
        library=f"transformers {version('transformers')}, torch {version('torch').partition('+')[0]}",
        finite=False,
        extras=front.extras,
        inputs=front.inputs,
    )


def _patches(emit: Emitter, image: str, stem: Squares) -> str:
    """Pixels in 8 bits, rounded to the nearest (halves to even), patch by patch."""
    steps = emit("Round", emit("Mul", emit("Cast", image, to=TensorProto.DOUBLE), emit.constant(float(BYTE_TOP))))
    whole = emit("Cast", emit("Clip", steps, emit.constant(0.0), emit.constant(float(BYTE_TOP))), to=TensorProto.UINT8)
    channels, height, width = stem.shape
    side = stem.side
    cut = emit.constant(np.array([0, channels, height // side, side, width // side, side]))
    moved = emit("Transpose", emit("Reshape", whole, cut), perm=(0, 2, 4, 1, 3, 5))
    return emit("Reshape", moved, emit.constant(np.array([0, stem.count, channels * side * side])))


def _ended(
    emit: Emitter, answer: str, network: Network, encoder: Encoder, classes: tuple[Any, ...]
) -> tuple[Task, list[ValueInfoProto]]:
    """Names the outputs, and says what they are."""
    if encoder.head is None:
        emit.rename(_real(emit, answer, network), EMBEDDING)
        return "outputs", [value(EMBEDDING, np.float64, "N", len(encoder.layers[0].norm.gamma))]
    if not classes:
        flat = emit("Reshape", _real(emit, answer, network), emit.constant(np.array([-1])))
        emit.rename(flat, PREDICTION)
        return "regression", outputs_of("regression", np.zeros(0))
    labels = class_array(list(classes))
    if len(classes) == 2:
        _end_binary(emit, answer, network, encoder.head.scores.bias.size, labels)
        return "binary", outputs_of("binary", labels)
    emit.rename(exponential.softmax(emit, _real(emit, answer, network)), PROBABILITIES)
    emit_labels(emit, emit("ArgMax", answer, axis=1, keepdims=0), labels)
    return "multiclass", outputs_of("multiclass", labels)


def _end_binary(emit: Emitter, answer: str, network: Network, scores: int, labels: Tensor) -> None:
    """The second class, if its score is above the first one's, or above 0 if it is alone."""
    ahead = answer
    if scores == 2:
        first, second = (emit("Gather", answer, emit.constant(np.array([place])), axis=1) for place in (0, 1))
        ahead = emit("Sub", second, first)
    flat = emit("Reshape", ahead, emit.constant(np.array([-1])))
    emit.rename(exponential.sigmoid(emit, _real(emit, flat, network)), PROBABILITY)
    emit_either_label(emit, emit("Greater", flat, emit.constant(np.int32(0))), labels)


def _real(emit: Emitter, answer: str, network: Network) -> str:
    """Whole numbers as what they are worth."""
    return emit("Mul", emit("Cast", answer, to=TensorProto.DOUBLE), emit.constant(network.scale))
