"""Small transformers that nobody has trained, with weights large enough that their answers differ."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

SIDE, PATCH, WIDTH = 12, 4, 24


def bert(**changes: Any) -> Any:
    """A BERT without a head."""
    from transformers import BertConfig, BertModel

    config = BertConfig(
        **{
            "vocab_size": 40,
            "hidden_size": WIDTH,
            "num_hidden_layers": 2,
            "num_attention_heads": 3,
            "intermediate_size": 48,
            "max_position_embeddings": 20,
            **changes,
        }
    )
    return lively(BertModel(config))


def bert_scores(**changes: Any) -> Any:
    """A BERT that gives scores of three classes."""
    from transformers import BertForSequenceClassification

    model = bert(num_labels=3, **changes)
    return lively(BertForSequenceClassification(model.config))


def distilbert_scores(**changes: Any) -> Any:
    """A DistilBERT that gives scores of three classes."""
    from transformers import DistilBertConfig, DistilBertForSequenceClassification

    config = DistilBertConfig(
        **{
            "vocab_size": 40,
            "dim": WIDTH,
            "n_layers": 2,
            "n_heads": 3,
            "hidden_dim": 48,
            "max_position_embeddings": 20,
            "num_labels": 3,
            **changes,
        }
    )
    return lively(DistilBertForSequenceClassification(config))


class Viewer(nn.Module):
    """A ViT: images of 1 x 12 x 12 -> scores of three classes."""

    classes_ = ("left", "middle", "right")

    def __init__(self, **changes: Any) -> None:
        from transformers import ViTConfig, ViTForImageClassification

        super().__init__()
        config = ViTConfig(
            **{
                "hidden_size": WIDTH,
                "num_hidden_layers": 2,
                "num_attention_heads": 3,
                "intermediate_size": 48,
                "image_size": SIDE,
                "patch_size": PATCH,
                "num_channels": 1,
                "num_labels": 3,
                "attn_implementation": "eager",
                **changes,
            }
        )
        self.model = lively(ViTForImageClassification(config))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Rows x 1 x 12 x 12 -> rows x 3."""
        scores: torch.Tensor = self.model(pixel_values=image).logits
        return scores


def lively(model: Any) -> Any:
    """The same with weights of a seed, some of them large, as training leaves them."""
    torch.manual_seed(0)
    with torch.no_grad():
        for name, one in model.named_parameters():
            is_norm = "norm" in name.lower()
            one.copy_(torch.randn_like(one) * (0.2 if is_norm or one.ndim == 1 else 1.2 / WIDTH**0.5))
            if is_norm and name.endswith("weight"):
                one.add_(1.0)
    return model.eval()
