"""A transformer with fewer layers, and fewer tokens, learns what its teacher knows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from tests.compress.conftest import Case
from unisono.compress.distil.hints import hidden_loss, relation_loss, watched
from unisono.compress.distil.layers import blocks_of, chosen_layers, stands_for, with_layers
from unisono.compress.distil.step import Distil
from unisono.compress.modules.model import answers
from unisono.compress.subject import Subject
from unisono.compress.teacher import subject_scores
from unisono.models import import_model
from unisono.spec.errors import ModelError

pytestmark = pytest.mark.slow

SETTLED: dict[str, Any] = {"temperature": 2.0, "teacher_share": 0.5}


def right(case: Case, subject: Subject) -> float:
    """The share of test rows that a model is right about."""
    scores = subject_scores(subject, case.data.test, case.context)
    return float((scores.argmax(axis=1) == case.data.targets(case.data.test)).mean())


def test_a_student_begins_with_the_weights_of_the_layers_that_it_keeps(texts: Case) -> None:
    teacher = texts.subject.module().module
    student = with_layers(teacher, (1,))
    kept, whole = blocks_of(teacher), dict(student.named_parameters())
    left = blocks_of(student)
    assert kept is not None and left is not None and len(left) == 1
    wanted = dict(kept[1].named_parameters())["attention.self.query.weight"]
    assert torch.equal(whole["model.bert.encoder.layer.0.attention.self.query.weight"], wanted)
    assert len(kept) == 2


SIZES: dict[str, Any] = {"vocab_size": 30, "max_position_embeddings": 20, "pad_token_id": 0}


def families() -> list[Any]:
    """Small transformers of several families, which have learnt nothing."""
    import transformers

    usual = {"hidden_size": 16, "num_hidden_layers": 4, "num_attention_heads": 2, "intermediate_size": 32, **SIZES}
    distil = transformers.DistilBertConfig(dim=16, n_layers=4, n_heads=2, hidden_dim=32, **SIZES)
    return [
        transformers.DistilBertForSequenceClassification(distil),
        transformers.RobertaForSequenceClassification(transformers.RobertaConfig(**usual)),
        transformers.ElectraForSequenceClassification(transformers.ElectraConfig(embedding_size=16, **usual)),
    ]


@pytest.mark.parametrize("place", range(3))
def test_layers_are_found_in_other_families(place: int) -> None:
    model = families()[place].eval()
    student = with_layers(model, (0, 3))
    ids = torch.randint(5, 30, (2, 6))
    with watched(student) as inside, torch.no_grad():
        assert student(input_ids=ids).logits.shape == (2, 2)
    assert sorted(inside.states) == [0, 1] and sorted(inside.looking) == [0, 1, 2]
    assert inside.states[1].shape == inside.looking[0].shape == (2, 6, 16)


@pytest.mark.parametrize(
    ("layers", "chosen"), [(1, (0,)), (2, (0, 5)), (3, (0, 2, 5)), ([1, 4], (1, 4)), (5, (0, 1, 2, 4, 5))]
)
def test_layers_are_chosen_from_the_first_to_the_last(layers: int | list[int], chosen: tuple[int, ...]) -> None:
    assert chosen_layers(layers, 6) == chosen
    assert stands_for(chosen, 6)[-1] == 5


@pytest.mark.parametrize("layers", [0, 6, 7, [], [3, 1], [0, 0], [5, 6], [-1, 2]])
def test_layers_that_are_not_there_are_refused(layers: int | list[int]) -> None:
    with pytest.raises(ModelError, match=r"of a teacher with 6; allowed: 1 to 5"):
        chosen_layers(layers, 6)


def test_a_student_of_half_the_layers_is_nearly_as_right(texts: Case) -> None:
    made = texts.applied(Distil(layers=1, epochs=10, learning_rate=3e-3, hidden=1.0, attention=1.0, **SETTLED))
    model = made.module()
    assert model.parameters < 0.8 * texts.subject.module().parameters
    assert right(texts, made) > 0.97 * right(texts, texts.subject)
    assert made.notes["distil"]["layers"] == [0]
    assert not any(part._forward_hooks for part in model.module.modules())


def test_the_same_seed_makes_the_same_student(texts: Case) -> None:
    step = Distil(layers=1, epochs=1, learning_rate=1e-3, hidden=1.0, **SETTLED)
    first, second = (answers(texts.applied(step).module(), texts.data.validation) for _ in range(2))
    assert np.array_equal(first, second)


def test_temperature_and_share_are_chosen_by_the_validation_rows(texts: Case) -> None:
    made = texts.applied(Distil(layers=1, epochs=1, learning_rate=1e-3))
    tried: Any = made.notes["distil"]["tried"]
    best = min(tried, key=lambda one: one["loss"])
    assert len(tried) == 6
    assert made.notes["distil"]["temperature"] == best["temperature"]
    assert made.notes["distil"]["teacher_share"] == best["teacher_share"]


def test_rows_without_a_label_are_learnt_from(texts: Case) -> None:
    few = replace(texts.data, train=texts.data.train[:16], unlabelled=texts.data.train.drop("label"))
    cache = texts.context.stage / "other-cache"
    cache.mkdir(exist_ok=True)
    context = replace(texts.context, data=few, cache=cache)
    case = Case(texts.subject, few, context)
    step = Distil(layers=[1], epochs=4, learning_rate=3e-3, **SETTLED)
    labelled = replace(few, unlabelled=few.unlabelled[:0])
    alone = Case(texts.subject, labelled, replace(context, data=labelled))
    assert right(case, case.applied(step)) > right(case, alone.applied(step)) + 0.05


def test_a_smaller_vocabulary_reads_every_text_and_is_exported(texts: Case) -> None:
    data = replace(texts.data, train=texts.data.train.filter(~texts.data.train["text"].str.contains("actors")))
    cache = texts.context.stage / "seen-cache"
    cache.mkdir(exist_ok=True)
    case = Case(texts.subject, data, replace(texts.context, data=data, cache=cache))
    made = case.applied(Distil(layers=[1], vocabulary=1, epochs=5, learning_rate=3e-3, hidden=1.0, **SETTLED))
    model = made.module()
    assert "actors" not in model.tokenizer.get_vocab() and "a" in model.tokenizer.get_vocab()
    assert made.notes["distil"]["tokens"] == len(model.tokenizer.get_vocab())
    inner: Any = model.module.model
    assert inner.get_input_embeddings().num_embeddings == len(model.tokenizer.get_vocab())
    imported = import_model(model.importable, inputs=data.inputs, columns=model.columns)
    said = imported.answer(case.data.test)["probability"]
    assert np.allclose(said, torch.softmax(torch.from_numpy(answers(model, data.test)), 1)[:, 1].numpy(), atol=1e-5)
    assert right(case, made) > 0.9


def test_hidden_states_of_another_width_are_compared_by_what_resembles_what() -> None:
    torch.manual_seed(0)
    narrow = torch.randn(2, 5, 8)
    turned = torch.cat([narrow.flip(-1), torch.zeros(2, 5, 4)], dim=-1) * 3
    assert hidden_loss(narrow, turned).item() == pytest.approx(0, abs=1e-6)
    assert hidden_loss(narrow, torch.randn(2, 5, 12)).item() > 0.01


def test_equal_relations_cost_nothing() -> None:
    torch.manual_seed(0)
    keys = torch.randn(2, 5, 8)
    assert relation_loss(keys, keys.clone(), 2).item() == pytest.approx(0, abs=1e-6)
    assert relation_loss(keys, torch.randn(2, 5, 12), 2).item() > 0.01


def test_watching_sees_every_layer_and_leaves_no_trace(texts: Case) -> None:
    model = texts.subject.module()
    with watched(model.module) as inside:
        answers(model, texts.data.validation[:4])
    assert sorted(inside.states) == [0, 1] and sorted(inside.looking) == [0, 1, 2]
    assert not any(part._forward_hooks for part in model.module.modules())


def test_a_module_without_layers_has_none_to_drop(numbers: Case) -> None:
    with pytest.raises(ModelError, match=r"Layers has no list of equal layers; allowed: a transformer"):
        numbers.applied(Distil(layers=1))


def test_an_ensemble_has_no_layers_to_drop(trees: Case) -> None:
    with pytest.raises(ModelError, match=r"teacher of the kind ensemble"):
        trees.applied(Distil(layers=1))
