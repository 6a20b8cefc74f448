"""Tiny models that read text, with random weights, and tokenizers of a few hundred pieces."""

from __future__ import annotations

from typing import Any

import polars as pl

import unisono as un

WORDS = (
    *("a", "the", "film", "movie", "story", "plot", "actor", "scene", "was", "is", "not", "very", "quite", "good"),
    *("bad", "fine", "dull", "bright", "slow", "quick", "and", "but", "with", "never", "always", "great", "awful"),
    *("funny", "sad", "long", "short", "ending", "begin"),
)
REQUEST = {"text": un.String}
ROWS = pl.DataFrame(
    {
        "text": [
            *("The film was very good.", "a dull plot, and a bad ending", "", None, "great!", "not bad"),
            *("\N{GRINNING FACE}", "the " * 100, "na\u00efve \u6771\u4eac", "A\tlong\nstory", "x", "[SEP] good [PAD]"),
            *(
                f"the {WORDS[place % 30]} {WORDS[(7 * place) % 30]} was {WORDS[(11 * place) % 30]}"
                for place in range(28)
            ),
        ]
    },
    schema={"text": pl.String},
)


def predictor(name: str = "mood") -> un.Predictor:
    """Asks for a text."""
    return un.Predictor(name, request=REQUEST, time="asked_at", features=())


def tokenizer(*, length: int = 32) -> Any:
    """A fast tokenizer of transformers: words, and letters where a word is not known."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    letters = "abcdefghijklmnopqrstuvwxyz.,!"
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *WORDS[2:], *letters, *(f"##{letter}" for letter in letters)]
    inner = Tokenizer(models.WordPiece({piece: place for place, piece in enumerate(pieces)}, unk_token="[UNK]"))
    inner.normalizer = normalizers.BertNormalizer()
    inner.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    inner.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    make: Any = PreTrainedTokenizerFast  # without types
    return make(
        tokenizer_object=inner,
        model_max_length=length,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
    )


def model(kind: str = "BertForSequenceClassification", **config: Any) -> Any:
    """A model of transformers, one layer deep."""
    import torch
    import transformers

    torch.manual_seed(5)
    sizes: dict[str, Any] = {
        "hidden_size": 32,
        "num_hidden_layers": 1,
        "num_attention_heads": 4,
        "intermediate_size": 64,
    }
    # Weights ten times as large as usual, so that texts differ by more than a rounding.
    made = transformers.BertConfig(vocab_size=128, max_position_embeddings=64, initializer_range=0.2, **sizes, **config)
    return getattr(transformers, kind)(made).eval()
