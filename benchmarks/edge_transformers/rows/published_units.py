"""Published units in MiniLM-L6, one kind at a time and all together: what is left of a text's embedding."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from benchmarks.compress.bench import Bench
from benchmarks.edge_transformers.row import Cell, Row, Table
from benchmarks.edge_transformers.units.answers import MODES
from benchmarks.edge_transformers.units.swapped import PARTS, Encoder, Swap
from benchmarks.harness import say

BITS = (8, 12, 16)
TEXTS = 16
SEEN = 24
_MOST_CHARACTERS = 50

Cosines = tuple[float, float]
"""Mean and worst."""


def run(bench: Bench) -> Row:
    """The row."""
    texts = _texts(bench)
    encoder = Encoder()
    encoder.calibrate(texts[TEXTS:])
    asked = texts[:TEXTS]
    exact = [encoder.embedding(text) for text in asked]
    found: dict[Swap, Cosines] = {}
    for swap in _swaps():
        found[swap] = _cosines(exact, [encoder.embedding(text, swap) for text in asked])
        say(f"  {swap.mode}, {swap.bits} bits, {' and '.join(swap.parts)}: {found[swap][0]:.4f}")
    return Row(
        row="published-units",
        figures={_key(swap): round(mean, 4) for swap, (mean, _) in found.items()},
        tables=(_table(found),),
        notes=(
            f"Cosine between a text's embedding and that of fp32, mean (worst) of {TEXTS} short texts of the training "
            f"part; inputs are cut to the bits named, by the range that {SEEN} others show. All else is in floats, "
            "gamma and beta included, so this is what the units alone do. Nothing was trained for them. Where hardware "
            "divides by zero, 0 is taken.",
        ),
    )


def _texts(bench: Bench) -> list[str]:
    frame = bench.data("sentiment")
    found = frame.filter(frame["part"] == "train")["text"].to_list()
    short = [text for text in found if len(text) <= _MOST_CHARACTERS]
    return short[:: len(short) // (TEXTS + SEEN)][: TEXTS + SEEN]


def _swaps() -> list[Swap]:
    parts = [*((part,) for part in PARTS), PARTS]
    return [Swap(mode, bits, part) for mode in MODES for bits in BITS for part in parts]


def _cosines(exact: Sequence[Tensor], found: Sequence[Tensor]) -> Cosines:
    cosines = torch.stack([left @ right for left, right in zip(exact, found, strict=True)])
    return float(cosines.mean()), float(cosines.min())


def _key(swap: Swap) -> str:
    part = "all" if len(swap.parts) > 1 else swap.parts[0].lower()
    return f"cosine_{part}_{swap.mode}_{swap.bits}_bits"


def _table(found: Mapping[Swap, Cosines]) -> Table:
    rows: list[list[Cell]] = []
    for bits in BITS:
        for parts in (*((part,) for part in PARTS), PARTS):
            cells = [f"{mean:.4f} ({worst:.4f})" for mean, worst in (found[Swap(mode, bits, parts)] for mode in MODES)]
            rows.append([parts[0] if len(parts) == 1 else "all three", bits, *cells])
    return Table(head=("swapped", "bits of inputs", *MODES), rows=rows)
