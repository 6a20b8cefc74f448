"""Linear attention, as a recipe has it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from torch import nn

from tests.compress.conftest import Case
from unisono.compress.attention import break_even
from unisono.compress.attention.break_even import Times
from unisono.compress.attention.step import LinearAttention
from unisono.compress.modules.model import answers
from unisono.compress.recipe import recipe_of
from unisono.compress.running.graphs import answering
from unisono.compress.subject import Subject
from unisono.models import import_model
from unisono.spec.errors import DefinitionError, ModelError

pytestmark = pytest.mark.slow  # networks and trees are trained

LESSON: dict[str, Any] = {"learning_rate": 2e-3, "batch_rows": 16}
KINDS: list[dict[str, Any]] = [
    {"kind": "elu"},
    {"kind": "performer"},
    {"kind": "linformer", "slots": 8},
    {"kind": "local_global", "window": 2},
]


@pytest.fixture(autouse=True)
def quicker(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is timed: the other attention is quicker from 4 tokens on."""
    times = Times(tokens=(2, 8, 32), before=(1.0, 4.0, 16.0), after=(2.0, 2.0, 2.0))
    monkeypatch.setattr(break_even, "measured", lambda *told: times)


def accuracy(case: Case, subject: Subject, rows: pl.DataFrame | None = None) -> float:
    """On the test rows."""
    test = case.data.test if rows is None else rows
    return float((answers(subject.module(), test).argmax(axis=1) == case.data.targets(test)).mean())


@pytest.mark.parametrize("settings", KINDS, ids=lambda one: one["kind"])
def test_other_attention_learns_what_the_original_says(settings: Any, texts: Case) -> None:
    made = texts.applied(LinearAttention(**settings, **LESSON, epochs=3))
    assert accuracy(texts, made) > 0.9 * accuracy(texts, texts.subject)
    found = made.notes["linear_attention"]
    assert found["layers"] == [f"model.bert.encoder.layer.{place}.attention.self" for place in (0, 1)]
    assert found["break_even_tokens"] == 4


def test_layers_of_torch_are_replaced_too(encoder: Case) -> None:
    made = encoder.applied(LinearAttention(kind="elu", **LESSON, epochs=4))
    assert accuracy(encoder, made) > 0.9 * accuracy(encoder, encoder.subject)
    assert not [one for one in made.module().module.modules() if isinstance(one, nn.MultiheadAttention)]


def test_layers_learn_on_their_own_before_they_learn_together(texts: Case) -> None:
    untaught = texts.applied(LinearAttention(layer_epochs=0, epochs=0))
    taught = texts.applied(LinearAttention(layer_epochs=3, epochs=0, **LESSON))
    wanted = answers(texts.subject.module(), texts.data.validation)

    def error(made: Subject) -> float:
        return float(np.abs(answers(made.module(), texts.data.validation) - wanted).mean())

    assert error(taught) < 0.9 * error(untaught)


def test_labels_of_the_rows_that_are_learnt_from_are_not_used(texts: Case) -> None:
    swapped = texts.data.train.with_columns(label=pl.Series(["no", "yes"] * (texts.data.train.height // 2)))
    other = replace(texts.context, data=replace(texts.data, train=swapped), cache=texts.context.cache)
    step = LinearAttention(rows=100, epochs=1)
    one, two = (replace(texts, context=context).applied(step) for context in (texts.context, other))
    np.testing.assert_array_equal(
        answers(one.module(), texts.data.validation), answers(two.module(), texts.data.validation)
    )


def test_rows_that_would_be_slower_are_refused_unless_forced(texts: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    slower = Times(tokens=(2, 64, 256), before=(1.0, 1.0, 9.0), after=(3.0, 3.0, 3.0))
    monkeypatch.setattr(break_even, "measured", lambda *told: slower)
    with pytest.raises(ModelError, match=r"3\.00 times as long .*allowed: rows of 128 tokens or more"):
        texts.applied(LinearAttention())
    made = texts.applied(LinearAttention(force=True, layer_epochs=0, epochs=0))
    assert made.notes["linear_attention"]["attention_gain"] == pytest.approx(1 / 3, abs=1e-3)


def test_a_run_that_was_cut_goes_on_where_it_was(texts: Case, tmp_path: Path) -> None:
    step = LinearAttention(rows=96, **LESSON)
    whole = texts.applied(step)
    context = replace(texts.context, stage=tmp_path, progress=_cutting("learning together", 8))
    with pytest.raises(_CutError):
        step.apply(texts.subject, context)
    told: list[tuple[str, int]] = []
    again = replace(context, progress=lambda what, done, total: told.append((what, done)))
    made = step.apply(texts.subject, again)
    assert not [done for what, done in told if what == "learning layer by layer"]
    np.testing.assert_array_equal(
        answers(made.module(), texts.data.validation), answers(whole.module(), texts.data.validation)
    )


class _CutError(Exception):
    pass


def _cutting(what: str, after: int) -> Any:
    def progress(said: str, done: int, total: int | None) -> None:
        if said == what and done > after:
            raise _CutError

    return progress


def test_a_linformer_is_not_made_for_less_than_the_longest_row(texts: Case) -> None:
    with pytest.raises(ModelError, match=r"positions 3, and a row of 1\d tokens; allowed: as many as the longest"):
        texts.applied(LinearAttention(kind="linformer", positions=3))


def test_settings_that_do_not_go_together_are_refused_together() -> None:
    step = {
        **{"step": "linear_attention", "kind": "linformer", "causal": True, "slots": 0, "global_tokens": 65},
        **{"epochs": -1, "temperature": 0.0},
    }
    with pytest.raises(DefinitionError) as error:
        recipe_of({"steps": [step]})
    said = str(error.value)
    for part in ("a causal linformer", "slots 0", "global_tokens 65", "epochs -1", "temperature 0"):
        assert part in said


@pytest.mark.parametrize("settings", KINDS, ids=lambda one: one["kind"])
def test_a_graph_of_any_length_says_the_same(settings: Any, texts: Case) -> None:
    made = texts.applied(LinearAttention(**settings, layer_epochs=0, epochs=0)).module()
    imported = import_model(made.importable, inputs=texts.data.inputs, columns=made.columns)
    rows = pl.DataFrame({"text": ["good", "the film was not very good but the actors", " ".join(["dull"] * 40)]})
    said = answering(imported, texts.data.inputs)(rows)["probability"]
    scores = answers(made, rows)
    np.testing.assert_allclose(said, 1 / (1 + np.exp(scores[:, 0] - scores[:, 1])), atol=1e-5)


def test_a_causal_encoder_of_torch_is_exported(encoder: Case) -> None:
    made = encoder.applied(LinearAttention(causal=True, layer_epochs=0, epochs=0)).module()
    imported = import_model(made.importable, inputs=encoder.data.inputs, columns=made.columns)
    rows = encoder.data.test[:3]
    said = answering(imported, encoder.data.inputs)(rows)["probability"]
    scores = answers(made, rows)
    np.testing.assert_allclose(said, 1 / (1 + np.exp(scores[:, 0] - scores[:, 1])), atol=1e-5)
