"""Encoders described by their configuration have the weights that the real ones have."""

from __future__ import annotations

from typing import Any

import pytest

from unisono.place.accelerator import encoder_of
from unisono.spec.errors import DefinitionError

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

SMALL = {"num_hidden_layers": 2, "hidden_size": 48, "num_attention_heads": 3, "intermediate_size": 100}
DISTILLED = {"n_layers": 2, "dim": 48, "n_heads": 3, "hidden_dim": 100}


def linear_weights(model: Any) -> int:
    """Of products alone; a pooler behind the encoder is none of it."""
    modules = [one for name, one in model.named_modules() if "pooler" not in name]
    kinds = (torch.nn.Linear, torch.nn.Conv2d)
    return sum(one.weight.numel() for one in modules if isinstance(one, kinds))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "sizes"), [("Bert", SMALL), ("Roberta", SMALL), ("DistilBert", DISTILLED), ("ViT", SMALL)]
)
def test_an_encoder_has_the_weights_of_its_configuration(kind: str, sizes: dict[str, int]) -> None:
    config = getattr(transformers, f"{kind}Config")(**sizes, **({"image_size": 32} if kind == "ViT" else {}))
    model = getattr(transformers, f"{kind}Model")(config)
    described = encoder_of(config.to_dict(), tokens=None if kind == "ViT" else 16)
    assert described.parameters == linear_weights(model)


def test_an_image_has_a_token_for_each_patch_and_one_for_its_class() -> None:
    assert encoder_of({**SMALL, "image_size": 224, "patch_size": 16, "num_channels": 3}).tokens == 197


def test_what_a_configuration_does_not_have_is_said() -> None:
    with pytest.raises(DefinitionError) as raised:
        encoder_of({"hidden_size": "wide", "num_hidden_layers": 2, "intermediate_size": 9})
    assert [one.split(";")[0] for one in raised.value.problems] == [
        'config: hidden_size: "wide"',
        "config: num_attention_heads: None (of type NoneType)",
        "tokens: none, and no image_size, patch_size, num_channels in the config",
    ]
