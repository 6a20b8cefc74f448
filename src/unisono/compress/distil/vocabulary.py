"""A smaller vocabulary: the tokens that no text needs go, with their rows of the embedding.

In a small language model the table of embeddings is half of all numbers, and texts of one kind use a part of it. Every
text can still be read: a word that loses its token is spelled in shorter pieces, and all single letters stay.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
import torch
from torch import nn

from unisono.spec.errors import ModelError
from unisono.spec.wording import quoted


@dataclass(frozen=True, slots=True)
class Smaller:
    """A module and its tokenizer with fewer tokens.

    kept: the old number of each of the new tokens.
    """

    module: nn.Module
    tokenizer: Any
    kept: torch.Tensor


def with_seen_tokens(module: nn.Module, tokenizer: Any, texts: Sequence[str], *, fewest: int) -> Smaller:
    """A copy of a model with the tokens that are in these texts, single letters, and special tokens.

    fewest: times that a token has to be there.

    Raises ModelError for tokenizers of another kind than WordPiece, and a module without one table of embeddings.
    """
    document = msgspec.json.decode(tokenizer.backend_tokenizer.to_str())
    if document["model"]["type"] != "WordPiece":
        raise ModelError(
            f"distil: vocabulary of a tokenizer of the kind {quoted(document['model']['type'])}; allowed: WordPiece, "
            "whose words fall into shorter pieces when a token goes; set vocabulary = 0"
        )
    kept = _kept(document, tokenizer, texts, fewest)
    return Smaller(_with_rows(module, kept), _with_tokens(document, tokenizer, kept), torch.tensor(kept))


def _kept(document: dict[str, Any], tokenizer: Any, texts: Sequence[str], fewest: int) -> list[int]:
    vocabulary: dict[str, int] = document["model"]["vocab"]
    prefix = document["model"]["continuing_subword_prefix"]
    counts = np.zeros(max(vocabulary.values()) + 1, np.int64)
    for text in texts:
        np.add.at(counts, tokenizer.backend_tokenizer.encode(text, add_special_tokens=False).ids, 1)
    always = {*tokenizer.all_special_ids, *(one["id"] for one in document["added_tokens"])}
    letters = (place for token, place in vocabulary.items() if len(token.removeprefix(prefix)) == 1)
    return sorted({*always, *letters, *np.flatnonzero(counts >= fewest).tolist()})


def _with_tokens(document: dict[str, Any], tokenizer: Any, kept: Sequence[int]) -> Any:
    from tokenizers import Tokenizer

    numbers = {old: new for new, old in enumerate(kept)}
    model = document["model"]
    model["vocab"] = {token: numbers[old] for token, old in model["vocab"].items() if old in numbers}
    for one in document["added_tokens"]:
        one["id"] = numbers[one["id"]]
    _renumber(document["post_processor"] or {}, numbers)
    made = deepcopy(tokenizer)
    made._tokenizer = Tokenizer.from_str(msgspec.json.encode(document).decode())
    return made


def _renumber(processor: dict[str, Any], numbers: dict[int, int]) -> None:
    """The special tokens that a post-processor adds have new numbers, too."""
    for name in ("sep", "cls"):
        if name in processor:
            token, old = processor[name]
            processor[name] = [token, numbers[old]]
    special = processor.get("special_tokens")
    for one in special.values() if isinstance(special, dict) else ():
        one["ids"] = [numbers[old] for old in one["ids"]]
    for inner in processor.get("processors", ()):
        _renumber(inner, numbers)


def _with_rows(module: nn.Module, kept: Sequence[int]) -> nn.Module:
    made = deepcopy(module)
    model = next((part for part in made.modules() if callable(getattr(part, "get_input_embeddings", None))), None)
    table: Any = None if model is None else model.get_input_embeddings()  # type: ignore[operator]
    if not isinstance(table, nn.Embedding):
        raise ModelError(
            f"distil: {type(module).__name__} has no table of embeddings; allowed: one of transformers' models; set "
            "vocabulary = 0"
        )
    table.weight = nn.Parameter(table.weight.detach()[list(kept)].clone())
    table.num_embeddings = len(kept)
    numbers = {old: new for new, old in enumerate(kept)}
    if table.padding_idx is not None:
        table.padding_idx = numbers[table.padding_idx]
    for part in made.modules():
        config: Any = getattr(part, "config", None)
        if getattr(config, "vocab_size", None) is not None:
            config.vocab_size = len(kept)
            if config.pad_token_id is not None:
                config.pad_token_id = numbers.get(config.pad_token_id)
    return made
