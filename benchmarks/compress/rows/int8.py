"""8 bits: MiniLM at least 3.8 times smaller and twice as fast, and the same bits on other machines.

Peers: our own quick way, which is not portable, and other tools.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from benchmarks.compress.bench import Bench
from benchmarks.compress.elsewhere import Bits, Feeds, browser_runtime, emulated, emulator, here, in_web_assembly
from benchmarks.compress.long_texts import PREDICTOR, graphs_of, speedup_at
from benchmarks.compress.peers.sentences import Sentences
from benchmarks.compress.peers.tools import models
from benchmarks.compress.row import Figures, Row, Target, at_least, figures, sides
from benchmarks.harness import say
from unisono.compress.report.document import ReportJson
from unisono.compress.report.serving import Requests, Serving
from unisono.models import PredictorGraph

_RUNTIME = "onnxruntime"
_PORTABLE: dict[str, Any] = {"name": "int8", "steps": [{"step": "quantise"}], "runtime": _RUNTIME}
_QUICK: dict[str, Any] = {"name": "quick", "steps": [{"step": "quantise", "portable": False}], "runtime": _RUNTIME}
_ELSEWHERE_ROWS = 12
_TOKENS = (32, 128)


def run(bench: Bench) -> Row:
    """The row."""
    teacher = bench.sentiment_teacher()
    report, quick = (bench.compress(PREDICTOR, one, teacher) for one in (_PORTABLE, _QUICK))
    original, result = sides(report)
    faster = {
        f"{name}, {tokens} tokens": speedup_at(bench, recipe, teacher, tokens, runtime=_RUNTIME).value
        for name, recipe in (("portable", _PORTABLE), ("quick", _QUICK))
        for tokens in _TOKENS
    }
    graph = graphs_of(bench, _PORTABLE, teacher)[1]
    same = dict(_elsewhere(bench, graph))
    return Row(
        row="int8",
        original=original,
        result=result,
        peers={"unisono, portable = false": figures(quick.result, quick), **_peers(bench, report.slice_rows)},
        targets=tuple(_targets(report, quick, original, result, same)),
        notes=(
            f"Judged by {report.rows:,} sentences; the class of the result is {report.result.numeric_class}. Times as "
            f"fast as the original: {', '.join(f'{name} {times:.2f}' for name, times in faster.items())}.",
            f"Other machines were asked {_ELSEWHERE_ROWS} sentences: {_told(same)}.",
        ),
    )


def _targets(
    report: ReportJson, quick: ReportJson, original: Figures, result: Figures, same: dict[str, bool]
) -> Iterator[Target]:
    yield at_least("times smaller", original.size_bytes / result.size_bytes, 3.8)
    yield at_least("times as fast, portable", report.speedup.value, 2)
    yield at_least("times as fast, portable = false", quick.speedup.value, 2)
    yield at_least("highest change of accuracy in its interval, points", report.accuracy_change.high, 0)
    for machine, is_same in same.items():
        yield at_least(f"same bits: {machine}", float(is_same), 1)


def _elsewhere(bench: Bench, graph: PredictorGraph) -> Iterator[tuple[str, bool]]:
    """Other machines, and whether they give the bits that this one gives."""
    rows = _rows(bench, graph)
    ours = here(graph.onnx, rows)
    with TemporaryDirectory() as name:
        folder = Path(name)
        for machine, ask in _machines(folder).items():
            say(f"  {machine}")
            yield machine, ask(graph.onnx, rows, folder) == ours


def _machines(folder: Path) -> dict[str, Callable[[bytes, Sequence[Feeds], Path], Bits]]:
    """Those that can be had here."""
    found: dict[str, Callable[[bytes, Sequence[Feeds], Path], Bits]] = {}
    if emulator() is not None:
        found["emulated Haswell, without VNNI and AVX-512"] = emulated
    if browser_runtime(folder) is not None:
        found["WebAssembly"] = in_web_assembly
    return found


def _rows(bench: Bench, graph: PredictorGraph) -> list[Feeds]:
    texts = bench.data(PREDICTOR)["text"].sample(_ELSEWHERE_ROWS, seed=0).to_list()
    requests = Requests([(text,) for text in texts], np.empty((len(texts), 0)))
    serving = Serving(graph, _RUNTIME)
    return [dict(serving.feeds(requests.part(place, 1))) for place in range(len(texts))]


def _told(same: dict[str, bool]) -> str:
    told = [f"{machine}: {'the same bits' if is_same else 'other bits'}" for machine, is_same in same.items()]
    return "; ".join(told) or "none can be had here, install qemu-user or node"


def _peers(bench: Bench, slice_rows: int) -> dict[str, Figures]:
    work = Sentences.of(bench)
    before = work.right(work.reference())
    return {name: work.figures(run, files, before, slice_rows) for name, run, files in models(work)}
