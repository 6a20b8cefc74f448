"""Pairs of models to be judged, and reports of them."""

from __future__ import annotations

from dataclasses import replace

import pytest

import unisono as un
from tests.compress.conftest import Case
from unisono.compress.recipe import Recipe
from unisono.compress.report.candidate import Candidate
from unisono.compress.report.document import ReportJson
from unisono.compress.report.judging import judge
from unisono.compress.subject import Subject
from unisono.models import ImportedModel, PredictorGraph, build_graph, import_model


def graph_of(case: Case, subject: Subject | None = None) -> PredictorGraph:
    """The graph of a predictor that reads what a case reads."""
    subject = subject or case.subject
    inputs = case.data.inputs
    if subject.graph is not None:
        imported = subject.graph
    elif subject.torch is not None:
        imported = import_model(subject.torch.importable, inputs=inputs, columns=subject.torch.columns)
    else:
        imported = import_model(subject.ensemble, inputs=inputs, columns=subject.columns)
    return joined(case, imported)


def joined(case: Case, imported: ImportedModel) -> PredictorGraph:
    """A model in the graph of a predictor that reads what a case reads."""
    predictor = un.Predictor("judged", request=dict(case.data.inputs), time="asked_at", features=())
    return build_graph(predictor, [], imported, ())


def candidate(graph: PredictorGraph, runtime: str | None = None) -> Candidate:
    """A graph as it would be deployed."""
    return Candidate(graph=graph, size_bytes=len(graph.onnx), numeric_class="bounded", runtime=runtime)


def fewer_trees(case: Case, count: int) -> PredictorGraph:
    """The first trees of a case's ensemble alone."""
    import lightgbm

    booster = lightgbm.Booster(model_str=case.subject.ensemble.booster_.model_to_string(num_iteration=count))
    imported = import_model(booster, inputs=case.data.inputs, columns=tuple(case.data.inputs))
    imported = replace(imported, classes=case.data.classes)
    return build_graph(
        un.Predictor("judged", request=dict(case.data.inputs), time="asked_at", features=()), [], imported, ()
    )


def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Latencies that are measured in a moment: what they are is no test's business."""
    monkeypatch.setattr("unisono.compress.report.latency._SINGLES_S", 0.05)


def judged(case: Case, result: PredictorGraph, recipe: Recipe | None = None) -> ReportJson:
    """The report of a case's model and another graph."""
    return judge(
        candidate(graph_of(case)),
        candidate(result),
        case.data,
        predictor="judged",
        recipe=recipe or Recipe(steps=()),
        notes={"fewer": {"trees": 10}},
        progress=lambda *told: None,
    )
