"""What CatBoost's trees ask about: numbers, categories, and statistics of categories that were counted in training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto

from unisono.models.emit import Emitter
from unisono.spec.errors import ModelError

_MULTIPLIER = np.uint64(0x4906BA494954CB65)
_NO_KEY = np.uint64(2**64 - 1)
_MOST_COMBINATIONS = 1 << 20


class Features:
    """The matrix that the trees ask: every column of the model, then every statistic.

    emit:    takes the nodes.
    dump:    the model in JSON.
    columns: in training order.
    matrix:  the numbers of those that are no categories, float64.
    texts:   of those that are, column -> its strings.
    """

    def __init__(
        self, emit: Emitter, dump: Mapping[str, Any], columns: Sequence[str], matrix: str, texts: Mapping[str, str]
    ) -> None:
        self._emit = emit
        self._info = dump["features_info"]
        self._counts = dump.get("ctr_data", {})
        self._columns = tuple(columns)
        self._numbers = [name for name in columns if name not in texts]
        self._seen = self._rounded(matrix) if self._numbers else ""
        self._texts = texts
        self._codes: dict[str, str] = {}
        self._hashes: dict[str, NDArray[np.uint32]] = {}

    def _rounded(self, matrix: str) -> str:
        """The numbers as CatBoost sees them: rounded to float32, and compared as float64."""
        return self._emit("Cast", self._emit("Cast", matrix, to=TensorProto.FLOAT), to=TensorProto.DOUBLE)

    def add_categories(self, name: str, hashes: Mapping[str, int]) -> None:
        """Says which categories a column has; a text that is none has the number after the last."""
        codes = self._emit(
            "LabelEncoder",
            self._texts[name],
            domain="ai.onnx.ml",
            keys_strings=list(hashes),
            values_int64s=list(range(len(hashes))),
            default_int64=len(hashes),
        )
        self._codes[name] = self._emit("Unsqueeze", codes, self._emit.constant(np.array([1])))
        self._hashes[name] = np.array(list(hashes.values()), np.uint32)

    def float_place(self, feature: int) -> tuple[int, bool]:
        """Where a number is in the matrix, and whether a missing one is below every border."""
        known = self._info["float_features"][feature]
        return int(known["flat_feature_index"]), known["nan_value_treatment"] != "AsTrue"

    def category_place(self, feature: int, value: int) -> tuple[int, int]:
        """Where a categorical column is in the matrix, and the code of the category with a hash. Raises ModelError."""
        place = int(self._info["categorical_features"][feature]["flat_feature_index"])
        found = np.flatnonzero(self._hashes[self._columns[place]] == np.int32(value).view(np.uint32))
        if not len(found):
            raise self._incomplete(self._columns[place])
        return place, int(found[0])

    def statistic_place(self, split: int) -> int:
        """Where the statistic that a split asks for is in the matrix."""
        first = sum(len(one["borders"]) for one in self._info.get("float_features", []))
        first += sum(len(one.get("values") or []) for one in self._info.get("categorical_features", []))
        ends = first + np.cumsum([len(one["borders"]) for one in self._info["ctrs"]])
        return len(self._columns) + int(np.searchsorted(ends, split, side="right"))

    def emit_matrix(self) -> str:
        """The matrix, float64."""
        emit, parts, order = self._emit, [self._seen] if self._numbers else [], [*self._numbers, *self._codes]
        parts += [emit("Cast", codes, to=TensorProto.DOUBLE) for codes in self._codes.values()]
        whole = parts[0] if len(parts) == 1 else emit("Concat", *parts, axis=1)
        if order != list(self._columns):
            places = np.array([order.index(name) for name in self._columns])
            whole = emit("Gather", whole, emit.constant(places), axis=1)
        statistics = [self._statistic(one) for one in self._info.get("ctrs", [])]
        return emit("Concat", whole, *statistics, axis=1) if statistics else whole

    def _statistic(self, ctr: Mapping[str, Any]) -> str:
        """One statistic, rows x 1: looked up by the combination of what it is counted by."""
        emit = self._emit
        elements = _in_order(ctr["elements"])
        table = self._table(ctr, [self._element_hashes(one) for one in elements])
        code = emit.constant(np.int64(0))
        for element, size in zip(elements, table.shape, strict=True):
            code = emit("Add", emit("Mul", code, emit.constant(np.int64(size))), self._element_code(element))
        return emit("Gather", emit.constant(table.astype(np.float64).ravel()), code)

    def _element_hashes(self, element: Mapping[str, Any]) -> tuple[NDArray[np.uint64], NDArray[np.bool_]]:
        """What each code of an element adds to a hash, and which of them are known."""
        if element["combination_element"] != "cat_feature_value":
            return np.array([0, 1], np.uint64), np.array([True, True])
        hashes = self._hashes[self._columns[self._category(element)]]
        signed = np.append(hashes.view(np.int32), 0).astype(np.int64).view(np.uint64)
        return signed, np.arange(len(signed)) < len(hashes)

    def _category(self, element: Mapping[str, Any]) -> int:
        return int(self._info["categorical_features"][element["cat_feature_index"]]["flat_feature_index"])

    def _element_code(self, element: Mapping[str, Any]) -> str:
        """Int64, rows x 1."""
        emit, kind = self._emit, element["combination_element"]
        if kind == "cat_feature_value":
            return self._codes[self._columns[self._category(element)]]
        if kind == "cat_feature_exact_value":
            place, code = self.category_place(element["cat_feature_index"], element["value"])
            is_true = emit("Equal", self._codes[self._columns[place]], emit.constant(np.int64(code)))
        else:
            place, is_below = self.float_place(element["float_feature_index"])
            column = np.array([self._numbers.index(self._columns[place])])
            number = emit("Gather", self._seen, emit.constant(column), axis=1)
            is_true = emit("Greater", number, emit.constant(float(np.float32(element["border"]))))
            is_true = is_true if is_below else emit("Or", is_true, emit("IsNaN", number))
        return emit("Cast", is_true, to=TensorProto.INT64)

    def _table(
        self, ctr: Mapping[str, Any], elements: Sequence[tuple[NDArray[np.uint64], NDArray[np.bool_]]]
    ) -> NDArray[np.float32]:
        """The statistic of every combination; of one that was not seen in training, that of no rows."""
        size = int(np.prod([float(len(hashes)) for hashes, _ in elements]))
        if size > _MOST_COMBINATIONS:
            raise ModelError(
                f"model: a statistic of {size} combinations of categories; allowed: {_MOST_COMBINATIONS}; "
                "fit it with max_ctr_complexity=1"
            )
        combined, known = np.zeros((), np.uint64), np.ones((), np.bool_)
        with np.errstate(over="ignore"):  # hashes wrap
            for hashes, are_known in elements:
                combined = _MULTIPLIER * (combined[..., np.newaxis] + _MULTIPLIER * hashes)
                known = known[..., np.newaxis] & are_known
        keys, counts = _entries(self._counts[ctr["identifier"]])
        places = np.minimum(np.searchsorted(keys, combined), len(keys) - 1)
        found = known & (keys[places] == combined)
        if len(np.unique(places[found])) < len(keys):
            raise self._incomplete(", ".join(_names(ctr, self._info)))
        denominator = self._counts[ctr["identifier"]]["counter_denominator"]
        seen = _statistics(ctr, counts, denominator)
        unseen = _statistics(ctr, np.zeros((1, counts.shape[1])), denominator)
        return np.where(found, seen[places], unseen[0])

    def _incomplete(self, what: str) -> ModelError:
        return ModelError(
            f"model: categories of {what} that it was fitted on are not among the texts it brings; allowed: all of "
            "them; save the model with the pool that it was fitted on"
        )


def _in_order(elements: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The elements as CatBoost hashes them: categories, then numbers, then single values."""
    kinds = ("cat_feature_value", "float_feature", "cat_feature_exact_value")
    return sorted(elements, key=lambda one: kinds.index(one["combination_element"]))


