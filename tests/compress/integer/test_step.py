"""A transformer in whole numbers, as a recipe makes it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import polars as pl
import pytest
import torch

from tests.compress.conftest import Case, case_of, data_of, image_rows
from tests.compress.integer import models
from unisono.compress.integer import converting, floating
from unisono.compress.integer.building import built
from unisono.compress.integer.converting import error_of, rows_of
from unisono.compress.integer.reading import read
from unisono.compress.integer.step import Integer
from unisono.compress.modules.model import torch_model
from unisono.compress.quantise.aware.step import QuantiseAware
from unisono.compress.recipe import recipe_of
from unisono.compress.subject import Subject
from unisono.compress.teacher import subject_scores
from unisono.models.integer.floats import float_operators
from unisono.models.names import PREDICTION, PROBABILITY
from unisono.models.verifying.operators import unsure_operators
from unisono.spec.errors import DefinitionError, InputError, ModelError
from unisono.spec.types import DType, Tensor

pytestmark = pytest.mark.slow  # transformers is imported


@pytest.fixture(scope="module")
def whole(texts: Case) -> Subject:
    """The reader of the session in whole numbers."""
    return texts.applied(Integer(rows=64))


@pytest.fixture(scope="module")
def viewer(tmp_path_factory: pytest.TempPathFactory) -> Case:
    """A ViT that nobody has trained, and images."""
    inputs: dict[str, DType] = {"image": Tensor("Float32", (1, models.SIDE, models.SIDE))}
    rows = image_rows(models.SIDE)
    pixels = np.clip(np.stack(list(rows["image"].to_numpy())) / 4 + 0.5, 0, 1).astype(np.float32)
    frame = rows.with_columns(image=pl.Series(pixels))
    data = data_of(frame, inputs, models.Viewer.classes_)
    return case_of(tmp_path_factory.mktemp("viewer"), Subject(torch=torch_model(models.Viewer(), inputs, None)), data)


def test_a_reader_says_nearly_what_it_said(texts: Case, whole: Subject) -> None:
    before = subject_scores(texts.subject, texts.data.test, texts.context)
    after = whole.imported().answer(texts.data.test)
    said = np.array(texts.data.classes)[before.argmax(axis=1)]
    probability = np.exp(before[:, 1]) / np.exp(before).sum(axis=1)
    assert (after[PREDICTION] == said).mean() > 0.98
    assert np.abs(after[PROBABILITY] - probability).mean() < 0.02


def test_no_machine_can_give_other_bits(whole: Subject) -> None:
    assert unsure_operators(onnx.load_model_from_string(whole.imported().graph)) == ()


def test_floats_come_after_the_scores_alone(whole: Subject) -> None:
    model = onnx.load_model_from_string(whole.imported().graph)
    place = next(number for number, node in enumerate(model.graph.node) if node.output[0] in _floats_of(model))
    del model.graph.node[place:]
    del model.graph.output[:]
    products = [node for node in model.graph.node if node.op_type == "MatMulInteger"]
    assert len(products) >= 2 * 7 + 2  # one or three for query, key and value, and six more of a layer, then the head
    model.graph.output.append(onnx.helper.make_empty_tensor_value_info(model.graph.node[-1].output[0]))
    assert _floats_of(model) == set()


def _floats_of(model: onnx.ModelProto) -> set[str]:
    return {line.partition(": ")[2].partition(" is ")[0] for line in float_operators(model)}


def test_the_notes_say_how_far_each_layer_is_off(whole: Subject) -> None:
    notes: Any = whole.notes["integer"]
    assert set(notes["validation_errors"]) == {"minmax", "percentile", "mse"}
    assert notes["validation_errors"][notes["calibration"]] == min(notes["validation_errors"].values()) < 0.2
    assert all(error < 0.2 for error in notes["errors"].values())
    assert "layer 1 feed residual" in notes["errors"]


def test_the_same_seed_gives_the_same_graph(texts: Case, whole: Subject) -> None:
    again = texts.applied(Integer(rows=64))
    assert again.imported().graph == whole.imported().graph


def test_a_run_that_was_cut_goes_on_where_it_was(
    texts: Case, whole: Subject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context, begun = replace(texts.context, stage=tmp_path), []

    def cut(*arguments: Any, **settings: Any) -> Any:
        begun.append(settings["how"].spans.calibration)
        if len(begun) == 2:
            raise KeyboardInterrupt
        return built(*arguments, **settings)

    monkeypatch.setattr(converting, "built", cut)
    with pytest.raises(KeyboardInterrupt):
        Integer(rows=64).apply(texts.subject, context)
    again = Integer(rows=64).apply(texts.subject, context)
    assert begun == ["minmax", "percentile", "percentile", "mse"]
    assert again.imported().graph == whole.imported().graph


def test_an_empty_text_and_one_that_is_cut_off_are_answered(texts: Case, whole: Subject) -> None:
    frame = pl.DataFrame({"text": ["", "film " * 400, None, "the film was good"]})
    said = whole.imported().answer(frame)[PROBABILITY]
    assert said.shape == (4,)
    assert np.isfinite(said).all()
    assert said[0] == said[2]


def test_shifts_and_additions_do_nearly_as_well(texts: Case, whole: Subject) -> None:
    made = texts.applied(Integer(mode="shift", calibration="minmax", rows=64)).imported()
    rows = texts.data.test
    assert (made.answer(rows)[PREDICTION] == whole.imported().answer(rows)[PREDICTION]).mean() > 0.95
    assert made.graph != whole.imported().graph


def test_a_reader_that_was_trained_with_rounded_weights_is_read_too(texts: Case) -> None:
    rounded = texts.applied(QuantiseAware(epochs=1))
    made = replace(texts, subject=rounded).applied(Integer(rows=64))
    before = subject_scores(rounded, texts.data.test, texts.context).argmax(axis=1)
    said = np.array(texts.data.classes)[before]
    assert (made.imported().answer(texts.data.test)[PREDICTION] == said).mean() > 0.98


def test_a_viewer_says_nearly_what_it_said(viewer: Case) -> None:
    made = viewer.applied(Integer(calibration="minmax", rows=64))
    before = subject_scores(viewer.subject, viewer.data.test, viewer.context)
    said = np.array(viewer.data.classes)[before.argmax(axis=1)]
    assert (made.imported().answer(viewer.data.test)[PREDICTION] == said).mean() > 0.9
    assert unsure_operators(onnx.load_model_from_string(made.imported().graph)) == ()


@pytest.mark.parametrize("make", [models.bert, models.distilbert_scores])
@pytest.mark.parametrize("curve", ["gelu", "relu"])
def test_what_nobody_has_trained_is_followed_too(make: Any, curve: str) -> None:
    from unisono.models.importers.huggingface_modules import module_of

    setting = "activation" if make is models.distilbert_scores else "hidden_act"
    encoder = read(module_of(make(**{setting: curve})))
    random = np.random.default_rng(0)
    rows, others = (
        rows_of(encoder, np.array([random.integers(0, 40, size) for size in (20, 3, 9, 14, 1, 7) * 8], object))
        for _ in range(2)
    )
    found = built(encoder, rows, progress=lambda *told: None)
    assert error_of(found, others, floating.answers(encoder, others.given, others.bounds)) < 0.1


def test_one_sentence_is_not_enough_to_calibrate_by(texts: Case) -> None:
    data = replace(texts.data, train=texts.data.train[:1])
    with pytest.raises(InputError, match="1 rows to see ranges in; allowed: 8 or more in the training part"):
        Integer().apply(texts.subject, replace(texts.context, data=data))


def test_a_tokenizer_with_more_words_than_the_model_is_refused(texts: Case) -> None:
    model = texts.subject.module()
    with torch.no_grad():
        fewer = model.with_module(_with_words(model.module, 10))
    with pytest.raises(ModelError, match="the tokenizer gives ids up to 24; allowed: below 10"):
        Integer().apply(texts.subject.with_torch(fewer), texts.context)


def _with_words(module: Any, count: int) -> Any:
    from copy import deepcopy

    made = deepcopy(module)
    made.model.resize_token_embeddings(count)
    return made


def test_ids_out_of_range_and_texts_beyond_the_positions_are_refused_by_the_graph(whole: Subject) -> None:
    from unisono.models.session import Runner

    runner = Runner(whole.imported().graph)
    for ids in ([[2, 500, 3]], [[2, -30, 3]], [[5] * 40]):
        with pytest.raises(InputError):
            runner({"tokens": np.array(ids, np.int64)})


def test_scores_that_are_made_elsewhere_are_refused(viewer: Case) -> None:
    class Doubled(models.Viewer):
        def forward(self, image: torch.Tensor) -> torch.Tensor:
            return 2 * super().forward(image)

    subject = Subject(torch=torch_model(Doubled(), viewer.data.inputs, None))
    with pytest.raises(ModelError, match="Doubled gives other scores than its layers"):
        Integer().apply(subject, viewer.context)


def test_weights_that_no_scale_fits_are_refused_by_the_layers_name(texts: Case) -> None:
    model = texts.subject.module()
    with torch.no_grad():
        broken = model.with_module(_with_huge_weight(model.module))
    with pytest.raises(ModelError, match="integer: head: no multiplier brings its sums"):
        Integer(calibration="minmax").apply(texts.subject.with_torch(broken), texts.context)


def _with_huge_weight(module: Any) -> Any:
    from copy import deepcopy

    made = deepcopy(module)
    made.model.bert.encoder.layer[1].output.LayerNorm.weight[5] = 1e9
    return made


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"rows": 1}, "rows 1; allowed: 8 or more"),
        ({"percentile": 40.0}, "percentile 40; allowed: above 50"),
        ({"mode": "swifttron"}, "Invalid enum value 'swifttron'"),
    ],
)
def test_wrong_settings_are_named(settings: dict[str, object], named: str) -> None:
    with pytest.raises(DefinitionError, match=named):
        recipe_of({"steps": [{"step": "integer", **settings}]})
