"""What skl2onnx makes of a step for which we have no operators of our own."""

from __future__ import annotations

from typing import Any

from onnx import ModelProto, TensorProto, version_converter

from unisono.models.emit import OPSET, Emitter
from unisono.models.importers.onnx_trees import replace_all
from unisono.models.rows import made_up_rows
from unisono.models.session import Runner
from unisono.models.steady import steady
from unisono.spec.errors import InputError, ModelError
from unisono.spec.wording import one_line

_INPUT = "matrix"


def emit_by_skl2onnx(emit: Emitter, step: Any, matrix: str, width: int) -> list[str]:
    """The nodes that skl2onnx makes for a fitted step, in float64 if that can be run, else in float32; its outputs.

    Raises ModelError if it makes none that can be run.
    """
    reasons: list[str] = []
    for kind in (TensorProto.DOUBLE, TensorProto.FLOAT):
        try:
            model = steady(replace_all(_converted(step, kind, width)))
            run = Runner(model.SerializeToString())
            run(made_up_rows(run))
        except (ModelError, InputError) as error:
            reasons.append(str(error))
            continue
        return _inline(emit, model, matrix if kind == TensorProto.DOUBLE else emit("Cast", matrix, to=kind))
    raise ModelError(
        f"model: {type(step).__name__}: {one_line(reasons[-1])}; allowed: steps that have a graph; "
        "use another one, or derive its columns with a @unisono.transform"
    )


def _converted(step: Any, kind: int, width: int) -> ModelProto:
    from skl2onnx import convert_sklearn
    from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType

    tensor = DoubleTensorType if kind == TensorProto.DOUBLE else FloatTensorType
    options = {id(step): {"zipmap": False}} if hasattr(step, "predict_proba") else None
    try:
        model = convert_sklearn(
            step,
            initial_types=[(_INPUT, tensor([None, width]))],
            target_opset={"": OPSET, "ai.onnx.ml": 3},
            options=options,
        )
        return version_converter.convert_version(model, OPSET)
    except Exception as error:  # whatever a converter raises
        is_unknown = "Unable to find a shape calculator" in str(error)
        raise ModelError("skl2onnx does not know it" if is_unknown else f"skl2onnx: {one_line(error)}") from error


def _inline(emit: Emitter, model: ModelProto, matrix: str) -> list[str]:
    """The nodes of a model among ours, with names of their own."""
    prefix = f"_skl{len(emit.nodes)}_"
    names = {model.graph.input[0].name: matrix, "": ""}

    def name(own: str) -> str:
        return names.setdefault(own, prefix + own)

    for node in model.graph.node:
        node.input[:] = [name(one) for one in node.input]
        node.output[:] = [name(one) for one in node.output]
        emit.nodes.append(node)
    for one in model.graph.initializer:
        one.name = name(one.name)
        emit.initializers.append(one)
    return [name(one.name) for one in model.graph.output]