def _names(ctr: Mapping[str, Any], info: Mapping[str, Any]) -> list[str]:
    places = [one["cat_feature_index"] for one in ctr["elements"] if "cat_feature_index" in one]
    return [str(info["categorical_features"][place]["feature_name"]) for place in places]


def _entries(counted: Mapping[str, Any]) -> tuple[NDArray[np.uint64], NDArray[np.float64]]:
    """Hashes in order, and what was counted for each."""
    stride = counted["hash_stride"]
    flat = counted["hash_map"]
    keys = np.array([int(key) for key in flat[::stride]], np.uint64)
    counts = np.array([flat[start + 1 : start + stride] for start in range(0, len(flat), stride)], np.float64)
    order = np.argsort(keys)
    kept = order[keys[order] != _NO_KEY]
    return keys[kept], counts[kept]


def _statistics(ctr: Mapping[str, Any], counts: NDArray[np.float64], denominator: int) -> NDArray[np.float32]:
    """The statistics of entries, in float32 as CatBoost computes them."""
    part, whole = _PARTS[ctr["ctr_type"]](counts, int(ctr["target_border_idx"]), denominator)
    prior, more = np.float32(ctr["prior_numerator"]), np.float32(ctr["prior_denomerator"])
    quotient = (part.astype(np.float32) + prior) / (whole.astype(np.float32) + more)
    scaled: NDArray[np.float32] = (quotient + np.float32(ctr["shift"])) * np.float32(ctr["scale"])
    return scaled


_Counts = NDArray[np.float64]


def _above_border(counts: _Counts, border: int, denominator: int) -> tuple[_Counts, _Counts]:
    return counts[:, border + 1 :].sum(axis=1), counts.sum(axis=1)


def _in_bucket(counts: _Counts, border: int, denominator: int) -> tuple[_Counts, _Counts]:
    return counts[:, border], counts.sum(axis=1)


def _mean(counts: _Counts, border: int, denominator: int) -> tuple[_Counts, _Counts]:
    return counts[:, 0], counts[:, 1]


def _counter(counts: _Counts, border: int, denominator: int) -> tuple[_Counts, _Counts]:
    return counts[:, 0], np.full(len(counts), float(denominator))


_PARTS = {
    "Borders": _above_border,
    "Buckets": _in_bucket,
    "BinarizedTargetMeanValue": _mean,
    "FloatTargetMeanValue": _mean,
    "Counter": _counter,
    "FeatureFreq": _counter,
}
"""Kind of statistic -> counts, border and denominator to numerators and denominators."""
