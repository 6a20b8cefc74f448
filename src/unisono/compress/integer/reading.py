"""Transformers of torch as plain matrices: BERT, DistilBERT and ViT of the library transformers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import nn

from unisono.compress.integer.encoder import Curve, Dense, Encoder, Floats, Head, Layer, Normal, Squares, Words
from unisono.spec.errors import ModelError
from unisono.spec.wording import listing, quoted

_CURVES: Mapping[str, Curve] = {"gelu": "gelu", "relu": "relu"}


def read(module: nn.Module) -> Encoder:
    """A module as plain matrices.

    module: of `TorchModel`: a model of transformers, and around it nothing that has numbers of its own.

    Raises ModelError that names the layer which is something else.
    """
    models = [one for one in module.modules() if type(one).__name__ in _READERS]
    if not models:
        raise _refused(_names_of_models(module), listing(_READERS), "make it smaller with the step quantise")
    _refuse_other_parameters(module, models[0])
    return _READERS[type(models[0]).__name__](models[0])


def _names_of_models(module: nn.Module) -> str:
    from transformers import PreTrainedModel

    found = [type(one).__name__ for one in module.modules() if isinstance(one, PreTrainedModel)]
    return found[0] if found else type(module).__name__


def _refused(seen: str, allowed: str, advice: str) -> ModelError:
    return ModelError(f"integer: {seen}; allowed: {allowed}; {advice}")


def _refuse_other_parameters(module: nn.Module, model: nn.Module) -> None:
    own = {id(one) for one in model.parameters()}
    others = [name for name, one in module.named_parameters() if id(one) not in own]
    if others:
        raise _refused(
            f"{type(module).__name__} has {listing(others)} around its {type(model).__name__}",
            "a model of transformers alone",
            "put them into its classifier",
        )


def _bert_scores(model: Any) -> Encoder:
    _refuse_many_labels(model)
    head = Head(_dense(model.bert.pooler.dense), "tanh", _dense(model.classifier))
    return _bert(model.bert, "first", head)


def _bert_embedding(model: Any) -> Encoder:
    return _bert(model, "mean", None)


def _bert(model: Any, pool: Any, head: Head | None) -> Encoder:
    config = model.config
    if config.is_decoder or getattr(config, "add_cross_attention", False):
        raise _refused("a decoder, whose tokens do not see those after them", "an encoder", "set is_decoder = False")
    kind = getattr(config, "position_embedding_type", "absolute") or "absolute"
    if kind != "absolute":
        raise _refused(f"position_embedding_type {quoted(kind)}", "absolute", "take a model with a table of positions")
    table = model.embeddings
    positions = _rows(table.position_embeddings) + _rows(table.token_type_embeddings)[0]
    stem = Words(_rows(table.word_embeddings), positions, _normal(table.LayerNorm))
    return Encoder(stem, tuple(map(_bert_layer, model.encoder.layer)), "after", None, pool, head)


def _bert_layer(layer: Any) -> Layer:
    attention = layer.attention.self
    _expect(attention, "BertSelfAttention")
    return Layer(
        query=_dense(attention.query),
        key=_dense(attention.key),
        value=_dense(attention.value),
        output=_dense(layer.attention.output.dense),
        heads=attention.num_attention_heads,
        attention_norm=_normal(layer.attention.output.LayerNorm),
        rise=_dense(layer.intermediate.dense),
        curve=_curve(layer.intermediate.intermediate_act_fn),
        fall=_dense(layer.output.dense),
        norm=_normal(layer.output.LayerNorm),
    )


def _distil_scores(model: Any) -> Encoder:
    _refuse_many_labels(model)
    head = Head(_dense(model.pre_classifier), "relu", _dense(model.classifier))
    return _distil(model.distilbert, "first", head)


def _distil_embedding(model: Any) -> Encoder:
    return _distil(model, "mean", None)


def _distil(model: Any, pool: Any, head: Head | None) -> Encoder:
    table = model.embeddings
    positions = _rows(table.position_embeddings)
    stem = Words(_rows(table.word_embeddings), positions, _normal(table.LayerNorm))
    return Encoder(stem, tuple(map(_distil_layer, model.transformer.layer)), "after", None, pool, head)


def _distil_layer(layer: Any) -> Layer:
    attention = layer.attention
    _expect(attention, "DistilBertSelfAttention")
    return Layer(
        query=_dense(attention.q_lin),
        key=_dense(attention.k_lin),
        value=_dense(attention.v_lin),
        output=_dense(attention.out_lin),
        heads=attention.n_heads,
        attention_norm=_normal(layer.sa_layer_norm),
        rise=_dense(layer.ffn.lin1),
        curve=_curve(layer.ffn.activation),
        fall=_dense(layer.ffn.lin2),
        norm=_normal(layer.output_layer_norm),
    )


def _vit(model: Any) -> Encoder:
    body, config = model.vit, model.config
    table = body.embeddings
    first = _floats(table.cls_token).reshape(-1)
    shape = (config.num_channels, config.image_size, config.image_size)
    positions = _floats(table.position_embeddings)[0]
    stem = Squares(shape, config.patch_size, _patch(table.patch_embeddings.projection), first, positions)
    layers = tuple(map(_vit_layer, body.layers))
    head = Head(None, "relu", _dense(model.classifier))
    return Encoder(stem, layers, "before", _normal(body.layernorm), "first", head)


def _patch(convolution: Any) -> Dense:
    """A convolution whose step is its own width, as a product."""
    weights = _floats(convolution.weight)
    return Dense(weights.reshape(len(weights), -1).T, _floats(convolution.bias))


def _vit_layer(layer: Any) -> Layer:
    attention = layer.attention
    _expect(attention, "ViTAttention")
    return Layer(
        query=_dense(attention.q_proj),
        key=_dense(attention.k_proj),
        value=_dense(attention.v_proj),
        output=_dense(attention.o_proj),
        heads=layer.attention.config.num_attention_heads,
        attention_norm=_normal(layer.layernorm_before),
        rise=_dense(layer.mlp.fc1),
        curve=_curve(layer.mlp.activation_fn),
        fall=_dense(layer.mlp.fc2),
        norm=_normal(layer.layernorm_after),
    )


def _refuse_many_labels(model: Any) -> None:
    if model.config.problem_type == "multi_label_classification":
        raise _refused("labels that do not exclude each other", "classes", "make one model a label")


def _expect(layer: nn.Module, kind: str) -> None:
    if type(layer).__name__ != kind:
        raise _refused(
            f"attention of the kind {type(layer).__name__}", kind, "put the step before what replaces attention"
        )


def _dense(layer: nn.Module) -> Dense:
    if not isinstance(layer, nn.Linear):
        raise _refused(
            f"a layer {type(layer).__name__} where a product belongs",
            "Linear",
            "put the step before what replaces layers, and leave steps such as low_rank out",
        )
    weights = _floats(layer.weight).T
    bias: Any = layer.bias
    return Dense(weights, np.zeros(weights.shape[1]) if bias is None else _floats(bias))


def _rows(table: nn.Module) -> Floats:
    if not isinstance(table, nn.Embedding):
        raise _refused(
            f"a table of words or positions {type(table).__name__}",
            "Embedding",
            "put the step before what replaces tables, and leave steps such as low_rank_embedding out",
        )
    return _floats(table.weight)


def _normal(layer: nn.Module) -> Normal:
    if not isinstance(layer, nn.LayerNorm):
        raise _refused(f"a normalisation {type(layer).__name__}", "LayerNorm", "take a model that has it")
    return Normal(_floats(layer.weight), _floats(layer.bias), layer.eps)


def _curve(layer: nn.Module) -> Curve:
    """Which function it is, by what it gives: GELU by tanh is GELU to 0.0005; others so called are off by 0.02."""
    numbers = torch.linspace(-6, 6, 241)
    known = {"gelu": torch.nn.functional.gelu(numbers), "relu": torch.relu(numbers)}
    with torch.inference_mode():
        given = layer(numbers)
    for name, curve in _CURVES.items():
        if (given - known[name]).abs().max() < 1e-3:
            return curve
    raise _refused(f"activation {type(layer).__name__}", listing(_CURVES), "train it with one of these")


def _floats(tensor: Any) -> Floats:
    found: Floats = tensor.detach().cpu().double().numpy()
    if not np.isfinite(found).all():
        raise _refused("NaN or infinity among the weights", "numbers", "train it again with a lower rate")
    return found


_READERS: Mapping[str, Callable[[Any], Encoder]] = {
    "BertForSequenceClassification": _bert_scores,
    "BertModel": _bert_embedding,
    "DistilBertForSequenceClassification": _distil_scores,
    "DistilBertModel": _distil_embedding,
    "ViTForImageClassification": _vit,
}
