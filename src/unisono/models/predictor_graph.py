"""A predictor's graph and what it says of itself; how a frame becomes its arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from unisono.models.names import null_name, tokens_name
from unisono.models.tokens import Tokenizer
from unisono.spec.errors import ModelError
from unisono.spec.frozen import Schema
from unisono.spec.types import parse_dtype
from unisono.spec.wording import listing, one_line

METADATA_KEY = "unisono.predictor"
ROWS_KEY = "unisono.rows"

Tensor = NDArray[Any]


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

    @classmethod
    def of(cls, metadata: Mapping[str, str]) -> Description:
        """What the metadata of a graph says. Raises ModelError for a graph that is no predictor's."""
        if METADATA_KEY not in metadata:
            raise _not_ours("a graph of something else")
        try:
            return msgspec.json.decode(metadata[METADATA_KEY], type=cls)
        except msgspec.MsgspecError as error:
            raise _not_ours(one_line(error)) from error


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
        metadata = metadata_of(load_model_from_string(onnx))
    except Exception as error:  # protobuf's own
        raise _not_ours(one_line(error)) from error
    told = Description.of(metadata)
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
