"""A predictor's graph and what it says of itself; how a frame or one request becomes its arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal as PythonDecimal
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from unisono.models.names import null_name, tokens_name
from unisono.models.tensors import tensor_of
from unisono.models.tokens import Tokenizer
from unisono.spec.errors import InputError, ModelError
from unisono.spec.frozen import Schema
from unisono.spec.types import DType, parse_dtype
from unisono.spec.types import Tensor as TensorType
from unisono.spec.wording import listing, one_line, quoted

METADATA_KEY = "unisono.predictor"
ROWS_KEY = "unisono.rows"

Tensor = NDArray[Any]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_NULL = np.ones(1, np.bool_)


class Description(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What a predictor's graph says of itself; kept inside it."""

    predictor: str
    task: str
    classes: list[bool | int | float | str]
    features: list[str]
    request: dict[str, str]
    derived: dict[str, str]
    library: str
    optimisation: str
    tokenized: list[str] = []


@dataclass(frozen=True, slots=True)
class PredictorGraph:
    """One predictor version's graph: transforms, model and its last step.

    onnx:     the bytes of the ONNX model; the same for the same parts, on every machine. Inputs: `features`, float64,
              rows x features, NaN for null; `request.COLUMN` and, but for a Tensor, `request.COLUMN.null`; or
              `request.COLUMN.tokens`: the token ids of a text, for one row. Outputs: `prediction`, and
              `probability` (of the second class) or `probabilities` (of each class) of a classifier; for the task
              "outputs" whatever the model names.
    name:     the predictor's.
    task:     "regression", "binary", "multiclass" or "outputs".
    classes:  the labels in order; empty where there are none.
    features: the columns of `features`, in order.
    request:  the request columns that the graph reads, with dtypes.
    derived:  the columns that its transforms make, with dtypes.
    library:  what fitted the model.
    tokenizers: the request columns that it reads as token ids, and what makes them; null is "".
    """

    onnx: bytes = field(repr=False)
    name: str
    task: str
    classes: tuple[bool | int | float | str, ...]
    features: tuple[str, ...]
    request: Schema
    derived: Schema
    library: str
    tokenizers: Mapping[str, Tokenizer] = field(default_factory=dict)

    def encode(self, frame: Any, place: str = "requests", *, timezone: str | None = None) -> dict[str, Tensor]:
        """The request columns of a Polars frame as `Session.run` takes them.

        timezone: IANA zone of timestamps that carry none; None: such timestamps are refused.

        Raises InputError.
        """
        from unisono.models.columns import encode, missing_column
        from unisono.spec.wording import did_you_mean

        arrays: dict[str, Tensor] = {}
        for column, dtype in self.request.items():
            if column not in frame.columns:
                step = did_you_mean(column, frame.columns, otherwise="add the column")
                raise missing_column(place, column, frame.columns, step)
            values, nulls = encode(frame.get_column(column), dtype, place=place, timezone=timezone)
            arrays[column], arrays[null_name(column)] = values, nulls
        return self._with_tokens(arrays)

    def _with_tokens(self, arrays: dict[str, Tensor]) -> dict[str, Tensor]:
        for column, tokenizer in self.tokenizers.items():
            arrays[tokens_name(column)] = tokenizer.column(arrays[column])
        return arrays

    def encode_row(self, values: Mapping[str, object]) -> dict[str, Tensor]:
        """One request as `Session.run` takes it.

        values: column -> str, int, float, bool, Decimal, datetime with a zone, or microseconds since 1970 UTC; for a
                Tensor an array or nested lists; None or absent: null. Other columns are ignored.

        What is not null is not said to be. Raises InputError. Cost: about half a microsecond a column.
        """
        arrays: dict[str, Tensor] = {}
        for column, dtype in self.request.items():
            value = values.get(column)
            if isinstance(dtype, TensorType):
                arrays[column] = _tensor(value, column, dtype)
                continue
            if value is None:
                arrays[column], arrays[null_name(column)] = _BLANKS[dtype.name], _NULL
                continue
            convert, kind = _ROW_VALUES[dtype.name]
            arrays[column] = np.array([convert(value, column, dtype)], kind)
        return self._with_tokens(arrays) if self.tokenizers else arrays

    def features_of(self, frame: Any) -> NDArray[np.float64]:
        """The feature columns of a Polars frame as the graph takes them: NaN for null. Raises InputError."""
        from unisono.models.columns import encode, missing_column
        from unisono.spec.types import Float64

        matrix = np.empty((frame.height, len(self.features)))
        for index, name in enumerate(self.features):
            if name not in frame.columns:
                raise missing_column("features", name, frame.columns, "compute the features first")
            values, nulls = encode(frame.get_column(name), Float64, place="features")
            matrix[:, index] = np.where(nulls, np.nan, values)
        return matrix


