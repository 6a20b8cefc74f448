"""Existing ONNX models: brought to our operator sets, judged, and fed from named columns.

What the file itself says, run by onnxruntime as it runs files by default, is what the graph is judged by.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import GraphProto, ModelProto, TensorProto, ValueInfoProto, compose, helper, inliner, version_converter

from unisono.models.canonical import canonical
from unisono.models.emit import OPSET, Emitter, value
from unisono.models.importers import onnx_trees
from unisono.models.importers.base import Answers, ImportedModel, Task, outputs_of
from unisono.models.importers.onnx_feeds import KINDS, Feed, feeds_of, shape_of, shown
from unisono.models.judging import judge_graph
from unisono.models.names import PREDICTION, PROBABILITIES, PROBABILITY
from unisono.models.session import Setting, open_native
from unisono.models.steady import steady, with_steady_scores
from unisono.spec.errors import ModelError
from unisono.spec.types import DType
from unisono.spec.wording import listing, one_line

_PREFIX = "file."


class Onnx:
    """The importer of ONNX models: their bytes, or `onnx.ModelProto`."""

    def accepts(self, model: object) -> bool:
        """Whether this is one of them."""
        return isinstance(model, bytes | ModelProto)

    def import_model(
        self, model: object, *, inputs: Mapping[str, DType], columns: Sequence[str] | None = None
    ) -> ImportedModel:
        """The model as a graph. Raises ModelError for one that is not safe, or whose inputs are no columns."""
        file = _parsed(model)
        classes = _take_out_maps(file.graph)
        feeds = feeds_of(file.graph, inputs, columns)
        meaning = _meaning(file.graph, classes)
        graph = _graph(file, feeds, meaning)
        session = open_native(file.SerializeToString(), Setting("all"))
        return ImportedModel(
            task=meaning.task,
            classes=tuple(meaning.classes.tolist()),
            blocks=tuple(feed.block for feed in feeds),
            graph=graph,
            library=f"onnx {_producer(file)}".strip(),
            finite=False,
            answer=lambda frame: meaning.answers(
                session.run(None, {feed.name: feed.array(frame, inputs) for feed in feeds})
            ),
        )


def _parsed(model: object) -> ModelProto:
    """The model with its functions written out."""
    file = ModelProto()
    try:
        file.ParseFromString(model if isinstance(model, bytes) else model.SerializeToString())  # type: ignore[attr-defined]
        whole = inliner.inline_local_functions(file) if file.functions else file
    except Exception as error:  # protobuf's own
        raise ModelError(f"model: {one_line(error)}; allowed: an ONNX model; export it again") from error
    if all(one.domain not in ("", "ai.onnx") for one in whole.opset_import):  # those of trees alone
        whole.opset_import.add(domain="", version=OPSET)
    return whole


def _producer(file: ModelProto) -> str:
    return one_line(f"{file.producer_name} {file.producer_version}".strip(), length=60)


@dataclass(frozen=True, slots=True)
class _Meaning:
    """What the outputs of a file are.

    task:    "regression", "binary", "multiclass" or "outputs".
    classes: the labels in order, of a classifier.
    names:   of the file's outputs, in order; of a classifier the label, then the probabilities.
    kinds:   numpy types of them, and shapes: sizes of their axes after the rows.
    """

    task: Task
    classes: NDArray[Any]
    names: tuple[str, ...]
    kinds: tuple[Any, ...]
    shapes: tuple[tuple[int | str, ...], ...]

    def answers(self, outputs: Sequence[Any]) -> Answers:
        """What the file says, under our names."""
        if self.task == "outputs":
            return dict(zip(self.names, map(np.asarray, outputs), strict=True))
        first = np.asarray(outputs[0])
        if first.size != len(first):
            raise ModelError(
                f'model: output "{self.names[0]}" is declared as one value a row and gives {first.shape}; '
                "allowed: what it declares; export it with the shapes of its outputs"
            )
        if self.task == "regression":
            return {PREDICTION: first.astype(np.float64).reshape(-1)}
        probabilities = np.asarray(outputs[1], np.float64)
        shown = {PROBABILITY: probabilities[:, 1]} if self.task == "binary" else {PROBABILITIES: probabilities}
        return {PREDICTION: first.reshape(-1), **shown}


def _take_out_maps(graph: GraphProto) -> NDArray[Any] | None:
    """Makes an output that is a list of maps from labels to probabilities the probabilities; returns the labels."""
    for node in [one for one in graph.node if one.op_type == "ZipMap"]:
        given = {one.name: helper.get_attribute_value(one) for one in node.attribute}
        classes = onnx_trees.classes_of(given)
        for output in graph.output:
            if output.name == node.output[0] and classes is not None:
                output.CopyFrom(value(output.name, np.float32, "N", len(classes)))
        graph.node.remove(node)
        graph.node.append(helper.make_node("Identity", [node.input[0]], [node.output[0]]))
        return classes
    return None


def _meaning(graph: GraphProto, classes: NDArray[Any] | None) -> _Meaning:
    kinds = tuple(KINDS.get(one.type.tensor_type.elem_type) for one in graph.output)
    unknown = [shown(one) for one, kind in zip(graph.output, kinds, strict=True) if kind is None]
    if unknown:
        raise ModelError(
            f"model: output {listing(unknown)}; allowed: tensors of numbers, booleans or strings; export it so"
        )
    shapes = [shape_of(one) for one in graph.output]
    names = tuple(one.name for one in graph.output)
    after_rows = tuple(
        tuple(f"{name}.{axis}" if size is None else size for axis, size in enumerate(shape[1:]))
        for name, shape in zip(names, shapes, strict=True)
    )
    known = _labels(graph) if classes is None else classes
    is_classifier = (
        len(names) == 2
        and known is not None
        and kinds[0] is (object if known.dtype == object else np.int64)
        and kinds[1] in (np.float32, np.float64)
        and len(shapes[1]) == 2
    )
    if is_classifier and known is not None:
        return _Meaning("binary" if len(known) == 2 else "multiclass", known, names, kinds, after_rows)
    if len(names) == 1 and kinds[0] in (np.float32, np.float64) and after_rows[0] in ((), (1,)):
        return _Meaning("regression", np.empty(0), names, kinds, after_rows)
    return _Meaning("outputs", np.empty(0), names, kinds, after_rows)


def _labels(graph: GraphProto) -> NDArray[Any] | None:
    """The labels that some operator of a classifier names."""
    found = (
        onnx_trees.classes_of({one.name: helper.get_attribute_value(one) for one in node.attribute})
        for node in graph.node
        if node.op_type in ("LinearClassifier", "SVMClassifier", "TreeEnsembleClassifier")
    )
    return next((labels for labels in found if labels is not None), None)


def _graph(file: ModelProto, feeds: Sequence[Feed], meaning: _Meaning) -> bytes:
    """The file's nodes between our inputs and outputs."""
    emit = Emitter()
    whole = compose.add_prefix(onnx_trees.replace_all(_converted(file)), _PREFIX)
    for feed in feeds:
        emit.rename(feed.emit(emit), _PREFIX + feed.name)
    emit.nodes.extend(whole.graph.node)
    emit.initializers.extend(whole.graph.initializer)
    outputs = list(_outputs(emit, meaning))
    model = emit.model([feed.declared(file.graph) for feed in feeds], outputs)
    judge_graph(canonical(model, {}))
    has_tensors = any(feed.block.kind == "tensor" for feed in feeds)
    return canonical(with_steady_scores(model) if has_tensors else steady(model), {})


