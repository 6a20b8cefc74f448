"""What drivers answered, side by side, bit by bit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from unisono.drivers.predictors import ReadyPredictor
from unisono.drivers.scores import Outputs
from unisono.features.answers import Matrix
from unisono.kernel.codec import NULL_FLOAT_BITS


@dataclass(frozen=True, slots=True)
class Answers:
    """One driver's answers to all requests, in log order.

    features: float64, requests x features, null by its payload.
    outputs:  output name -> one value, or row of values, a request.
    """

    features: Matrix
    outputs: Outputs


class Difference(NamedTuple):
    """The first value in which two drivers differ.

    driver, against: whose values these are.
    feature:         the feature, or `prediction.NAME` for an output.
    key:             the request's key columns of that view; of all views for an output.
    time:            the request's time.
    position:        of the request in the log.
    value, expected: what `driver` and `against` answered; a float also by its bits.
    """

    driver: str
    against: str
    feature: str
    key: Mapping[str, object]
    time: str
    position: int
    value: str
    expected: str


class Comparison(NamedTuple):
    """How one driver's answers differ from another's.

    differing_bits:   in all values together.
    differing_values: how many values have any.
    row, column:      of the first value that differs, by request, then by column; None if none does.
    """

    differing_bits: int
    differing_values: int
    row: int | None
    column: int | None


def compare(answers: Answers, expected: Answers) -> Comparison:
    """Compare features, then outputs, of every request. Cost: linear."""
    masks = [_differing(answers.features, expected.features)]
    bits = [_count_bits(answers.features, expected.features)]
    for name, values in expected.outputs.items():
        said = _as_narrow(answers.outputs[name], values.dtype)
        mask = _differing(said, values)
        masks.append(mask.reshape(len(mask), -1))
        bits.append(_count_bits(said, values))
    differing = np.hstack(masks)
    rows = np.flatnonzero(differing.any(axis=1))
    if not len(rows):
        return Comparison(0, 0, None, None)
    row = int(rows[0])
    return Comparison(sum(bits), int(differing.sum()), row, int(differing[row].argmax()))


def _as_narrow(values: NDArray[Any], kind: np.dtype[Any]) -> NDArray[Any]:
    """Numbers that came through JSON, which knows only float64, as the float32 that they were; others as they are."""
    if kind != np.float32 or values.dtype != np.float64:
        return values
    narrow = values.astype(kind)
    return narrow if np.array_equal(narrow, values, equal_nan=True) else values


def _words(values: NDArray[Any]) -> NDArray[Any]:
    """Numbers by their bits; text as it is."""
    if values.dtype.kind == "f":
        return np.ascontiguousarray(values).view(f"u{values.dtype.itemsize}")
    return values.astype(np.uint8) if values.dtype == np.bool_ else values


def _differing(left: NDArray[Any], right: NDArray[Any]) -> NDArray[np.bool_]:
    mask: NDArray[np.bool_] = _words(left) != _words(right)
    return mask


def _count_bits(left: NDArray[Any], right: NDArray[Any]) -> int:
    first, second = _words(left), _words(right)
    if first.dtype.kind not in "ui":  # of text, a different value counts as one bit
        return int((first != second).sum())
    return int(np.bitwise_count(first ^ second).sum(dtype=np.int64))


def describe(
    ready: ReadyPredictor,
    requests: pl.DataFrame,
    positions: NDArray[np.int64],
    found: Comparison,
    drivers: Mapping[str, Answers],
) -> Difference:
    """The first difference in words.

    found:   of a comparison that found one.
    drivers: name -> answers; the first is compared with the second.
    """
    assert found.row is not None and found.column is not None
    (driver, answers), (against, expected) = drivers.items()
    columns = _columns(ready, expected)
    name, key_columns = columns[found.column]
    request = requests.row(found.row, named=True)
    return Difference(
        driver,
        against,
        name,
        {column: _plain(request[column]) for column in key_columns},
        _plain(request[ready.spec.time]),
        int(positions[found.row]),
        _value(answers, found.row, found.column),
        _value(expected, found.row, found.column),
    )


def _plain(value: Any) -> Any:
    return value if value is None or isinstance(value, str | int | bool) else _time_or_text(value)


def _time_or_text(value: Any) -> str:
    return value.isoformat().replace("+00:00", "Z") if hasattr(value, "isoformat") else str(value)


def _columns(ready: ReadyPredictor, answers: Answers) -> Sequence[tuple[str, Sequence[str]]]:
    """The name of each compared column, and the key columns that it depends on."""
    features = [(name, view.plan.view.key) for view in ready.views for name in view.plan.names]
    keys = tuple(dict.fromkeys(column for view in ready.views for column in view.plan.view.key))
    outputs = [
        (f"prediction.{name}", keys)
        for name, values in answers.outputs.items()
        for _ in range(values.size // max(len(values), 1))
    ]
    return [*features, *outputs]


def _value(answers: Answers, row: int, column: int) -> str:
    width = answers.features.shape[1]
    if column < width:
        return shown(answers.features[row, column])
    values = np.hstack([np.asarray(output[row]).reshape(-1).astype(object) for output in answers.outputs.values()])
    return shown(values[column - width])


def shown(value: object) -> str:
    """A value with its bits, which two equal-looking floats do not share."""
    if not isinstance(value, float | np.floating):
        return str(value)
    bits = int(np.asarray(value, np.float64).view(np.uint64))
    return f"{'null' if bits == NULL_FLOAT_BITS else repr(float(value))} (0x{bits:016x})"
