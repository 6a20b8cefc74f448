"""Distillation of a transformer into a smaller one: half of the layers, and the tokens that the texts need.

MiniLM-L6, fine-tuned, teaches a student with three of its layers. Half of the numbers of such a model are its table of
embeddings, so layers alone save a quarter; tokens that come less than twice in the rows to learn from go, too. The test
rows take no part in that: their words fall into shorter pieces where a token is gone.
"""

from __future__ import annotations

from typing import Any

from benchmarks.compress.bench import Bench
from benchmarks.compress.row import Row, at_least, at_most, figures, sides
from unisono.compress.report.document import ReportJson

_TOKENS = 30_522  # of the teacher
_WIDTH = 384

STUDENT: dict[str, Any] = {
    "step": "distil",
    "student": "layers",
    "layers": 3,
    "vocabulary": 2,
    "temperature": 2.0,
    "epochs": 2,
    "learning_rate": 1e-4,
    "precision": "bfloat16",
}
"""The step; the validation rows choose how loud the teacher is."""


def run(bench: Bench) -> Row:
    """The row."""
    teacher = bench.sentiment_teacher()
    student = bench.compress("sentiment", _recipe("student", [STUDENT]), teacher)
    whole = bench.compress("sentiment", _recipe("student-int8", [STUDENT, {"step": "quantise"}]), teacher)
    original, result = sides(student)
    return Row(
        row="distilbert",
        original=original,
        result=result,
        peers={"student, then int8": figures(whole.result, whole)},
        targets=(
            at_most("size, share of the teacher's", result.size_bytes / original.size_bytes, 0.6),
            at_least("accuracy, share of the teacher's", result.accuracy / original.accuracy, 0.97),
            at_least("times as fast", student.speedup.value, 1.6),
            at_most("int8: size, share of the teacher's", whole.result.size_bytes / original.size_bytes, 0.6),
            at_least("int8: accuracy, share of the teacher's", whole.result.accuracy.value / original.accuracy, 0.97),
            at_least("int8: times as fast", whole.speedup.value, 1.6),
        ),
        notes=(_shares(student), _teaching(student)),
    )


def _recipe(name: str, steps: list[dict[str, Any]]) -> dict[str, Any]:
    return {"name": name, "steps": steps, "runtime": "onnxruntime"}


def _shares(report: ReportJson) -> str:
    gone = report.original.parameters - report.result.parameters
    tokens = _TOKENS - int(report.notes["distil"]["tokens"])
    return (
        f"Of {gone:,} parameters that went, {tokens * _WIDTH:,} are embeddings of {tokens:,} of {_TOKENS:,} tokens, "
        "the others layers."
    )


def _teaching(report: ReportJson) -> str:
    notes = report.notes["distil"]
    return (
        f"Learnt from {notes['rows']:,} sentences, judged by {report.rows:,}; the validation rows chose teacher_share "
        f"{notes['teacher_share']}."
    )
