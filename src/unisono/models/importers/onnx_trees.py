"""The tree operators of older ONNX files, TreeEnsembleRegressor and TreeEnsembleClassifier, in operators of today.

onnxruntime adds their leaves in an order that depends on the batch. Here a tree says which leaf, a table
says what the leaf says, and the sums go from the first tree to the last: the bits that onnxruntime has on one thread.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from unisono.models import exponential
from unisono.models.emit import OPSET_ML, Emitter
from unisono.models.exponential import sum_in_order
from unisono.models.trees import Child, Forest, Leaf, Split
from unisono.spec.errors import ModelError
from unisono.spec.wording import listing, quoted

OPERATORS = ("TreeEnsembleClassifier", "TreeEnsembleRegressor")

_Attributes = Mapping[str, Any]


def replace_trees(emit: Emitter, node: NodeProto) -> None:
    """Emits what stands for a node of an older tree operator. Raises ModelError for modes that are not known."""
    given = {one.name: helper.get_attribute_value(one) for one in node.attribute}
    matrix = emit("Cast", node.input[0], to=TensorProto.DOUBLE)
    if node.op_type == "TreeEnsembleRegressor":
        emit.rename(_regression(emit, given, matrix), node.output[0])
        return
    label, scores = _classification(emit, given, matrix)
    emit.rename(label, node.output[0])
    if len(node.output) > 1:
        emit.rename(scores, node.output[1])


def replace_all(model: ModelProto) -> ModelProto:
    """A model with other operators for its older tree operators."""
    whole = ModelProto()
    whole.CopyFrom(model)
    del whole.graph.node[:]
    for place, node in enumerate(model.graph.node):
        if node.op_type not in OPERATORS:
            whole.graph.node.append(node)
            continue
        emit = Emitter(f"_trees{place}_")
        replace_trees(emit, node)
        whole.graph.node.extend(emit.nodes)
        whole.graph.initializer.extend(emit.initializers)
        for one in whole.opset_import:
            if one.domain == "ai.onnx.ml":
                one.version = OPSET_ML
    return whole


def _regression(emit: Emitter, given: _Attributes, matrix: str) -> str:
    kind = _text(given.get("aggregate_function", "SUM"))
    if kind not in ("SUM", "AVERAGE"):
        raise ModelError(f"graph: trees of which the {kind} counts; allowed: SUM, AVERAGE; export it with one of them")
    targets = int(given["n_targets"])
    scores = _sums(emit, given, matrix, "target", targets)
    if kind == "AVERAGE":
        scores = emit("Div", scores, emit.constant(_kind(given)(len(set(given["nodes_treeids"])))))
    return _after(emit, _with_base(emit, given, scores), given)


def _classification(emit: Emitter, given: _Attributes, matrix: str) -> tuple[str, str]:
    """Labels and scores, as onnxruntime makes them of two classes, of which one or both have leaves, or of more."""
    labels = classes_of(given)
    assert labels is not None
    scores = _with_base(emit, given, _sums(emit, given, matrix, "class", len(labels)))
    if len(labels) > 2:
        return _chosen(emit, emit("ArgMax", scores, axis=1, keepdims=0), labels), _after(emit, scores, given)
    if len(set(given["class_ids"])) > 1:
        second = emit("Gather", scores, emit.constant(np.int64(1)), axis=1)
        is_second = emit("Greater", second, emit.constant(_kind(given)(0)))
        return _chosen(emit, emit("Cast", is_second, to=TensorProto.INT64), labels), _after(emit, scores, given)
    score = emit("Gather", scores, emit.constant(np.array([given["class_ids"][0]])), axis=1)
    is_share = bool((_numbers(given, "class_weights") >= 0).all())
    threshold, other = _kind(given)(0.5 if is_share else 0), emit("Sub", emit.constant(_kind(given)(1)), score)
    is_second = emit("Squeeze", emit("Greater", score, emit.constant(threshold)), emit.constant(np.array([1])))
    both = emit("Concat", other if is_share else emit("Neg", score), score, axis=1)
    chosen = _chosen(emit, emit("Cast", is_second, to=TensorProto.INT64), labels)
    return chosen, _float(emit, both) if is_share else _after(emit, both, given)


def classes_of(given: _Attributes) -> NDArray[Any] | None:
    """The labels in a node's attributes; None if there are none."""
    if given.get("classlabels_strings"):
        return np.array([_text(label) for label in given["classlabels_strings"]], object)
    numbers = given.get("classlabels_int64s") or given.get("classlabels_ints")
    return np.array(numbers, np.int64) if numbers else None


def _chosen(emit: Emitter, place: str, labels: NDArray[Any]) -> str:
    return emit("Gather", emit.constant(labels), place)


def _with_base(emit: Emitter, given: _Attributes, scores: str) -> str:
    base = _numbers(given, "base_values")
    return emit("Add", scores, emit.constant(base.astype(_kind(given)))) if len(base) else scores


