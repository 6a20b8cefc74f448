"""Models that read text: the graph with its tokenizer says what transformers says, whatever the batch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray

import unisono as un
from tests.models import texts
from tests.models.samples import row_answers
from unisono.models import (
    GoldenRows,
    ImportedModel,
    PredictorGraph,
    Session,
    build_graph,
    check_golden,
    choose_golden,
    import_model,
    load_graph,
)
from unisono.models.session import same_bits

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:.*SwigPy.*:DeprecationWarning")]

NO_FEATURES = np.zeros((texts.ROWS.height, 0))
LABELS = {"binary": {0: "bad", 1: "good"}, "multiclass": {0: "bad", 1: "fair", 2: "good"}}


def imported(model: object, **options: Any) -> ImportedModel:
    return import_model(model, inputs=texts.predictor().columns, **options)


def graph_of(given: ImportedModel) -> PredictorGraph:
    return build_graph(texts.predictor(), [], given, [])


def says(graph: PredictorGraph, rows: pl.DataFrame = texts.ROWS) -> Mapping[str, NDArray[Any]]:
    return Session(graph.onnx).run(np.zeros((rows.height, 0)), graph.encode(rows))


@pytest.fixture(scope="module")
def classifier() -> ImportedModel:
    return imported((texts.model(id2label=LABELS["binary"]), texts.tokenizer()))


@pytest.fixture(scope="module")
def graph(classifier: ImportedModel) -> PredictorGraph:
    return graph_of(classifier)


def near(one: Mapping[str, NDArray[Any]], other: Mapping[str, NDArray[Any]]) -> bool:
    assert {name: (array.dtype, array.shape) for name, array in one.items()} == {
        name: (array.dtype, array.shape) for name, array in other.items()
    }
    return all(
        np.allclose(array, other[name], atol=1e-5) if array.dtype.kind == "f" else (array == other[name]).all()
        for name, array in one.items()
    )


def test_a_classifier_gives_the_label_and_probability_of_transformers(
    classifier: ImportedModel, graph: PredictorGraph
) -> None:
    assert (classifier.task, classifier.classes) == ("binary", ("bad", "good"))
    assert near(says(graph), classifier.answer(texts.ROWS))
    answers = says(graph)
    assert set(answers["prediction"]) == {"bad", "good"}
    assert ((answers["probability"] > 0.5) == (answers["prediction"] == "good")).all()


def test_it_says_what_a_pipeline_says(graph: PredictorGraph) -> None:
    from transformers import pipeline

    pipe = pipeline(
        "text-classification", texts.model(id2label=LABELS["binary"]), tokenizer=texts.tokenizer(), truncation=True
    )
    rows = texts.ROWS.filter(pl.col("text").fill_null("") != "")
    answers, wanted = says(graph, rows), pipe(rows.get_column("text").to_list())
    assert [one["label"] for one in wanted] == answers["prediction"].tolist()
    scores = np.maximum(answers["probability"], 1 - answers["probability"])
    assert np.allclose(scores, [one["score"] for one in wanted], atol=1e-5)
    of_pipeline = imported(pipe)
    assert graph_of(of_pipeline).onnx == graph.onnx and dict(of_pipeline.extras)


def test_a_row_has_the_same_bits_in_every_batch_and_alone(graph: PredictorGraph) -> None:
    whole = list(says(graph).values())
    for size in (1, 3, 16):
        parts = [list(says(graph, texts.ROWS[start : start + size]).values()) for start in range(0, 40, size)]
        assert same_bits(whole, [np.concatenate(column) for column in zip(*parts, strict=True)])
    backwards = says(graph, texts.ROWS.reverse())
    assert same_bits(whole, [one[::-1] for one in backwards.values()])
    session = Session(graph.onnx)
    for place in range(texts.ROWS.height):
        alone = row_answers(graph, texts.ROWS[place], texts.predictor().columns, session=session)
        assert same_bits(list(alone.values()), [one[place : place + 1] for one in whole])


def test_null_is_the_empty_text_and_what_is_beyond_the_length_is_cut_off(graph: PredictorGraph) -> None:
    rows = pl.DataFrame({"text": ["", None, "the " * 30, "the " * 31, "the " * 5000]})
    probability = says(graph, rows)["probability"].tolist()
    assert probability[0] == probability[1]
    assert probability[2] == probability[3] == probability[4] != probability[0]


def test_no_rows_have_no_answers(graph: PredictorGraph) -> None:
    assert {name: one.shape for name, one in says(graph, texts.ROWS[:0]).items()} == {
        "prediction": (0,),
        "probability": (0,),
    }


def test_the_same_model_is_the_same_bytes_and_loads_with_its_files(
    classifier: ImportedModel, graph: PredictorGraph
) -> None:
    again = imported((texts.model(id2label=LABELS["binary"]), texts.tokenizer()))
    assert graph_of(again).onnx == graph.onnx and again.extras == classifier.extras
    loaded = load_graph(graph.onnx, classifier.extras)
    assert same_bits(list(says(loaded).values()), list(says(graph).values()))
    with pytest.raises(
        un.ModelError, match="reads text as tokens, and there are tokenizers of none; allowed: one each"
    ):
        load_graph(graph.onnx)


def test_golden_rows_keep_the_token_ids(graph: PredictorGraph) -> None:
    session = Session(graph.onnx)
    golden = choose_golden(session, NO_FEATURES, graph.encode(texts.ROWS))
    kept = GoldenRows.from_bytes(golden.to_bytes())
    assert kept.to_bytes() == golden.to_bytes()
    check_golden(session, kept)
    kept.inputs["request.text.tokens"][0] = np.array([2, 7, 7, 3])
    with pytest.raises(un.ModelError, match="golden rows: row 0"):
        check_golden(session, kept)


def test_several_classes_have_a_probability_each() -> None:
    given = imported((texts.model(id2label=LABELS["multiclass"]), texts.tokenizer()))
    answers = says(graph_of(given))
    assert given.task == "multiclass" and given.classes == ("bad", "fair", "good")
    assert answers["probabilities"].shape == (40, 3)
    assert np.allclose(answers["probabilities"].sum(axis=1), 1.0)
    assert near(answers, given.answer(texts.ROWS))


def test_labels_that_do_not_exclude_each_other_are_scores() -> None:
    given = imported((texts.model(num_labels=3, problem_type="multi_label_classification"), texts.tokenizer()))
    answers = says(graph_of(given))
    assert given.task == "outputs" and answers["scores"].shape == (40, 3)
    assert near(answers, given.answer(texts.ROWS))


def test_one_score_without_labels_is_a_regression() -> None:
    given = imported((texts.model(num_labels=1), texts.tokenizer()))
    answers = says(graph_of(given))
    assert given.task == "regression" and answers["prediction"].shape == (40,)
    assert near(answers, given.answer(texts.ROWS))


def test_a_folder_without_a_head_gives_embeddings(tmp_path: Path) -> None:
    texts.model("BertModel").save_pretrained(tmp_path)
    texts.tokenizer().save_pretrained(tmp_path)
    given = imported(tmp_path)
    answers = says(graph_of(given))
    assert given.task == "outputs" and answers["embedding"].shape == (40, 32)
    assert answers["embedding"].dtype == np.float32
    assert near(answers, given.answer(texts.ROWS))


def test_a_module_of_ones_own_reads_token_ids() -> None:
    import torch

    class Bag(torch.nn.Module):
        classes_ = (False, True)

        def __init__(self) -> None:
            super().__init__()
            self.words = torch.nn.Embedding(128, 8)
            self.score = torch.nn.Linear(8, 1)

        def forward(self, ids: Any) -> Any:
            return self.score(self.words(ids).mean(dim=1))

    given = imported((Bag(), texts.tokenizer()))
    answers = says(graph_of(given))
    assert given.task == "binary" and given.classes == (False, True)
    assert answers["prediction"].dtype == np.bool_ and near(answers, given.answer(texts.ROWS))


def wrong_length() -> object:
    return texts.model(), texts.tokenizer(length=int(1e30))


def larger_vocabulary() -> object:
    import torch

    model = texts.model()
    model.set_input_embeddings(torch.nn.Embedding(5, 32))
    return model, texts.tokenizer()


def left_side() -> object:
    tokenizer = texts.tokenizer()
    tokenizer.truncation_side = "left"
    return texts.model(), tokenizer


UNSOUND: dict[str, tuple[Any, str]] = {
    "a model alone": (texts.model, "BertForSequenceClassification without a tokenizer; .* pass \\(model, tokenizer\\)"),
    "ids that the model does not know": (larger_vocabulary, "fails on 32 tokens: .*use its own tokenizer"),
    "cut off at the left": (left_side, "cuts texts off at the left; allowed: .* set truncation_side"),
    "no model": (lambda: (object(), texts.tokenizer()), "object with a tokenizer; allowed: a model of transformers"),
}


@pytest.mark.parametrize("name", UNSOUND)
def test_what_cannot_be_imported_is_refused(name: str) -> None:
    make, message = UNSOUND[name]
    with pytest.raises(un.ModelError, match=message):
        imported(make())


def test_a_length_that_only_the_model_says_is_taken() -> None:
    given = imported(wrong_length())
    assert graph_of(given).tokenizers["text"].length == 64


def test_which_text_is_read_has_to_be_clear() -> None:
    pair = (texts.model(), texts.tokenizer())
    two = {"title": un.String, "text": un.String, "stars": un.Int64}
    with pytest.raises(un.ModelError, match=r"reads one text, of title, text; .* say which with columns="):
        import_model(pair, inputs=two)
    assert import_model(pair, inputs=two, columns=["title"]).columns == ("title",)
    with pytest.raises(un.ModelError, match="reads one text, of stars; allowed: one of title, text"):
        import_model(pair, inputs=two, columns=["stars"])


def test_a_folder_that_holds_no_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(
        un.ModelError, match=r"allowed: a folder with config\.json, model\.safetensors and tokenizer\.json"
    ):
        imported(tmp_path)


def test_the_command_line_takes_such_a_folder(tmp_path: Path) -> None:
    from unisono.cli.fitted import open_model

    (tmp_path / "config.json").write_text("{}")
    assert open_model(tmp_path, tmp_path) == tmp_path
    (tmp_path / "config.json").unlink()
    with pytest.raises(un.ModelError, match=r"a folder without an MLmodel or a config\.json"):
        open_model(tmp_path, tmp_path)
