"""Small modules of torch that tests compress: made of a seed, trained by nobody."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

CLASSES = ("no", "yes")
NUMBERS = ("a", "b", "c", "d")
SIDE = 12
WORDS = (
    *("a", "actors", "and", "bad", "but", "dull", "end", "film", "good", "great", "it", "light", "music", "not"),
    *("plain", "plot", "story", "the", "very", "was"),
)
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


class Layers(nn.Module):
    """Numbers -> scores of two classes."""

    classes_ = CLASSES
    feature_names_in_ = NUMBERS

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(len(NUMBERS), width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 2)
        )

    def forward(self, numbers: torch.Tensor) -> torch.Tensor:
        """Rows x 4 -> rows x 2."""
        scores: torch.Tensor = self.layers(numbers)
        return scores


class Convolutions(nn.Module):
    """Images of 1 x 12 x 12 -> scores of three classes."""

    classes_ = ("left", "middle", "right")

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, width, 3, padding=1),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(width, width, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
        )
        self.head = nn.Sequential(nn.Flatten(), nn.Linear(width * 9, 64), nn.ReLU(), nn.Linear(64, 3))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Rows x 1 x 12 x 12 -> rows x 3."""
        scores: torch.Tensor = self.head(self.features(image))
        return scores


def reader(layers: int = 2) -> tuple[Any, Any]:
    """A BERT of two layers with its own words, and its tokenizer: texts -> scores of two classes."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import BertConfig, BertForSequenceClassification, PreTrainedTokenizerFast

    words = {word: place for place, word in enumerate((*SPECIAL, *WORDS))}
    tokenizer = Tokenizer(models.WordPiece(words, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", words["[SEP]"]), ("[CLS]", words["[CLS]"]))
    made: Any = PreTrainedTokenizerFast
    fast = made(
        tokenizer_object=tokenizer,
        model_max_length=32,
        unk_token="[UNK]",
        pad_token="[PAD]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
    )
    config = BertConfig(
        vocab_size=len(words),
        hidden_size=32,
        num_hidden_layers=layers,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=32,
        id2label=dict(enumerate(CLASSES)),
        label2id={label: place for place, label in enumerate(CLASSES)},
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )
    return BertForSequenceClassification(config), fast
