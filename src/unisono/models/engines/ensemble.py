"""ONNX's TreeEnsemble -> the trees of the kernel: every mode of a split becomes `x <= threshold` or `x is in a set`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from unisono.kernel.walking import Bools, Floats, Ints, Trees
from unisono.models.engines.base import UnsuitableError
from unisono.models.engines.parts import Ensemble

DOMAIN, OPERATOR = "ai.onnx.ml", "TreeEnsemble"
_AT_MOST, _LESS, _AT_LEAST, _MORE, _EQUAL, _UNEQUAL, _MEMBER = range(7)
_SUM, _AS_IT_IS = 1, 0

Set = tuple[float, ...]


def read_ensemble(node: onnx.NodeProto, width: int | None) -> Ensemble:
    """A TreeEnsemble whose matrix has so many columns, if that is known.

    Raises UnsuitableError, with the reason, if the kernel has no such trees.
    """
    given = {one.name: _value(one) for one in node.attribute}
    _refuse_others(given)
    modes, missing = _array(given, "nodes_modes"), _array(given, "nodes_missing_value_tracks_true") != 0
    splits = _array(given, "nodes_splits").astype(np.float64)
    feature = _array(given, "nodes_featureids")
    missing = missing if len(missing) else np.zeros(len(feature), np.bool_)
    yes, no = (_children(given, side) for side in ("true", "false"))
    if not len(modes) == len(missing) == len(splits) == len(feature) == len(yes) == len(no):
        raise UnsuitableError("its attributes are of different lengths")
    threshold, member_of, sets = _questions(modes, splits, _array(given, "membership_values").astype(np.float64))
    turned = np.isin(modes, (_AT_LEAST, _MORE, _UNEQUAL))
    trees = Trees(
        feature=feature,
        threshold=threshold,
        member_of=member_of,
        missing_yes=_missing_yes(modes, missing, turned),
        yes=np.where(turned, no, yes),
        no=np.where(turned, yes, no),
        sets=sets,
        weight=_array(given, "leaf_weights").astype(np.float64),
        target=_array(given, "leaf_targetids"),
        roots=_array(given, "tree_roots"),
        targets=int(given.get("n_targets", 1)),
    )
    return Ensemble(node.input[0], node.output[0], width, trees, np.unique(feature[modes == _MEMBER]))


def _value(attribute: onnx.AttributeProto) -> Any:
    found = onnx.helper.get_attribute_value(attribute)
    return numpy_helper.to_array(found) if isinstance(found, onnx.TensorProto) else found


def _array(given: Mapping[str, Any], name: str) -> NDArray[Any]:
    found = given.get(name, ())
    return found if isinstance(found, np.ndarray) else np.array(found, np.int64)


def _refuse_others(given: Mapping[str, Any]) -> None:
    kind = _array(given, "leaf_weights").dtype
    if kind != np.float64:
        raise UnsuitableError(f"its leaves are {kind}, not float64")
    if given.get("aggregate_function", _SUM) != _SUM:
        raise UnsuitableError("it does not add its trees up")
    if given.get("post_transform", _AS_IT_IS) != _AS_IT_IS:
        raise UnsuitableError("it transforms the sums by itself")


def _children(given: Mapping[str, Any], side: str) -> Ints:
    number, is_leaf = _array(given, f"nodes_{side}nodeids"), _array(given, f"nodes_{side}leafs") != 0
    if len(number) != len(is_leaf) or np.any(number < 0):
        raise UnsuitableError("its nodes do not say which are leaves")
    return np.where(is_leaf, ~number, number)


def _questions(modes: NDArray[Any], splits: Floats, members: Floats) -> tuple[Floats, Ints, tuple[Set, ...]]:
    """Threshold and set of each split, and the sets. x < t is x <= the number before t."""
    strict = np.isin(modes, (_LESS, _AT_LEAST))
    with np.errstate(over="ignore"):  # the number before the least is -inf, as it should be
        threshold = np.where(strict, np.nextafter(splits, -np.inf), splits)
    is_set = np.isin(modes, (_EQUAL, _UNEQUAL, _MEMBER)) | np.isnan(splits) | (strict & (splits == -np.inf))
    given = _sets_given(members)
    numbers: dict[Set, int] = {}
    member_of = np.full(len(modes), -1)
    for place in np.flatnonzero(is_set):
        wanted = _wanted(int(modes[place]), float(splits[place]), given)
        member_of[place] = numbers.setdefault(wanted, len(numbers))
    return np.where(is_set, 0.0, threshold), member_of, tuple(numbers)


def _wanted(mode: int, split: float, given: Iterator[Set]) -> Set:
    if mode == _MEMBER:
        found = next(given, None)
        if found is None:
            raise UnsuitableError("a split asks for a set that is not there")
        return found
    # Nothing equals NaN, and nothing is less than NaN or -inf.
    return (split + 0.0,) if mode in (_EQUAL, _UNEQUAL) and split == split else ()


def _sets_given(members: Floats) -> Iterator[Set]:
    """The sets in order; each ends with NaN."""
    first = 0
    for end in np.flatnonzero(np.isnan(members)).tolist():
        yield tuple(sorted({number + 0.0 for number in members[first:end].tolist()}))
        first = end + 1


def _missing_yes(modes: NDArray[Any], missing: Bools, turned: Bools) -> Bools:
    """Whether NaN gets a yes, after questions were turned round. NaN is unequal to every number."""
    return np.where(modes == _UNEQUAL, False, missing != turned)
