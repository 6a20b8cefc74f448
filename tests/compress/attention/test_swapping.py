"""Attention layers of libraries, and others in their place."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest
import torch
from torch import nn

from tests.compress.attention.nets import Tokens
from tests.compress.nets import reader
from unisono.compress.attention.step import LinearAttention
from unisono.compress.attention.swapping import attentions_of, replacement
from unisono.compress.modules.replacing import replace_layer
from unisono.models.importers.huggingface_modules import without_masks
from unisono.spec.errors import ModelError

WIDE = LinearAttention(kind="local_global", window=64)
"""Sees everything of short texts, so that it gives what softmax attention gives."""


def bert() -> nn.Module:
    module: nn.Module = without_masks(reader()[0])
    return module


def distilbert() -> nn.Module:
    from transformers import DistilBertConfig, DistilBertModel

    config = DistilBertConfig(vocab_size=26, dim=32, n_layers=2, n_heads=4, hidden_dim=64, max_position_embeddings=32)
    module: nn.Module = without_masks(DistilBertModel(config))
    return module


def tokens_later() -> nn.Module:
    return Tokens(batch_first=False)


def swapped(module: nn.Module, step: LinearAttention) -> nn.Module:
    made = deepcopy(module)
    for name, attention in attentions_of(made, step).items():
        replace_layer(made, name, replacement(attention, step, 32))
    return made


@pytest.mark.parametrize("make", [bert, distilbert, Tokens, tokens_later])
@pytest.mark.parametrize("training", [False, True])
def test_other_attention_has_the_weights_of_the_original(make: Callable[[], nn.Module], training: bool) -> None:
    torch.manual_seed(0)
    module = make().eval()
    made = swapped(module, WIDE)
    assert not [one for one in made.modules() if type(one).__name__ in ("MultiheadAttention", "BertSelfAttention")]
    made.train(training)
    for part in made.modules():
        if isinstance(part, nn.Dropout):
            part.p = 0.0
    ids = torch.randint(0, 25, (3, 11))
    torch.testing.assert_close(first_of(made(ids)), first_of(module(ids)), atol=1e-5, rtol=1e-5)


def first_of(answer: Any) -> torch.Tensor:
    tensor: torch.Tensor = answer if isinstance(answer, torch.Tensor) else answer[0]
    return tensor


def test_a_causal_encoder_keeps_its_mask_and_another_mask_is_refused() -> None:
    torch.manual_seed(0)
    layer = nn.TransformerEncoderLayer(16, 2, 32, dropout=0.0, batch_first=True)
    encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False).eval()
    given, mask = torch.randn(2, 9, 16), nn.Transformer.generate_square_subsequent_mask(9)
    made = swapped(encoder, LinearAttention(kind="local_global", window=64, global_tokens=0, causal=True))
    torch.testing.assert_close(made(given, mask=mask), encoder(given, mask=mask))
    with pytest.raises(ModelError, match="a mask; allowed: what comes later is hidden, nothing else"):
        made(given, mask=mask.T)
    with pytest.raises(ModelError, match=r"a mask; allowed: nothing is hidden; .*say `causal = true`"):
        swapped(encoder, WIDE)(given, mask=mask)


def test_rows_that_are_filled_up_are_refused() -> None:
    model = swapped(bert(), LinearAttention())
    ids, mask = torch.ones(2, 6, dtype=torch.long), torch.ones(2, 6)
    model(ids, attention_mask=mask)
    mask[0, 4:] = 0
    with pytest.raises(ModelError, match="feed rows of one length together without a mask"):
        model(ids, attention_mask=mask)


def test_queries_of_another_tensor_are_refused() -> None:
    attention = replacement(nn.MultiheadAttention(16, 2), LinearAttention(), 32)
    one, other = torch.randn(2, 5, 3, 16)
    with pytest.raises(ModelError, match="queries are of another tensor than keys"):
        attention(one, other, other)


def test_attention_that_cannot_be_replaced_is_named() -> None:
    from transformers import GPT2Config, GPT2Model

    gpt = GPT2Model(GPT2Config(n_embd=16, n_layer=1, n_head=2, n_positions=8))
    with pytest.raises(ModelError, match=r"h\.0\.attn: a GPT2Attention; allowed: .*BertSelfAttention"):
        attentions_of(gpt, LinearAttention())
    with pytest.raises(ModelError, match="no attention among Linear; allowed"):
        attentions_of(nn.Linear(2, 2), LinearAttention())
    with pytest.raises(ModelError, match="its keys or values are of another width"):
        attentions_of(nn.Sequential(nn.MultiheadAttention(8, 2, kdim=4)), LinearAttention())
    with pytest.raises(ModelError, match="it has keys of its own"):
        attentions_of(nn.Sequential(nn.MultiheadAttention(8, 2, add_bias_kv=True)), LinearAttention())
    with pytest.raises(ModelError, match="was trained with causal = false"):
        attentions_of(bert(), LinearAttention(causal=True))


def test_only_layers_that_are_named_are_replaced() -> None:
    chosen = attentions_of(Tokens(), LinearAttention(exclude=("*.0.*",)))
    assert [*chosen] == ["encoder.layers.1.self_attn"]
    with pytest.raises(ModelError, match=r'"\*\.7\.\*" fits none'):
        attentions_of(Tokens(), LinearAttention(include=("*.7.*",)))
