"""A small encoder of PyTorch's own layers that reads ListOps: trained here once, with softmax attention."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import torch
from torch import nn

from benchmarks.edge_transformers.datasets.listops import CLASSES, WORDS
from benchmarks.harness import say

_FIRST, _UNKNOWN = "[CLS]", "[UNK]"
_WIDTH, _LAYERS, _HEADS, _INNER = 64, 2, 4, 128
_EPOCHS, _RATE, _ROWS = 2, 2e-3, 32


class Reader(nn.Module):
    """Token ids -> one score a digit; the first token, which stands before the expression, says it."""

    classes_ = CLASSES

    def __init__(self, most_tokens: int) -> None:
        super().__init__()
        self.words = nn.Embedding(len(WORDS) + 2, _WIDTH)
        self.places = nn.Embedding(most_tokens, _WIDTH)
        layer = nn.TransformerEncoderLayer(
            _WIDTH, _HEADS, _INNER, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
        )
        self.encoder = nn.TransformerEncoder(layer, _LAYERS, nn.LayerNorm(_WIDTH), enable_nested_tensor=False)
        self.head = nn.Linear(_WIDTH, len(CLASSES))

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        """Rows x tokens -> rows x 10."""
        places = self.places.weight.index_select(0, torch.arange(ids.shape[1]))
        scores: torch.Tensor = self.head(self.encoder(self.words(ids) + places)[:, 0])
        return scores


def tokenizer(most_tokens: int) -> Any:
    """One token a word, and one before them."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    words = {word: place for place, word in enumerate((_UNKNOWN, _FIRST, *WORDS))}
    made = Tokenizer(models.WordLevel(words, unk_token=_UNKNOWN))
    made.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    first = (_FIRST, words[_FIRST])
    made.post_processor = processors.TemplateProcessing(single=f"{_FIRST} $A", special_tokens=[first])
    fast: Any = PreTrainedTokenizerFast
    return fast(tokenizer_object=made, model_max_length=most_tokens, unk_token=_UNKNOWN)


def trained(folder: Path, frame: pl.DataFrame, most_tokens: int) -> tuple[Any, Any]:
    """(module, tokenizer), trained on the part "train"; kept in a folder."""
    path = folder / "listops-reader.pt"
    torch.manual_seed(0)
    reader = Reader(most_tokens)
    if not path.exists():
        learnt = _train(reader, folder, frame, most_tokens)
        torch.save(learnt.state_dict(), path)
    reader.load_state_dict(torch.load(path, weights_only=True))
    return reader.eval(), tokenizer(most_tokens)


def _train(reader: Reader, folder: Path, frame: pl.DataFrame, most_tokens: int) -> nn.Module:
    from unisono.compress.context import Context
    from unisono.compress.modules.model import torch_model
    from unisono.compress.modules.training import Lesson, Training, train
    from unisono.compress.recipe import DataSettings
    from unisono.compress.running.splitting import split
    from unisono.compress.subject import Subject
    from unisono.spec.types import String

    say("training the reader of ListOps, once")
    inputs = {"text": String}
    begun = torch_model((reader, tokenizer(most_tokens)), inputs, None)
    settings = DataSettings(label="value", split="part")
    data = split(frame, settings, reads=["text"], carries=[], inputs=inputs, classes=CLASSES, label=None)
    stage = folder / "listops-reader.work"
    stage.mkdir(exist_ok=True)
    context = Context(Subject(torch=begun), data, 0, stage, stage, _say)
    lesson = Lesson(frame=data.train, targets=data.targets(data.train))
    training = Training(epochs=_EPOCHS, batch_rows=_ROWS, learning_rate=_RATE)
    return train(begun, lesson, context, training, what="reader").module


def _say(what: str, done: int, total: int | None) -> None:
    if total and done % 50 == 0:
        say(f"  {what}: {done:,} of {total:,}")
