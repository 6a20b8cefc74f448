"""How the inputs and outputs of graphs are called."""

from __future__ import annotations

from collections.abc import Mapping

FEATURES = "features"
"""Namespace of the feature columns, and the input of a predictor's graph that holds them: float64, rows x features."""

REQUEST = "request"
"""Namespace of what a caller sends."""

PREDICTION = "prediction"
PROBABILITY = "probability"
PROBABILITIES = "probabilities"

REFERENCE_ENGINE = "onnxruntime"
"""What runs a graph where no engine is named."""

_NULL = ".null"
_TOKENS = ".tokens"


def input_name(namespace: str, column: str) -> str:
    """The graph input that holds a column.

    >>> input_name("request", "carrier")
    'request.carrier'
    """
    return f"{namespace}.{column}"


def null_name(name: str) -> str:
    """The input or output that says where another one has no value.

    >>> null_name("request.carrier")
    'request.carrier.null'
    """
    return name + _NULL


def is_null_name(name: str) -> bool:
    """Whether this is the name of such an input or output."""
    return name.endswith(_NULL)


def extras_of(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """Of the files of an artifact, those that a graph needs beside it: of its tokenizers."""
    return {name: content for name, content in files.items() if name.startswith("tokenizer/")}


def tokens_name(name: str) -> str:
    """The input that holds the token ids of a text.

    >>> tokens_name("request.sentence")
    'request.sentence.tokens'
    """
    return name + _TOKENS


def is_tokens_name(name: str) -> bool:
    """Whether this is the name of such an input."""
    return name.endswith(_TOKENS)


def text_name(name: str) -> str:
    """The text whose token ids an input holds.

    >>> text_name("request.sentence.tokens")
    'request.sentence'
    """
    return name.removesuffix(_TOKENS)
