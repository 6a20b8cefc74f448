"""Models of transformers as modules that take token ids and give tensors."""

from __future__ import annotations

from typing import Any

from unisono.models.importers.base import comes_from
from unisono.spec.errors import ModelError


def module_of(model: Any) -> Any:
    """A model as such a module; what is no model of transformers' is one already.

    With a head for classification: its scores; with labels that do not exclude each other: `scores`, a probability
    each. Without a head: `embedding`, the mean of the last hidden states.
    """
    if not comes_from(model, "torch"):
        raise ModelError(
            f"model: {type(model).__name__} with a tokenizer; allowed: a model of transformers, or a module of "
            "PyTorch that takes token ids; pass (model, tokenizer)"
        )
    if not _is_pretrained(model):
        return model
    from unisono.models.importers import huggingface_heads as heads

    if not type(model).__name__.endswith("ForSequenceClassification"):
        return heads.Embedding(model)
    return heads.Scores(model) if _has_many_labels(model) else heads.Logits(model)


def without_masks(module: Any) -> Any:
    """The same module with attention in plain operators: it then makes no mask for rows without padding."""
    for part in module.modules():
        if callable(getattr(part, "set_attn_implementation", None)):
            part.set_attn_implementation("eager")
    return module


def classes_of(model: Any) -> list[Any] | None:
    """The labels of a model's scores; None if it is a regression, or gives something else."""
    if not _is_pretrained(model):
        return getattr(model, "classes_", None)
    is_classifier = type(model).__name__.endswith("ForSequenceClassification")
    if not is_classifier or _has_many_labels(model) or model.config.num_labels == 1:
        return None
    return [model.config.id2label[place] for place in range(model.config.num_labels)]


def _is_pretrained(model: Any) -> bool:
    return comes_from(model, "transformers") and hasattr(model, "config")


def _has_many_labels(model: Any) -> bool:
    return bool(model.config.problem_type == "multi_label_classification")
