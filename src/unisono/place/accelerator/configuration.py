"""An encoder's description from the configuration that Hugging Face keeps beside its weights."""

from __future__ import annotations

from collections.abc import Mapping

from unisono.place.accelerator.encoder import Encoder
from unisono.spec.errors import DefinitionError
from unisono.spec.wording import quoted

_NAMES: Mapping[str, tuple[str, ...]] = {
    "layers": ("num_hidden_layers", "n_layers"),
    "width": ("hidden_size", "dim"),
    "heads": ("num_attention_heads", "n_heads"),
    "inner": ("intermediate_size", "hidden_dim"),
}
_IMAGE = ("image_size", "patch_size", "num_channels")


def encoder_of(config: Mapping[str, object], *, tokens: int | None = None, outputs: int = 0) -> Encoder:
    """The encoder of a config.json of BERT, DistilBERT, RoBERTa, ViT, DeiT and their like, with softmax attention.

    config:  as read; what it does not have may not be guessed.
    tokens:  of a text; None for an image: its patches and one for the class.
    outputs: of a classifier behind it.

    Raises DefinitionError, all faults together.

    >>> config = {"num_hidden_layers": 6, "hidden_size": 384, "num_attention_heads": 12, "intermediate_size": 1536}
    >>> encoder_of(config, tokens=128).parameters
    10616832
    """
    found = {ours: next((config[name] for name in names if name in config), None) for ours, names in _NAMES.items()}
    faults = [
        f"config: {_NAMES[ours][0]}: {quoted(value)}; allowed: a whole number; is this an encoder's config.json?"
        for ours, value in found.items()
        if not isinstance(value, int)
    ]
    image = {name: value for name in _IMAGE if isinstance(value := config.get(name), int)}
    if tokens is None and len(image) < len(_IMAGE):
        faults.append(f"tokens: none, and no {', '.join(_IMAGE)} in the config; allowed: tokens= of a text")
    if faults:
        raise DefinitionError(faults)
    layers, width, heads, inner = (value for value in found.values() if isinstance(value, int))
    patch = 0
    if tokens is None:
        side, patch_side, channels = (image[name] for name in _IMAGE)
        tokens, patch = (side // patch_side) ** 2 + 1, channels * patch_side**2
    return Encoder(layers=layers, width=width, heads=heads, inner=inner, tokens=tokens, patch=patch, outputs=outputs)
