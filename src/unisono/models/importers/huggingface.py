"""Hugging Face: a model that reads text, together with its tokenizer, whose file travels with the graph.

It is given as a pipeline, as a folder that `save_pretrained` wrote, or as the pair (model, tokenizer); the model of a
pair may be any module of PyTorch that takes token ids, int64, rows x tokens.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import polars as pl

from unisono.models.importers.base import Answers, Block, ImportedModel, comes_from
from unisono.models.importers.huggingface_modules import classes_of, module_of, without_masks
from unisono.models.importers.torch_graph import (
    Input,
    Meaning,
    answers_of,
    ask,
    frozen,
    graph_of,
    in_batches,
    meaning_of,
    quiet,
)
from unisono.models.tokenizer_files import TEXTS, files_of
from unisono.models.tokens import MOST_TOKENS, Tokenizer
from unisono.spec.errors import ModelError
from unisono.spec.types import DType, String
from unisono.spec.wording import listing, one_line, quoted

_TOKENS = "tokens"
_EXAMPLE = "A few words are enough to see what the model gives."
_PIPELINES = ("text-classification", "feature-extraction")


@dataclass(frozen=True, slots=True)
class Pair:
    """A model and what makes its token ids.

    model:     a model of transformers, or a module that takes token ids.
    tokenizer: of transformers.
    """

    model: Any
    tokenizer: Any


class HuggingFace:
    """The importer of models that read text."""

    def accepts(self, model: object) -> bool:
        """Whether this is a pipeline, a folder, a pair, or a model whose tokenizer has been forgotten."""
        if isinstance(model, str | Path):
            return (Path(model) / "config.json").is_file()
        if isinstance(model, tuple):
            return len(model) == 2 and comes_from(model[1], "transformers")
        return comes_from(model, "transformers")

    def import_model(
        self, model: Any, *, inputs: Mapping[str, DType], columns: Sequence[str] | None = None
    ) -> ImportedModel:
        """The model as a graph of token ids, and its tokenizer's file.

        columns: the one column that it reads; None: the only String column.

        Raises ModelError for what torch cannot export, and for tokenizers that are not written in a file.
        """
        with quiet():
            pair = pair_of(model)
            module = without_masks(frozen(module_of(pair.model)))
        column = column_of(inputs, columns)
        tokenizer = tokenizer_of(pair)
        _refuse_other_ids(pair.tokenizer, tokenizer)
        _refuse_too_long(module, tokenizer)
        examples = [_example(tokenizer)]
        meaning = meaning_of(module, ask(module, examples), classes_of(pair.model))
        return ImportedModel(
            task=meaning.task,
            classes=meaning.classes,
            blocks=(Block(_TOKENS, (column,), kind="tokens"),),
            graph=graph_of(module, [Input(_TOKENS, np.int64, (None,))], examples, meaning),
            library=_library(),
            finite=False,
            answer=lambda frame: _answer(module, pair.tokenizer, tokenizer.length, frame.get_column(column), meaning),
            extras=files_of(column, tokenizer),
        )


def pair_of(model: Any) -> Pair:
    """A model and its tokenizer, of whatever the importer takes. Raises ModelError."""
    if isinstance(model, str | Path):
        return _opened(Path(model))
    if isinstance(model, tuple):
        return Pair(*model)
    if not hasattr(model, "tokenizer"):
        raise ModelError(
            f"model: {type(model).__name__} without a tokenizer; allowed: a model with what makes its token ids; pass "
            "(model, tokenizer)"
        )
    if getattr(model, "task", None) not in _PIPELINES or model.tokenizer is None:
        seen = quoted(getattr(model, "task", None))
        raise ModelError(f"model: a pipeline for {seen}; allowed: {listing(_PIPELINES)}; pass (model, tokenizer)")
    return Pair(model.model, model.tokenizer)


def _opened(folder: Path) -> Pair:
    """What `save_pretrained` wrote. No code in it is run, and nothing is fetched."""
    import transformers

    options: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    try:
        config = transformers.AutoConfig.from_pretrained(folder, **options)
        kinds = config.architectures or [""]
        is_classifier = kinds[0].endswith("ForSequenceClassification")
        kind = transformers.AutoModelForSequenceClassification if is_classifier else transformers.AutoModel
        model = kind.from_pretrained(folder, use_safetensors=True, **options)
        return Pair(model, transformers.AutoTokenizer.from_pretrained(folder, **options))
    except Exception as error:  # the library's own
        raise ModelError(
            f'model "{folder}": {one_line(error)}; allowed: a folder with config.json, model.safetensors and '
            "tokenizer.json; write it with save_pretrained, of the model and of the tokenizer"
        ) from error


def column_of(inputs: Mapping[str, DType], columns: Sequence[str] | None) -> str:
    """The one text that it reads. Raises ModelError if that is not clear."""
    texts = [name for name, dtype in inputs.items() if dtype == String]
    chosen = texts if columns is None else list(columns)
    if len(chosen) != 1 or chosen[0] not in texts:
        raise ModelError(
            f"model: reads one text, of {listing(chosen)}; allowed: one of {listing(texts)}; "
            "say which with columns=[...]"
        )
    return chosen[0]


def tokenizer_of(pair: Pair) -> Tokenizer:
    """What makes its token ids, with the file that says all that it does."""
    backend = getattr(pair.tokenizer, "backend_tokenizer", None)
    if backend is None or pair.tokenizer.truncation_side != "right":
        seen = "cuts texts off at the left" if backend else "has no tokenizer.json"
        raise ModelError(
            f"model: {type(pair.tokenizer).__name__} {seen}; allowed: a fast tokenizer that cuts off at the right; "
            "load it with AutoTokenizer, and set truncation_side"
        )
    document = msgspec.json.decode(backend.to_str())
    cut = {"direction": "Right", "max_length": _length(pair), "strategy": "LongestFirst", "stride": 0}
    return Tokenizer(msgspec.json.encode({**document, "truncation": cut, "padding": None, "decoder": None}))


def _length(pair: Pair) -> int:
    """Tokens after which a text is cut off: what tokenizer and model say, whichever is less."""
    config = getattr(pair.model, "config", None)
    said = (pair.tokenizer.model_max_length, getattr(config, "max_position_embeddings", None))
    known = [int(one) for one in said if one is not None and 0 < one <= MOST_TOKENS]
    if not known:
        raise ModelError(
            f"model: nothing says after how many tokens a text is cut off; allowed: 1 to {MOST_TOKENS}; set "
            "tokenizer.model_max_length"
        )
    return min(known)


def _refuse_other_ids(theirs: Any, ours: Tokenizer) -> None:
    """A tokenizer may do more than its file says."""
    for text in TEXTS:
        if _ids(theirs, text, ours.length) != ours.ids(text):
            raise ModelError(
                f"model: {type(theirs).__name__} makes other token ids of {quoted(text)} than its tokenizer.json; "
                "allowed: the same; use a tokenizer that transformers writes down whole"
            )


def _ids(tokenizer: Any, text: str, length: int) -> list[int]:
    ids: list[int] = tokenizer(text, truncation=True, max_length=length)["input_ids"]
    return ids


def _refuse_too_long(module: Any, tokenizer: Tokenizer) -> None:
    import torch

    longest = np.resize(np.array(tokenizer.ids(_EXAMPLE)), tokenizer.length)
    try:
        ask(module, [torch.from_numpy(longest[np.newaxis])])
    except ModelError:
        raise
    except Exception as error:  # torch's own
        raise ModelError(
            f"model: {type(module).__name__} fails on {tokenizer.length} tokens: {one_line(error)}; allowed: as "
            "many as the tokenizer gives; set tokenizer.model_max_length to what the model can read, and use "
            "its own tokenizer"
        ) from error


def _example(tokenizer: Tokenizer) -> Any:
    """Three texts of the same tokens."""
    import torch

    ids = np.resize(np.array(tokenizer.ids(_EXAMPLE)), min(7, tokenizer.length))
    return torch.from_numpy(np.tile(ids, (3, 1)))


def _answer(module: Any, tokenizer: Any, length: int, texts: pl.Series, meaning: Meaning) -> Answers:
    """Row by row, with the token ids of the library's own tokenizer."""
    import torch

    known = texts.fill_null("").to_list()

    def ask_row(start: int, end: int) -> Answers:
        return answers_of(ask(module, [torch.tensor([_ids(tokenizer, known[start], length)])]), meaning)

    return in_batches(len(known), 1, ask_row)


def _library() -> str:
    import torch
    import transformers

    return f"transformers {transformers.__version__}, torch {torch.__version__.partition('+')[0]}"
