"""Low rank, as a recipe has it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import polars as pl
import pytest
import torch
from torch import nn

from tests.compress.conftest import Case
from unisono.compress.low_rank import costs
from unisono.compress.low_rank.embedding_step import LowRankEmbedding
from unisono.compress.low_rank.step import LowRank
from unisono.compress.low_rank.timing import time_ms
from unisono.compress.modules.model import answers
from unisono.compress.recipe import recipe_of
from unisono.compress.running.graphs import answering
from unisono.compress.subject import Subject
from unisono.models import import_model
from unisono.spec.errors import DefinitionError, InputError, ModelError

pytestmark = pytest.mark.slow  # networks and trees are trained

WORDS = "model.bert.embeddings.word_embeddings"


def accuracy(case: Case, subject: Subject) -> float:
    """On the test rows."""
    test = case.data.test
    return float((answers(subject.module(), test).argmax(axis=1) == case.data.targets(test)).mean())


def notes(subject: Subject, step: str = "low_rank") -> dict[str, Any]:
    """Of a step."""
    return dict(subject.notes[step])


def with_module(case: Case, module: nn.Module) -> Case:
    """The same rows with another module."""
    return replace(case, subject=case.subject.with_torch(case.subject.module().with_module(module.eval())))


@pytest.mark.parametrize("name", ["numbers", "images", "texts"])
@pytest.mark.parametrize("allocation", ["measured", "energy", "equal"])
def test_the_share_that_is_asked_for_is_kept_and_the_answers_with_it(
    name: str, allocation: Any, request: pytest.FixtureRequest
) -> None:
    case: Case = request.getfixturevalue(name)
    made = case.applied(LowRank(keep=0.7, multiple=2, allocation=allocation))
    layers = [one for one in case.subject.module().module.modules() if isinstance(one, nn.Linear | nn.Conv2d)]
    whole = sum(parameter.numel() for layer in layers for parameter in layer.parameters())
    saved = case.subject.module().parameters - made.module().parameters
    assert 0.27 * whole <= saved <= 0.5 * whole
    assert accuracy(case, made) >= accuracy(case, case.subject) - 0.03
    assert notes(made)["parameters"] == made.module().parameters


def test_the_model_that_goes_in_is_left_as_it_is(numbers: Case) -> None:
    before = {name: one.clone() for name, one in numbers.subject.module().module.state_dict().items()}
    numbers.applied(LowRank(multiple=4))
    after = numbers.subject.module().module.state_dict()
    assert list(before) == list(after)
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_the_module_keeps_to_a_size_in_bytes(texts: Case) -> None:
    limit = 3 * texts.subject.module().parameters
    made = texts.applied(LowRank(size_bytes=limit, multiple=2))
    assert 0.95 * limit < made.module().parameters * costs.FLOAT_BYTES <= limit


def test_ranks_that_are_said_are_taken_and_other_layers_left(numbers: Case) -> None:
    made = numbers.applied(LowRank(ranks={"layers.*": 1, "layers.2": 5}))
    ranks = {name: one["rank"] for name, one in notes(made)["layers"].items()}
    assert ranks == {"layers.0": 1, "layers.2": 5, "layers.4": 1}


def test_ranks_that_are_said_count_towards_the_budget(texts: Case) -> None:
    made = texts.applied(LowRank(keep=0.5, multiple=4, ranks={"*.intermediate.dense": 20}))
    before, after = (
        sum(one[key] for one in notes(made)["layers"].values()) for key in ("parameters_before", "parameters")
    )
    assert notes(made)["layers"]["model.bert.encoder.layer.0.intermediate.dense"]["rank"] == 20
    assert before - after >= 0.45 * before


def test_layers_get_as_quick_as_is_asked_by_the_clock(texts: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    def clock(layers: nn.Module, shape: tuple[int, ...]) -> float:
        asked.append(shape)
        return 1.0 + sum(one.numel() for one in layers.parameters()) / 1000

    asked: list[tuple[int, ...]] = []
    monkeypatch.setattr(costs, "time_ms", clock)
    made = texts.applied(LowRank(speedup=1.1, multiple=4))
    module = made.module().module
    layers = [*notes(made)["layers"], *(name for name in notes(made)["left_alone"] if "classifier" not in name)]
    times = [[clock(one.get_submodule(name), ()) for name in layers] for one in (texts.subject.module().module, module)]
    assert sum(times[0]) / 1.15 < sum(times[1]) <= sum(times[0]) / 1.1
    assert len(asked) - 2 * len(layers) < 40  # not one for each layer and rank: equal layers are timed once


def test_a_layer_and_its_two_halves_can_be_timed() -> None:
    layers = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1, stride=2, bias=False), nn.Conv2d(4, 8, 1))
    assert time_ms(layers, (3, 9, 9)) > 0
    assert time_ms(nn.Linear(6, 5), (7, 6)) > 0


def test_a_rank_that_saves_nothing_is_refused_by_the_layers_name(numbers: Case) -> None:
    with pytest.raises(ModelError, match=r'layer "layers\.2": rank 16 needs 1,056 parameters.*allowed: 1 to 15'):
        numbers.applied(LowRank(ranks={"layers.2": 16}))


def test_a_pattern_that_fits_no_layer_is_refused(numbers: Case) -> None:
    for step in (LowRank(ranks={"layer.2": 3}), LowRank(include=("layer.2",)), LowRank(exclude=("layer.2",))):
        with pytest.raises(ModelError, match=r'"layer\.2" fits none; .*did you mean "layers\.2"'):
            numbers.applied(step)


def test_if_no_layer_gets_smaller_the_reasons_are_said(numbers: Case) -> None:
    with pytest.raises(ModelError, match=r"layers\.2: no multiple of 64 up to 15 saves anything"):
        numbers.applied(LowRank(multiple=64))


def test_rows_with_nan_are_refused_with_their_columns(numbers: Case) -> None:
    hole = numbers.data.train.with_columns(b=pl.when(pl.col("a") > 0).then(pl.col("b")))
    case = replace(numbers, context=replace(numbers.context, data=replace(numbers.data, train=hole)))
    with pytest.raises(InputError, match=r"NaN, null or infinity in \d+ of 32 rows of a, b, c, d"):
        case.applied(LowRank(multiple=4))


def test_rows_of_another_shape_are_refused(images: Case) -> None:
    small = images.data.train.with_columns(image=pl.Series(torch.zeros(800, 1, 10, 10).numpy()))
    case = replace(images, context=replace(images.context, data=replace(images.data, train=small)))
    with pytest.raises(InputError, match="image"):
        case.applied(LowRank(multiple=4))


class Twice(nn.Module):
    """Uses one layer in two places, another one's weights for itself, and attention of PyTorch's."""

    def __init__(self) -> None:
        super().__init__()
        self.begin = nn.Linear(4, 32)
        self.again = nn.ModuleList([nn.Linear(32, 32)] * 2)
        self.first, self.second = nn.Linear(32, 32), nn.Linear(32, 32)
        self.second.weight = self.first.weight
        self.attention = nn.MultiheadAttention(32, 2, batch_first=True)
        self.grouped = nn.Conv2d(32, 32, 3, padding=1, groups=2)
        self.unused, self.plain, self.end = nn.Linear(32, 32), nn.Linear(32, 32), nn.Linear(32, 2)

    def forward(self, numbers: torch.Tensor) -> torch.Tensor:
        """Rows x 4 -> rows x 2."""
        made = self.second(self.first(self.begin(numbers)))
        for layer in self.again:
            made = layer(made)
        made = self.attention(made[:, None], made[:, None], made[:, None])[0][:, 0]
        scores: torch.Tensor = self.end(self.plain(self.grouped(made[:, :, None, None])[:, :, 0, 0]))
        return scores


def test_layers_that_cannot_be_replaced_are_left_alone_with_the_reason(numbers: Case) -> None:
    torch.manual_seed(0)
    made = with_module(numbers, Twice()).applied(LowRank(multiple=4))
    assert list(notes(made)["layers"]) == ["plain"]
    left_alone = notes(made)["left_alone"]
    assert left_alone["first"] == left_alone["again.0"] == "shares its weights"
    assert left_alone["attention.out_proj"] == "is a NonDynamicallyQuantizableLinear"
    assert left_alone["grouped"] == "its channels are in 2 groups"
    assert left_alone["unused"] == "no row comes to it"
    with pytest.raises(ModelError, match='layer "first": shares its weights'):
        with_module(numbers, Twice()).applied(LowRank(ranks={"first": 4}))


def test_a_recipe_with_impossible_settings_is_refused() -> None:
    with pytest.raises(DefinitionError) as raised:
        recipe_of({"steps": [{"step": "low_rank", "keep": 1.2, "speedup": 0.5, "multiple": 0}]})
    assert len(raised.value.problems) == 4


def test_a_narrow_table_answers_nearly_the_same(texts: Case) -> None:
    made = texts.applied(LowRankEmbedding(rank=10, fewest=20, include=("*word*",)))
    note = notes(made, "low_rank_embedding")
    assert note["tables"][WORDS]["energy_kept"] > 0.8
    assert texts.subject.module().parameters - made.module().parameters == 25 * 32 - 10 * (25 + 32)
    assert accuracy(texts, made) >= accuracy(texts, texts.subject) - 0.05


def test_a_table_that_saves_nothing_is_refused(texts: Case) -> None:
    with pytest.raises(ModelError, match=r"rank 20 of a table of 25 x 32 saves nothing; allowed: 1 to 14"):
        texts.applied(LowRankEmbedding(rank=20, fewest=20, include=("*word*",)))
    with pytest.raises(ModelError, match=r"no table gets narrow \(.*has 25 entries"):
        texts.applied(LowRankEmbedding())


def test_what_comes_out_is_exported_as_a_graph(texts: Case) -> None:
    made = texts.applied(LowRank(multiple=4))
    made = replace(texts, subject=made).applied(LowRankEmbedding(rank=10, fewest=20, include=("*word*",)))
    model = made.module()
    imported = import_model(model.importable, inputs=texts.data.inputs, columns=model.columns)
    said = answering(imported, texts.data.inputs)(texts.data.test[:20])["prediction"]
    scores = answers(model, texts.data.test[:20])
    assert [model.classes[place] for place in scores.argmax(axis=1)] == list(said)
