"""Two models are judged side by side: what is known of each from its graph, from its answers, and from running it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx
import pytest

from tests.compress.conftest import Case
from tests.compress.report.conftest import candidate, fewer_trees, graph_of, joined, judged
from unisono.compress.recipe import Budget, Recipe
from unisono.compress.report.document import ReportJson, read_report, report_bytes
from unisono.compress.report.judging import judge
from unisono.compress.report.terminal import lines
from unisono.compress.subject import Subject
from unisono.models import import_model
from unisono.models.emit import Emitter, value
from unisono.spec.errors import InputError, ModelError

pytestmark = pytest.mark.slow  # networks and trees are trained

BUDGET = Budget(size_bytes=100, worst_slice=0.5, speedup=1000, agreement=0.999, parameters=10, accuracy_loss=0.1)


@pytest.fixture(scope="module")
def report(trees: Case) -> ReportJson:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("unisono.compress.report.latency._SINGLES_S", 0.05)
        return judged(trees, fewer_trees(trees, 10), Recipe(steps=(), budget=BUDGET))


def test_fewer_trees_have_fewer_parameters_and_ask_less(report: ReportJson, trees: Case) -> None:
    splits, leaves = 60 * 14, 60 * 15
    assert report.original.parameters == splits + leaves
    assert report.result.parameters == (splits + leaves) / 6
    assert report.original.operations is not None
    assert report.result.operations is not None
    assert 4 < report.original.operations / report.result.operations < 9
    assert 60 < report.original.operations < splits


def test_the_accuracy_is_that_of_the_model_itself(report: ReportJson, trees: Case) -> None:
    test = trees.data.test
    matrix = test.select("a", "b", "c", "d").to_pandas()
    right = trees.subject.ensemble.predict(matrix) == test["label"].to_numpy()
    assert report.original.accuracy.value == right.mean()
    assert report.original.accuracy.low < right.mean() < report.original.accuracy.high


def test_what_changed_is_the_difference_of_both(report: ReportJson) -> None:
    gap = report.result.accuracy.value - report.original.accuracy.value
    assert report.accuracy_change.value == pytest.approx(100 * gap)
    assert report.accuracy_change.low <= 100 * gap <= report.accuracy_change.high


def test_both_are_measured_in_every_runtime_that_can_run_them(report: ReportJson) -> None:
    for side in (report.original, report.result):
        assert {"onnxruntime", "trees"} <= {one.runtime for one in side.runtimes}
        assert side.latency in side.runtimes
        assert 0 < side.latency.median.low <= side.latency.median.high
        assert side.peak_bytes > 0


def test_each_class_and_each_value_of_a_column_is_a_slice(report: ReportJson) -> None:
    found = {(one.column, one.value) for one in report.slices}
    assert found == {("label", "no"), ("label", "yes"), ("side", "north"), ("side", "south")}
    assert [one.change.value for one in report.slices] == sorted(one.change.value for one in report.slices)
    assert sum(one.rows for one in report.slices if one.column == "side") == report.rows


def test_the_rows_that_changed_most_come_first(report: ReportJson, trees: Case) -> None:
    distances = [one.distance for one in report.changed]
    assert distances == sorted(distances, reverse=True)
    first = report.changed[0]
    assert set(first.values) == set("abcd")
    assert first.label == trees.data.test["label"][first.row]


def test_a_budget_that_does_not_hold_is_said_with_figures_and_the_next_step(report: ReportJson) -> None:
    broken = {line.split(":")[0].removeprefix("budget, ") for line in report.broken}
    assert broken == {"size_bytes", "worst_slice", "speedup", "agreement", "parameters", "accuracy_loss"}
    for line in report.broken:
        assert "; allowed: at " in line
    assert any("100 bytes" in line for line in report.broken)


def test_a_budget_that_holds_is_not_mentioned(report: ReportJson) -> None:
    assert not any("latency_ms" in line or "memory_bytes" in line for line in report.broken)


def test_a_report_is_read_as_it_was_written(report: ReportJson) -> None:
    assert read_report(report_bytes(report)) == report
    assert report_bytes(read_report(report_bytes(report))) == report_bytes(report)


@pytest.mark.parametrize("content", [b"", b"{}", b'{"format": 99}', b"\xff", b"[" * 10_000, b'{"format": 1}'])
def test_what_is_no_report_is_refused(content: bytes) -> None:
    with pytest.raises(ModelError, match="allowed: a report of format 1"):
        read_report(content)


def test_a_terminal_shows_both_sides_and_what_is_over_the_budget(report: ReportJson) -> None:
    shown = lines(report)
    names = [name for name, _ in shown]
    assert names[:2] == ["artifact", "parameters"]
    assert names.count("over budget") == len(report.broken)
    assert dict(shown)["parameters"] == "1.74 k -> 290 (6x smaller)"
    assert "modelled" in dict(shown)["energy a row"]


@pytest.mark.slow  # an export
def test_a_result_with_other_classes_is_refused(trees: Case, images: Case) -> None:
    with pytest.raises(ModelError, match="answers the same question"):
        judged(trees, graph_of(images))


@pytest.mark.slow  # an export
def test_a_runtime_that_is_not_there_is_refused(trees: Case, numbers: Case) -> None:
    graph = graph_of(numbers)
    for runtime, error in (("trees", ModelError), ("quick", InputError)):
        with pytest.raises(error, match=f'engine "{runtime}"'):
            judge(
                candidate(graph),
                candidate(graph, runtime),
                numbers.data,
                predictor="judged",
                recipe=Recipe(steps=()),
                notes={},
                progress=lambda *told: None,
            )


def test_a_regression_is_judged_from_end_to_end(trees: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    import lightgbm

    monkeypatch.setattr("unisono.compress.report.latency._SINGLES_S", 0.05)
    numbers = [rows.with_columns(label=rows["a"] * 2 + rows["b"]) for rows in (trees.data.train, trees.data.test)]
    made = []
    for count in (60, 5):
        fitted = lightgbm.LGBMRegressor(n_estimators=count, n_jobs=1, verbose=-1)
        fitted.fit(numbers[0].select("a", "b", "c", "d").to_pandas(), numbers[0]["label"].to_numpy())
        made.append(fitted)
    data = replace(trees.data, train=numbers[0], test=numbers[1], classes=())
    case = replace(trees, subject=Subject(ensemble=made[0]), data=data)
    report = judged(case, graph_of(case, Subject(ensemble=made[1])))
    assert report.task == "regression"
    expected = made[1].score(data.test.select("a", "b", "c", "d").to_pandas(), data.test["label"].to_numpy())
    assert report.result.accuracy.value == pytest.approx(expected)
    assert report.accuracy_change.high < -20
    assert {one.column for one in report.slices} == {"side"}
    assert dict(lines(report))["R2"].startswith("0.9")


def test_outputs_without_a_right_answer_are_judged_by_the_original(
    trees: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("unisono.compress.report.latency._SINGLES_S", 0.05)
    case = replace(trees, data=replace(trees.data, classes=()))
    models = [import_model(embedding(noise), inputs=case.data.inputs, columns=list("abcd")) for noise in (0.0, 0.3)]
    before, after = (candidate(joined(case, one)) for one in models)
    told: list[str] = []
    report = judge(
        before,
        after,
        case.data,
        predictor="judged",
        recipe=Recipe(steps=(), budget=Budget(agreement=0.999)),
        notes={},
        progress=lambda what, done, total: told.append(what),
    )
    assert report.task == "outputs"
    assert report.original.accuracy.value == 1.0
    assert 0.5 < report.result.accuracy.value < 0.999
    assert report.result.operations == 4 * 3
    assert len(report.broken) == 1
    assert {"measuring latency", "measuring memory", "judging"} == set(told)


def embedding(noise: float) -> onnx.ModelProto:
    """Four numbers -> three, in a graph of its own with an output of its own name."""
    random = np.random.default_rng(0)
    weights = random.normal(size=(4, 3)) + noise * np.random.default_rng(1).normal(size=(4, 3))
    emit = Emitter()
    emit.rename(emit("MatMul", "matrix", emit.constant(weights.astype(np.float32))), "embedding")
    return emit.model([value("matrix", np.float32, "N", 4)], [value("embedding", np.float32, "N", 3)])


@pytest.mark.slow  # an export
def test_texts_are_judged_with_their_tokens(texts: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("unisono.compress.report.latency._SINGLES_S", 0.05)
    report = judged(texts, graph_of(texts))
    assert report.agreement.value == 1.0
    assert (report.accuracy_change.value, report.changed) == (0.0, [])
    assert report.original.parameters == pytest.approx(texts.subject.module().parameters, rel=0.01)
    assert report.original.operations == report.result.operations