def _after(emit: Emitter, scores: str, given: _Attributes) -> str:
    kind = _text(given.get("post_transform", "NONE"))
    if kind == "NONE":
        return _float(emit, scores)
    if kind not in ("LOGISTIC", "SOFTMAX"):
        raise ModelError(f"graph: trees with {kind} at their end; allowed: NONE, LOGISTIC, SOFTMAX; export it with one")
    of = exponential.sigmoid if kind == "LOGISTIC" else exponential.softmax
    return _float(emit, of(emit, emit("Cast", scores, to=TensorProto.DOUBLE)))


def _float(emit: Emitter, scores: str) -> str:
    """Scores leave these operators in float32, whatever they are added up in."""
    return emit("Cast", scores, to=TensorProto.FLOAT)


def _kind(given: _Attributes) -> Any:
    """The type of thresholds and leaves: float64 if they are given in a tensor of it, else float32."""
    return np.float64 if _numbers(given, "nodes_values").dtype == np.float64 else np.float32


def _sums(emit: Emitter, given: _Attributes, matrix: str, kind: str, targets: int) -> str:
    """Rows x targets: what the leaves say, tree after tree."""
    forest, table = _forest(given, kind, targets)
    leaves = emit("Cast", forest.emit(emit, matrix), to=TensorProto.INT64)
    said = emit("Gather", emit.constant(table), leaves)
    return emit("Squeeze", sum_in_order(emit, said, axis=1), emit.constant(np.array([1])))


def _forest(given: _Attributes, kind: str, targets: int) -> tuple[Forest, NDArray[Any]]:
    """Trees that say which leaf, and what each leaf says: leaves x targets."""
    trees, nodes = given["nodes_treeids"], given["nodes_nodeids"]
    places = {pair: place for place, pair in enumerate(zip(trees, nodes, strict=True))}
    numbers = list(dict.fromkeys(trees))
    forest = Forest(len(numbers))
    modes = [_text(mode) for mode in given["nodes_modes"]]
    values = _numbers(given, "nodes_values")
    tracks = given.get("nodes_missing_value_tracks_true") or [0] * len(trees)
    made: list[Child] = []
    for place, mode in enumerate(modes):
        if mode == "LEAF":
            made.append(forest.add_leaf(Leaf(float(place), numbers.index(trees[place]))))
        else:
            made.append(
                forest.add_split(_split(mode, int(given["nodes_featureids"][place]), values[place], tracks[place]))
            )
    for place, mode in enumerate(modes):
        if mode != "LEAF":
            yes, no = (made[places[trees[place], given[f"nodes_{side}nodeids"][place]]] for side in ("true", "false"))
            forest.set_children(made[place], *((no, yes) if mode in _OPPOSITE else (yes, no)))
    for number in numbers:
        forest.end_tree(made[trees.index(number)])
    return forest, _table(given, kind, places, targets)


def _table(given: _Attributes, kind: str, places: Mapping[tuple[int, int], int], targets: int) -> NDArray[Any]:
    table = np.zeros((len(places), targets), _kind(given))
    leaves = zip(given[f"{kind}_treeids"], given[f"{kind}_nodeids"], strict=True)
    rows = [places[pair] for pair in leaves]
    np.add.at(table, (rows, list(given[f"{kind}_ids"])), _numbers(given, f"{kind}_weights"))
    return table


_OPPOSITE: Mapping[str, str] = {"BRANCH_GT": "BRANCH_LEQ", "BRANCH_GTE": "BRANCH_LT", "BRANCH_NEQ": "BRANCH_EQ"}
_MODES = ("BRANCH_LEQ", "BRANCH_LT", "BRANCH_EQ", *_OPPOSITE)


def _split(mode: str, feature: int, limit: Any, tracks_true: int) -> Split:
    """The question of a node; for the opposite of one that is known, that one with its answers exchanged."""
    if mode not in _MODES:
        raise ModelError(f"graph: a tree asks {quoted(mode)}; allowed: {listing(_MODES)}; export it with these")
    yes_for_nan = bool(tracks_true) != (mode in _OPPOSITE)
    kind = _OPPOSITE.get(mode, mode)
    if kind == "BRANCH_EQ":
        return Split(feature, 0.0, yes_for_nan, members=(float(limit),))
    at_most = limit if kind == "BRANCH_LEQ" else np.nextafter(limit, type(limit)(-np.inf))
    return Split(feature, float(at_most), yes_for_nan)


def _numbers(given: _Attributes, name: str) -> NDArray[Any]:
    tensor = given.get(f"{name}_as_tensor")
    return np.asarray(given.get(name, []), np.float32) if tensor is None else np.asarray(numpy_helper.to_array(tensor))


def _text(value: Sequence[Any] | bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