def load_graph(onnx: bytes, files: Mapping[str, bytes] | None = None) -> PredictorGraph:
    """The predictor's graph that these bytes are.

    files: of its artifact; those of tokenizers are used.

    Raises ModelError if they are none, or read a text whose tokenizer is not there.
    """
    from onnx import load_model_from_string

    from unisono.models.canonical import metadata_of

    try:
        text = metadata_of(load_model_from_string(onnx))[METADATA_KEY]
        told = msgspec.json.decode(text, type=Description)
    except KeyError:
        raise _not_ours("a graph of something else") from None
    except Exception as error:  # protobuf's and msgspec's own
        raise _not_ours(one_line(error)) from error
    return graph_of(onnx, told, {} if files is None else files)


def _not_ours(seen: str) -> ModelError:
    return ModelError(f"graph: {seen}; allowed: a graph that build_graph made; register the model again")


def graph_of(onnx: bytes, told: Description, files: Mapping[str, bytes]) -> PredictorGraph:
    """A graph with what it says of itself, and with its tokenizers among the files of its artifact."""
    return PredictorGraph(
        onnx=onnx,
        name=told.predictor,
        task=told.task,
        classes=tuple(told.classes),
        features=tuple(told.features),
        request=Schema({column: parse_dtype(text) for column, text in told.request.items()}),
        derived=Schema({column: parse_dtype(text) for column, text in told.derived.items()}),
        library=told.library,
        tokenizers=_tokenizers(told.tokenized, files) if told.tokenized else {},
    )


def _tokenizers(columns: Sequence[str], files: Mapping[str, bytes]) -> Mapping[str, Tokenizer]:
    from unisono.models.tokenizer_files import tokenizers_of

    found = tokenizers_of(files)
    if set(found) != set(columns):
        raise ModelError(
            f"graph: reads {listing(columns)} as tokens, and there are tokenizers of {listing(found)}; allowed: one "
            "each; load it with the files of its artifact"
        )
    return found


def _wrong(value: object, column: str, allowed: str) -> InputError:
    return InputError(f'request, column "{column}": {quoted(value)}; allowed: {allowed}; send such a value')


def _text(value: object, column: str, dtype: DType) -> str:
    if type(value) is not str:
        raise _wrong(value, column, "a string")
    return value


def _whole(value: object, column: str, dtype: DType) -> int:
    if type(value) is not int or not -(2**63) <= value < 2**63:
        raise _wrong(value, column, "a whole number of 64 bits")
    return value


def _number(value: object, column: str, dtype: DType) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | PythonDecimal):
        raise _wrong(value, column, "a number")
    return float(value)


def _truth(value: object, column: str, dtype: DType) -> bool:
    if type(value) is not bool:
        raise _wrong(value, column, "true or false")
    return value


def _instant(value: object, column: str, dtype: DType) -> int:
    if isinstance(value, datetime) and value.tzinfo is not None:
        return (value - _EPOCH) // _MICROSECOND
    if type(value) is not int or not -(2**63) < value < 2**63:
        raise _wrong(value, column, "a time with its zone, or microseconds since 1970 UTC")
    return value


def _tensor(value: object, column: str, dtype: TensorType) -> Tensor:
    array = tensor_of(value, dtype)
    if array is None:
        raise _wrong(value, column, f"{dtype}: nested lists of that shape, of finite numbers in its range")
    return array[np.newaxis]


_ROW_VALUES: Mapping[str, tuple[Any, Any]] = {
    "String": (_text, object),
    "Int64": (_whole, np.int64),
    "Float64": (_number, np.float64),
    "Decimal": (_number, np.float64),
    "Bool": (_truth, np.bool_),
    "Timestamp": (_instant, np.int64),
}
_BLANKS: Mapping[str, Tensor] = {
    "String": np.array([""], object),
    **{name: np.zeros(1, kind) for name, (_, kind) in _ROW_VALUES.items() if name != "String"},
}
