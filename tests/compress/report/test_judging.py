"""Two models are judged side by side: what is known of each from its graph, from its answers, and from running it."""

from __future__ import annotations

import pytest

from tests.compress.conftest import Case
from tests.compress.report.conftest import candidate, fewer_trees, graph_of, judged
from unisono.compress.recipe import Budget, Recipe
from unisono.compress.report.document import ReportJson, read_report, report_bytes
from unisono.compress.report.judging import judge
from unisono.compress.report.terminal import lines
from unisono.spec.errors import InputError, ModelError

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
        assert side.latency.median.value == min(one.median.value for one in side.runtimes)
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
