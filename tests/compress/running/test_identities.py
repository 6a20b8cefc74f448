"""Models are known by what they are, not by what they were last asked."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace

import pytest
import torch

from tests.compress.conftest import Case
from unisono.compress.running.identities import subject_identity

pytestmark = pytest.mark.slow


def test_a_tokenizer_that_was_used_is_the_same_tokenizer(texts: Case) -> None:
    before = subject_identity(texts.subject)
    tokenizer = texts.subject.module().tokenizer
    tokenizer("the film was good", truncation=True, max_length=3)
    tokenizer(["the film", "the film was good"], padding=True)
    assert subject_identity(texts.subject) == before


def test_another_length_or_another_weight_is_another_model(texts: Case) -> None:
    model = texts.subject.module()
    before = subject_identity(texts.subject)
    length = model.tokenizer.model_max_length
    try:
        model.tokenizer.model_max_length = length - 1
        assert subject_identity(texts.subject) != before
    finally:
        model.tokenizer.model_max_length = length
    module = deepcopy(model.module)
    with torch.no_grad():
        next(module.parameters()).view(-1)[0] += 1
    assert subject_identity(texts.subject.with_torch(replace(model, module=module))) != before
