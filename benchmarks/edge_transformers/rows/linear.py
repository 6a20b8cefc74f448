"""Linear attention: is it quicker where texts are long, does its memory grow with the length, is it still right?

Speed and memory of two published shapes of encoders: BERT-tiny, which is for small devices, and MiniLM-L6; accuracy
after recovery of a fine-tuned MiniLM on sentences, which are shorter than the break-even length, and of a small encoder
of PyTorch's own layers on ListOps, which is longer; and causal attention event by event.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.compress.bench import Bench, progress
from benchmarks.compress.row import at_least, at_most
from benchmarks.edge_transformers import listops_reader
from benchmarks.edge_transformers.datasets import listops
from benchmarks.edge_transformers.drawing import picture
from benchmarks.edge_transformers.lengths import KINDS, SOFTMAX, Measured, Shape, measure
from benchmarks.edge_transformers.page import DOCS
from benchmarks.edge_transformers.row import Row, Table
from benchmarks.harness import say
from unisono.compress.attention.integers import TOP, IntegerRecurrence
from unisono.compress.attention.integers_making import integer_attention_of
from unisono.compress.attention.recurrence import recurrence_of
from unisono.compress.attention.step import LinearAttention
from unisono.compress.attention.swapping import attentions_of, replacement
from unisono.compress.modules.replacing import replace_layer
from unisono.compress.recipe import recipe_of
from unisono.compress.report.document import ReportJson
from unisono.drivers.project import Project, load

_STEP = "linear_attention"
TEXT: dict[str, Any] = {
    "runtime": "onnxruntime",
    "steps": [
        {
            "step": _STEP,
            "kind": "elu",
            "force": True,
            "rows": 15_000,
            "epochs": 3,
            "learning_rate": 2e-4,
            "precision": "bfloat16",
        },
    ],
}
"""Of sentences: they are short, so that the step has to be forced."""

LISTOPS: dict[str, Any] = {
    "runtime": "onnxruntime",
    "steps": [{"step": _STEP, "kind": "elu", "rows": 4000, "epochs": 2, "learning_rate": 1e-3}],
    "data": {"label": "value", "split": "part", "slices": ["length"]},
}
RULES = listops.Rules(100, 300, max_depth=5)
PARTS = {"train": 16000, "validation": 2000, "test": 4000}
_MOST_TOKENS = RULES.longest + 1

_TINY = Shape("BERT-tiny", 128, 2, 2, 512)  # Turc et al. 2019
_MINILM = Shape("MiniLM-L6", 384, 6, 12, 1536)
_TIMED, _WEIGHED = (128, 512, 2048, 4096), (128, 1024, 2048, 4096, 8192, 16384)
_SEQUENCES, _EVENTS = 1000, 4096
_FURTHEST, _DIFFERENT = "recurrence_float_furthest", "recurrence_integer_different"


def run(bench: Bench) -> Row:
    """The row."""
    torch.set_num_threads(1)
    folder = bench.folder / "linear"
    folder.mkdir(exist_ok=True)
    say("speed and memory")
    sizes = {shape.name: measure(folder, shape, _TIMED, _WEIGHED, most_softmax=4096) for shape in (_TINY, _MINILM)}
    draw(sizes, DOCS / "plots" / "linear-attention.svg")
    say("sentences")
    text = bench.compress("sentiment", TEXT, bench.sentiment_teacher())
    say("ListOps")
    nested = nested_lists(folder)
    say("event by event")
    return row_of(sizes, text, nested, event_by_event())


def row_of(sizes: Mapping[str, Measured], text: ReportJson, nested: ReportJson, events: Mapping[str, object]) -> Row:
    """Of all that was measured. sizes: by shape. text, nested: the reports of sentences and of ListOps."""
    tiny, large = sizes[_TINY.name], sizes[_MINILM.name]
    return Row(
        row="linear",
        figures={**_sizes(sizes), **_kept("text", text), **_kept("listops", nested), **events},
        targets=(
            at_least(f"times as fast, {_TINY.name}, 2,048 tokens", tiny.speedup("elu", 2048), 3.5),
            at_least(f"times as fast, {_TINY.name}, 4,096 tokens", tiny.speedup("elu", 4096), 5.5),
            at_most("power of the length by which memory grows, to 16,384", _growth(large), 1.1),
            at_least("of the original's accuracy, sentences", _retained(text), 0.97),
            at_least("of the original's accuracy, ListOps", _retained(nested), 0.97),
            at_most("sequences whose bits differ, in whole numbers", float(str(events[_DIFFERENT])), 0),
            at_most("distance in float, of the largest number", float(str(events[_FURTHEST])), 1e-5),
        ),
        tables=(
            *map(_speed_table, sizes, sizes.values()),
            _memory_table(sizes),
            _accuracy_table({"sentences": text, "ListOps": nested}),
        ),
        notes=(
            "Times are of the processor, one thread, one text; softmax at 2,048 tokens would take a tenth to a fifth "
            "less if onnxruntime never gave memory back (decision 0037). Memory is what a process has while it reads "
            "one after a short one, over what it has without the graph. The wider an encoder, the more of its time "
            f"goes into products with weights, which stay: {_MINILM.name}, three times as wide, "
            f"becomes {large.speedup('elu', 2048):.2f} and {large.speedup('elu', 4096):.2f} times as fast at 2,048 and "
            "4,096 tokens.",
            f"Sentences: {text.rows:,} to judge by. ListOps of Long Range Arena, {RULES.shortest} to {RULES.longest} "
            f"tokens, at most {RULES.max_depth} deep: {nested.rows:,} to judge by. {_SEQUENCES:,} sequences in whole "
            f"numbers, one of {_EVENTS:,} events in float.",
        ),
    )


def nested_lists(folder: Path) -> ReportJson:
    """The report of ListOps: a reader that is trained once, and what the recipe makes of it."""
    frame = listops.load(folder, RULES, PARTS)
    reader = listops_reader.trained(folder, frame, _MOST_TOKENS)
    made = _project(folder / "project").compress(
        "nested", recipe_of(LISTOPS), reader, data=frame, register=False, progress=progress()
    )
    return made.report


def _project(root: Path) -> Project:
    root.mkdir(exist_ok=True)
    (root / "unisono.toml").write_text('definitions = "definitions.py"\n')
    predictor = 'nested = un.Predictor("nested", request={"text": un.String}, time="asked_at", features=())'
    (root / "definitions.py").write_text(f'"""Of a benchmark."""\n\nimport unisono as un\n\n{predictor}\n')
    return load(root)


def event_by_event() -> dict[str, object]:
    """Causal attention event by event against the whole sequence: bits in whole numbers, distance in float."""
    torch.manual_seed(0)
    step = LinearAttention(causal=True)
    layer = torch.nn.TransformerEncoderLayer(64, 4, 128, dropout=0.0, batch_first=True)
    encoder = torch.nn.TransformerEncoder(layer, 2, enable_nested_tensor=False).eval()
    for name, attention in attentions_of(encoder, step).items():
        replace_layer(encoder, name, replacement(attention, step, 1))
    return {
        _FURTHEST: _furthest(encoder),
        "recurrence_integer_sequences": _SEQUENCES,
        _DIFFERENT: _different(encoder),
    }


def _furthest(encoder: torch.nn.Module) -> float:
    """Largest distance as a share of the largest number."""
    given = np.random.default_rng(0).normal(size=(_EVENTS, 64)).astype(np.float32)
    with torch.inference_mode():
        whole = encoder(torch.from_numpy(given)[None])[0].numpy()
    recurrence = recurrence_of(encoder, 64)
    state, furthest = recurrence.begin(), 0.0
    for event, wanted in zip(given, whole, strict=True):
        state, answer = recurrence.step(state, event)
        furthest = max(furthest, float(np.abs(answer - wanted).max()))
    return furthest / float(np.abs(whole).max())


def _different(encoder: torch.nn.Module) -> int:
    """Random sequences whose bits differ."""
    random = np.random.default_rng(0)
    attention: Any = encoder.get_submodule("layers.0.self_attn")
    own = integer_attention_of(attention, random.normal(size=(500, 64)))
    recurrence, different = IntegerRecurrence(own), 0
    for _ in range(_SEQUENCES):
        events = random.integers(-TOP, TOP + 1, (int(random.integers(1, 33)), 64))
        state, answers = recurrence.begin(), []
        for event in events:
            state, answer = recurrence.step(state, event)
            answers.append(answer)
        different += not np.array_equal(answers, own.over_all(events))
    return different


def draw(sizes: Mapping[str, Measured], path: Path) -> None:
    """Time and memory over the length, both axes logarithmic; a row for each shape."""
    with picture(path, 8, 6) as figure:
        for (name, one), (left, right) in zip(sizes.items(), figure.subplots(2, 2), strict=True):
            for kind, times in one.milliseconds.items():
                left.loglog([*times], [*times.values()], marker="o", label=kind)
            for kind, peaks in one.peak_bytes.items():
                right.loglog([*peaks], [peak / 1e6 for peak in peaks.values()], marker="o", label=kind)
            for axes, title, lengths in ((left, "milliseconds a text", _TIMED), (right, "peak memory, MB", _WEIGHED)):
                axes.set(title=f"{name}: {title}", xlabel="tokens")
                axes.set_xticks(lengths, [f"{one:,}" for one in lengths])
                axes.xaxis.minorticks_off()
                axes.grid(visible=True, which="both", alpha=0.3)
            left.legend()


def _sizes(sizes: Mapping[str, Measured]) -> dict[str, object]:
    found: dict[str, object] = {}
    for shape, one in sizes.items():
        prefix = shape.lower().replace("-", "_")
        for kind in KINDS:
            found |= {f"{prefix}_speedup_{kind}_{tokens}": round(one.speedup(kind, tokens), 3) for tokens in _TIMED}
        for kind, known in one.peak_bytes.items():
            found |= {f"{prefix}_peak_{kind}_{tokens}_bytes": peak for tokens, peak in known.items()}
        found[f"{prefix}_memory_growth"] = round(_growth(one), 4)
    return found


def _growth(sizes: Measured) -> float:
    return sizes.growth("elu", 2048, 16384)


def _kept(name: str, report: ReportJson) -> dict[str, object]:
    return {
        f"{name}_accuracy_original": report.original.accuracy.value,
        f"{name}_accuracy": report.result.accuracy.value,
        f"{name}_retained": round(_retained(report), 4),
        f"{name}_break_even_tokens": _note(report, "break_even_tokens"),
        f"{name}_median_tokens": _note(report, "median_tokens"),
        f"{name}_attention_gain": _note(report, "attention_gain"),
    }


def _retained(report: ReportJson) -> float:
    return report.result.accuracy.value / report.original.accuracy.value


def _note(report: ReportJson, name: str) -> Any:
    return report.notes[_STEP][name]


def _speed_table(shape: str, sizes: Measured) -> Table:
    head = (f"{shape}, tokens", f"{SOFTMAX}, ms", *(f"{kind}, ms (times as fast)" for kind in KINDS))
    rows = [
        (
            f"{tokens:,}",
            f"{sizes.milliseconds[SOFTMAX][tokens]:,.1f}",
            *(f"{sizes.milliseconds[kind][tokens]:,.1f} ({sizes.speedup(kind, tokens):.2f})" for kind in KINDS),
        )
        for tokens in _TIMED
    ]
    return Table(head=head, rows=rows)


def _memory_table(sizes: Mapping[str, Measured]) -> Table:
    kinds = [(shape, kind) for shape, one in sizes.items() for kind in one.peak_bytes]

    def peak(shape: str, kind: str, tokens: int) -> str:
        known = sizes[shape].peak_bytes[kind].get(tokens)
        return "" if known is None else f"{known / 1e6:,.0f}"

    rows = [(f"{tokens:,}", *(peak(shape, kind, tokens) for shape, kind in kinds)) for tokens in _WEIGHED]
    return Table(head=("tokens", *(f"{shape}, {kind}, peak MB" for shape, kind in kinds)), rows=rows)


def _accuracy_table(reports: Mapping[str, ReportJson]) -> Table:
    head = ("", "softmax", "elu (95 %)", "of the original's", "median tokens", "break-even", "attention, times as fast")
    rows = []
    for name, one in reports.items():
        made = one.result.accuracy
        shown = f"{made.value:.4f} ({made.low:.4f} to {made.high:.4f})"
        notes = tuple(str(_note(one, key)) for key in ("median_tokens", "break_even_tokens", "attention_gain"))
        rows.append((name, f"{one.original.accuracy.value:.4f}", shown, f"{_retained(one):.1%}", *notes))
    return Table(head=head, rows=rows)
