"""A transformer of torch as plain matrices, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from tests.compress.integer import models
from unisono.compress.integer import floating
from unisono.compress.integer.converting import rows_of
from unisono.compress.integer.reading import read
from unisono.models.importers.huggingface_modules import module_of
from unisono.spec.errors import InputError, ModelError

pytestmark = pytest.mark.slow  # transformers is imported

IDS = [[1, 5, 9, 2], [7], [3] * 20, [39, 0, 17, 8, 8, 1, 30]]


@pytest.mark.parametrize("make", [models.bert, models.bert_scores, models.distilbert_scores])
@pytest.mark.parametrize("curve", ["gelu", "relu"])
def test_the_matrices_of_a_reader_say_what_it_says(make: Callable[..., Any], curve: str) -> None:
    setting = "activation" if make is models.distilbert_scores else "hidden_act"
    module = module_of(make(**{setting: curve}))
    rows = rows_of(read(module), np.array([np.array(one) for one in IDS], object))
    found = floating.answers(read(module), rows.given, rows.bounds)
    with torch.inference_mode():
        said = [module(torch.tensor([one])) for one in IDS]
    wanted = np.concatenate([(one["embedding"] if isinstance(one, dict) else one).numpy() for one in said])
    assert np.abs(found - wanted).max() < 1e-5
    assert np.ptp(wanted, axis=0).min() > 0.1


def test_the_matrices_of_a_viewer_say_what_it_says() -> None:
    module = models.Viewer().eval()
    images = np.random.default_rng(0).integers(0, 256, (5, 1, models.SIDE, models.SIDE)) / 255
    rows = rows_of(read(module), images)
    with torch.inference_mode():
        wanted = module(torch.from_numpy(images).float()).numpy()
    assert np.abs(floating.answers(read(module), rows.given, rows.bounds) - wanted).max() < 1e-5


def test_pixels_beyond_0_to_1_are_refused() -> None:
    images = np.full((2, 1, models.SIDE, models.SIDE), 3.0)
    with pytest.raises(InputError, match="pixels from 3 to 3; allowed: 0 to 1; divide"):
        rows_of(read(models.Viewer()), images)


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda: module_of(models.bert(hidden_act="silu")), "activation SiLUActivation; allowed: gelu, relu"),
        (lambda: module_of(models.bert(hidden_act="quick_gelu")), "activation QuickGELUActivation"),
        (lambda: module_of(models.bert(is_decoder=True)), "a decoder"),
        (lambda: _with_other_attention(), "attention of the kind Local; allowed: BertSelfAttention"),
        (lambda: _with_low_rank(), "a layer Sequential where a product belongs"),
        (lambda: _with_thin_words(), "a table of words or positions Sequential; allowed: Embedding"),
        (lambda: _with_nothing_known(), "integer: RobertaModel; allowed: BertForSequenceClassification"),
        (lambda: nn.Linear(3, 2), "integer: Linear; allowed: BertForSequenceClassification"),
        (lambda: _with_more_around(), "has after.weight, after.bias around its BertModel"),
        (lambda: _with_nan(), "NaN or infinity among the weights"),
        (lambda: module_of(models.bert_scores(problem_type="multi_label_classification")), "do not exclude"),
    ],
)
def test_a_layer_of_another_kind_is_refused_by_its_name(make: Callable[[], Any], named: str) -> None:
    with pytest.raises(ModelError, match=named):
        read(make())


def _with_other_attention() -> Any:
    class Local(nn.Module):
        pass

    module = module_of(models.bert())
    module.model.encoder.layer[1].attention.self = Local()
    return module


def _with_low_rank() -> Any:
    module = module_of(models.bert())
    module.model.encoder.layer[0].output.dense = nn.Sequential(nn.Linear(48, 4), nn.Linear(4, models.WIDTH))
    return module


def _with_thin_words() -> Any:
    module = module_of(models.bert())
    module.model.embeddings.word_embeddings = nn.Sequential(nn.Embedding(40, 4), nn.Linear(4, models.WIDTH))
    return module


def _with_nothing_known() -> Any:
    from transformers import RobertaConfig, RobertaModel

    return module_of(RobertaModel(RobertaConfig(hidden_size=12, num_attention_heads=2, num_hidden_layers=1)))


def _with_more_around() -> Any:
    module = module_of(models.bert())
    module.after = nn.Linear(2, 2)
    return module


def _with_nan() -> Any:
    model = models.bert()
    with torch.no_grad():
        model.encoder.layer[0].output.dense.weight[3, 3] = float("nan")
    return module_of(model)
