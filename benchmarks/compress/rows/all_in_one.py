"""All in one: fewer layers, words, directions, nodes and bits of MiniLM, beside one family each and other tools."""

from __future__ import annotations

import tomllib
from typing import Any

from benchmarks.compress.bench import Bench
from benchmarks.compress.peers.sentences import Sentences
from benchmarks.compress.peers.tools import models
from benchmarks.compress.row import Figures, Row, Target, at_least, at_most, figures, sides
from benchmarks.harness import ROOT, say
from unisono.compress.report.document import ReportJson

RECIPES = ROOT / "examples" / "compress" / "recipes"
ALONE = ("int8", "distil")
"""Recipes of one family."""

_WITHIN_POINTS = 2.0


def run(bench: Bench) -> Row:
    """The row."""
    model = bench.sentiment_teacher()
    whole = _compressed(bench, "all-in-one", model)
    original, result = sides(whole)
    alone = {f"unisono, {name} alone": figures(one.result, one) for name, one in _families(bench, model)}
    peers = {**alone, **_peers(bench, whole.slice_rows)}
    return Row(
        row="all-in-one",
        original=original,
        result=result,
        peers=peers,
        targets=tuple(_targets(whole, original, result, peers)),
        notes=(
            f"Judged by {whole.rows:,} sentences. Sizes are of the artifact with its tokenizer; of a peer of its files "
            "and the same tokenizer. A row's time is the processor's, with the tokenizer's in it, by one thread.",
            "onnxruntime's static quantisation is of products alone and without its pre-processing, so the table of "
            "words stays in floats there.",
        ),
    )


def _families(bench: Bench, model: object) -> list[tuple[str, ReportJson]]:
    return [(name, _compressed(bench, name, model)) for name in ALONE]


def _compressed(bench: Bench, recipe: str, model: object) -> ReportJson:
    """The report of a recipe of the example. Its budget is not enforced here: what it costs is a figure of the row."""
    say(f"  {recipe}")
    document: dict[str, Any] = tomllib.loads((RECIPES / f"{recipe}.toml").read_text("utf-8"))
    kept = {name: value for name, value in document.items() if name not in ("budget", "data")}
    return bench.compress("sentiment", {"name": recipe, **kept}, model)


def _peers(bench: Bench, slice_rows: int) -> dict[str, Figures]:
    work = Sentences.of(bench)
    before = work.right(work.reference())
    return {name: work.figures(run, files, before, slice_rows) for name, run, files in models(work)}


def _targets(whole: ReportJson, original: Figures, result: Figures, peers: dict[str, Figures]) -> list[Target]:
    floor = original.accuracy - _WITHIN_POINTS / 100
    near = [one.size_bytes for one in peers.values() if one.accuracy >= floor]
    smallest = min(near, default=original.size_bytes)
    return [
        at_most("points lost", -whole.accuracy_change.value, _WITHIN_POINTS),
        at_most("MB, beside the smallest of the others within 2 points", result.size_bytes / 1e6, smallest / 1e6),
        at_least("times smaller than the original", original.size_bytes / result.size_bytes, 1),
    ]
