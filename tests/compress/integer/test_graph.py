"""What a network's answers become."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.compress.integer import models
from unisono.compress.integer.building import built
from unisono.compress.integer.converting import rows_of
from unisono.compress.integer.encoder import Encoder
from unisono.compress.integer.graph import Front, model_of
from unisono.compress.integer.matrices import answered
from unisono.compress.integer.reading import read
from unisono.kernel.integer.network import Linear, Network
from unisono.models.importers.huggingface_modules import module_of
from unisono.models.session import Runner
from unisono.spec.errors import ModelError
from unisono.spec.types import String

pytestmark = pytest.mark.slow  # transformers is imported

FRONT = Front("text", {"text": String}, {})
IDS = np.array([[1, 30, 12, 8, 2], [0, 39, 39, 2, 17]])


def made(model: Any) -> tuple[Network, Encoder]:
    """A network of a model that nobody has trained."""
    encoder = read(module_of(model))
    random = np.random.default_rng(0)
    rows = np.array([random.integers(0, 40, size) for size in (5, 9, 20, 3) * 6], object)
    return built(encoder, rows_of(encoder, rows), progress=lambda *told: None).network, encoder


def numbers(network: Network) -> NDArray[np.float64]:
    """What it answers to IDS."""
    whole = answered(network, IDS.reshape(-1), np.array([0, 5, 10]))
    real: NDArray[np.float64] = (whole - network.zero).astype(np.float64) * network.scale
    return real


def test_scores_of_many_classes_become_probabilities() -> None:
    network, encoder = made(models.bert_scores())
    labels, probabilities = Runner(model_of(network, encoder, FRONT, ("a", "b", "c")).graph)({"tokens": IDS})
    powers = np.exp(numbers(network))
    assert probabilities == pytest.approx(powers / powers.sum(axis=1, keepdims=True), abs=1e-14)
    assert labels.tolist() == np.array(["a", "b", "c"])[powers.argmax(axis=1)].tolist()


def test_one_score_without_classes_is_a_number() -> None:
    network, encoder = made(models.distilbert_scores(num_labels=1))
    model = model_of(network, encoder, FRONT, ())
    assert model.task == "regression"
    assert np.array_equal(Runner(model.graph)({"tokens": IDS})[0], numbers(network)[:, 0])


def test_one_score_of_two_classes_is_that_of_the_second() -> None:
    network, encoder = made(models.distilbert_scores(num_labels=1))
    labels, probability = Runner(model_of(network, encoder, FRONT, (False, True)).graph)({"tokens": IDS})
    assert probability == pytest.approx(1 / (1 + np.exp(-numbers(network)[:, 0])), abs=1e-14)
    assert labels.tolist() == (numbers(network)[:, 0] > 0).tolist()


def test_an_embedding_stays_as_it_is() -> None:
    network, encoder = made(models.bert())
    model = model_of(network, encoder, FRONT, ())
    assert model.task == "outputs"
    assert np.array_equal(Runner(model.graph)({"tokens": IDS})[0], numbers(network))


def test_a_multiplier_that_leaves_int32_is_refused_by_the_layers_name() -> None:
    network, encoder = made(models.bert_scores())
    place, rise = next((place, one) for place, one in enumerate(network.instructions) if one.name == "layer 1 rise")
    assert isinstance(rise, Linear)
    multiplier = rise.rescale.multiplier.copy()
    multiplier[3] = 2**24
    wrong = replace(rise, rescale=replace(rise.rescale, multiplier=multiplier))
    broken = replace(network, instructions=(*network.instructions[:place], wrong, *network.instructions[place + 1 :]))
    with pytest.raises(ModelError, match=r'Linear "layer 1 rise".*int32'):
        model_of(broken, encoder, FRONT, ("a", "b", "c"))
