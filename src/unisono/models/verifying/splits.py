"""The questions of the trees in a graph, and what a row must hold to be asked each of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

_OPERATORS = ("TreeEnsemble", "TreeEnsembleClassifier", "TreeEnsembleRegressor")
_MODES = ("BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ", "BRANCH_NEQ", "BRANCH_MEMBER")
_NEAREST = 8  # members of a set that are tried


@dataclass(frozen=True, slots=True)
class Question:
    """One split.

    feature: column of the operator's matrix.
    values:  what a row may hold there to stand at the edge of the answer: the number of the question, the next one,
             null; or a few members of a set, one outside of it, null. Empty: it asks nothing.
    above:   the next float32 above the number, for a matrix that is rounded to them; None: there is no number.

    A question that was moved, either way, answers otherwise at one of these; so does one that was rounded.
    """

    feature: int
    values: tuple[float | None, ...]
    above: float | None = None


@dataclass(slots=True)
class Reach:
    """The numbers of one column that lead to a split.

    above, at_most: the interval.
    among:          if any: the only ones.
    never:          those that do not.
    """

    above: float = -np.inf
    at_most: float = np.inf
    among: tuple[float, ...] = ()
    never: set[float] = field(default_factory=set)

    def pick(self, usual: float) -> float | None:
        """A number that leads there: the usual one if that does; None if there is none."""
        if self._has(usual):
            return usual
        candidates = self.among or (*_below(self.at_most), *_over(self.above))
        return next((one for one in candidates if self._has(one)), None)

    def _has(self, number: float) -> bool:
        known = number == number and self.above < number <= self.at_most and number not in self.never
        return known and (not self.among or number in self.among)


def _below(limit: float) -> Iterator[float]:
    """A number that a float32 has, so that whoever rounds takes the same way; else the limit itself."""
    if limit < np.inf:
        with np.errstate(over="ignore"):
            near = np.float32(limit)
            yield float(near if near <= limit else np.nextafter(near, np.float32(-np.inf)))
        yield from (float(np.floor(limit)), limit)


def _over(limit: float) -> Iterator[float]:
    if limit > -np.inf:
        yield from (float(np.floor(limit)) + 1.0, float(np.nextafter(limit, np.inf)), limit + 1.0)


@dataclass(frozen=True, slots=True)
class Trees:
    """The splits of one operator.

    matrix:    the value that it reads.
    questions: each split's.
    _ways:     for each split: its parent, and whether it is on the side of yes; -1 for a root.
    _asks:     for each split: mode and number.
    _members:  for each split of mode MEMBER: its set.
    """

    matrix: str
    questions: tuple[Question, ...]
    _ways: Sequence[tuple[int, bool]] = field(repr=False)
    _asks: Sequence[tuple[str, float]] = field(repr=False)
    _members: Mapping[int, tuple[float, ...]] = field(repr=False)

    def way_to(self, split: int) -> Mapping[int, Reach]:
        """What a row must hold to be asked a question: matrix column -> numbers."""
        reach: dict[int, Reach] = {}
        parent, yes = self._ways[split]
        while parent >= 0:
            self._narrow(reach.setdefault(self.questions[parent].feature, Reach()), parent, yes)
            parent, yes = self._ways[parent]
        return reach

    def _narrow(self, reach: Reach, split: int, yes: bool) -> None:
        mode, number = self._asks[split]
        if mode in ("BRANCH_MEMBER", "BRANCH_EQ", "BRANCH_NEQ"):
            members = self._members.get(split, (number,))
            if yes == (mode != "BRANCH_NEQ"):
                reach.among = tuple(one for one in members if not reach.among or one in reach.among)
            else:
                reach.never.update(members)
            return
        # x < t is x <= the number before t; x > t and x >= t are their opposites.
        limit = number if mode in ("BRANCH_LEQ", "BRANCH_GT") else float(np.nextafter(number, -np.inf))
        if yes == (mode in ("BRANCH_LEQ", "BRANCH_LT")):
            reach.at_most = min(reach.at_most, limit)
        else:
            reach.above = max(reach.above, limit)


def trees_of(model: ModelProto) -> list[Trees]:
    """The trees of a graph, one entry an operator."""
    return [_trees(node) for node in model.graph.node if node.op_type in _OPERATORS]


def _trees(node: NodeProto) -> Trees:
    attributes = {one.name: helper.get_attribute_value(one) for one in node.attribute}
    return _new_form(node, attributes) if node.op_type == "TreeEnsemble" else _old_form(node, attributes)


def _new_form(node: NodeProto, attributes: Mapping[str, Any]) -> Trees:
    """TreeEnsemble: splits and leaves are numbered apart."""
    numbers = numpy_helper.to_array(attributes["nodes_splits"]).astype(np.float64)
    modes = [_MODES[mode] for mode in numpy_helper.to_array(attributes["nodes_modes"])]
    ways = [(-1, False)] * len(modes)
    for side, yes in (("true", True), ("false", False)):
        for split, child in enumerate(attributes[f"nodes_{side}nodeids"]):
            if not attributes[f"nodes_{side}leafs"][split]:
                ways[child] = (split, yes)
    members = _members(modes, attributes.get("membership_values"))
    return _made(node, attributes["nodes_featureids"], modes, numbers, ways, members)


def _members(modes: Sequence[str], values: TensorProto | None) -> Mapping[int, tuple[float, ...]]:
    """The sets come one after the other, each ended by NaN."""
    if values is None:
        return {}
    flat = numpy_helper.to_array(values).astype(np.float64)
    ends = np.flatnonzero(np.isnan(flat))
    splits = [split for split, mode in enumerate(modes) if mode == "BRANCH_MEMBER"]
    starts = [0, *(ends[:-1] + 1)]
    return {split: tuple(flat[start:end].tolist()) for split, start, end in zip(splits, starts, ends, strict=False)}


def _old_form(node: NodeProto, attributes: Mapping[str, Any]) -> Trees:
    """TreeEnsembleRegressor and -Classifier: nodes are numbered tree by tree, and leaves are nodes."""
    places = {
        key: place
        for place, key in enumerate(zip(attributes["nodes_treeids"], attributes["nodes_nodeids"], strict=True))
    }
    modes = [mode.decode() for mode in attributes["nodes_modes"]]
    numbers = _old_numbers(attributes)
    ways = [(-1, False)] * len(modes)
    for side, yes in (("true", True), ("false", False)):
        for place, child in enumerate(attributes[f"nodes_{side}nodeids"]):
            if modes[place] != "LEAF":
                ways[places[attributes["nodes_treeids"][place], child]] = (place, yes)
    return _made(node, attributes["nodes_featureids"], modes, numbers, ways, {})


def _old_numbers(attributes: Mapping[str, Any]) -> Any:
    if "nodes_values_as_tensor" in attributes:
        return numpy_helper.to_array(attributes["nodes_values_as_tensor"]).astype(np.float64)
    return np.asarray(attributes["nodes_values"], np.float32).astype(np.float64)


def _made(
    node: NodeProto,
    features: Sequence[int],
    modes: Sequence[str],
    numbers: Any,
    ways: Sequence[tuple[int, bool]],
    members: Mapping[int, tuple[float, ...]],
) -> Trees:
    questions = tuple(
        Question(int(feature), ()) if mode == "LEAF" else _question(int(feature), float(number), members.get(split, ()))
        for split, (feature, mode, number) in enumerate(zip(features, modes, numbers, strict=True))
    )
    asks = [(mode, float(number)) for mode, number in zip(modes, numbers, strict=True)]
    return Trees(node.input[0], questions, tuple(ways), asks, members)


def _question(feature: int, number: float, members: tuple[float, ...]) -> Question:
    if members:
        return Question(feature, (*members[:_NEAREST], max(members) + 1.0, None))
    with np.errstate(over="ignore"):
        near = np.float32(number)
        above = near if near > number else np.nextafter(near, np.float32(np.inf))
    return Question(feature, (number, float(np.nextafter(number, np.inf)), None), float(above))