def _converted(file: ModelProto) -> ModelProto:
    try:
        return version_converter.convert_version(file, OPSET)
    except Exception as error:  # the converter's own
        raise ModelError(
            f"model: cannot be brought to operator set {OPSET}: {one_line(error)}; allowed: what can; "
            f"export it with opset_version={OPSET}"
        ) from error


def _outputs(emit: Emitter, meaning: _Meaning) -> Iterator[ValueInfoProto]:
    own = [_PREFIX + name for name in meaning.names]
    flat = emit.constant(np.array([-1]))
    if meaning.task == "outputs":
        for name, kind, shape in zip(meaning.names, meaning.kinds, meaning.shapes, strict=True):
            emit.rename(_PREFIX + name, name)
            yield value(name, kind, "N", *shape)
        return
    if meaning.task == "regression":
        emit.rename(emit("Reshape", emit("Cast", own[0], to=TensorProto.DOUBLE), flat), PREDICTION)
    else:
        emit.rename(emit("Reshape", own[0], flat), PREDICTION)
        probabilities = emit("Cast", own[1], to=TensorProto.DOUBLE)
        if meaning.task == "binary":
            emit.rename(emit("Gather", probabilities, emit.constant(np.int64(1)), axis=1), PROBABILITY)
        else:
            emit.rename(probabilities, PROBABILITIES)
    yield from outputs_of(meaning.task, meaning.classes)
