"""Energy of a transformer on an accelerator, modelled: fp32, int8, integers alone, linear attention, and other cuts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from benchmarks.compress.bench import Bench
from benchmarks.edge_transformers.drawing import picture
from benchmarks.edge_transformers.page import DOCS
from benchmarks.edge_transformers.row import Cell, Row, Table
from unisono.place.accelerator import ARITHMETICS, Array, Bounds, Cost, Encoder, Linear, Local, LowRank, Memory, cost

PLOT = DOCS / "plots" / "accelerator-energy.svg"
LENGTHS = (32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384)
ARRAYS = ((8, 8), (16, 16), (32, 8), (32, 32), (64, 64), (128, 32))

TEXT = Encoder(layers=6, width=384, heads=12, inner=1536, tokens=128)
"""MiniLM-L6."""

IMAGE = Encoder(layers=12, width=192, heads=3, inner=768, tokens=197, patch=16 * 16 * 3, outputs=1000)
"""DeiT-tiny, 224 x 224 pixels."""

ENCODERS: Mapping[str, Encoder] = {
    "MiniLM-L6, 128 tokens": TEXT,
    "MiniLM-L6, 2,048 tokens": replace(TEXT, tokens=2048),
    "DeiT-tiny, 197 tokens": IMAGE,
}
VARIANTS: Mapping[str, tuple[str, bool]] = {
    "fp32": ("fp32", False),
    "int8": ("int8", False),
    "integer-only": ("integer", False),
    "integer-only, linear attention": ("integer", True),
}
"""Arithmetic, and whether attention is linear."""


def run(bench: Bench) -> Row:
    """The row; it draws the plot, too."""
    found = {(name, variant): _cost(one, variant) for name, one in ENCODERS.items() for variant in VARIANTS}
    equal_at = _equal_at()
    _draw()
    return Row(
        row="energy",
        figures={
            **{_key(name, variant): round(one.energy_mj.all.middle, 4) for (name, variant), one in found.items()},
            "linear_attention_equal_at_tokens": equal_at,
        },
        tables=(_variants(found), _parts(found), _layer(), _cuts(), _arrays()),
        notes=(
            f"From {equal_at} tokens on linear attention takes less energy than softmax, integers alone, MiniLM-L6. An "
            "array of 32 x 32 at 200 MHz, a buffer of 1 MB, memory outside of 6.4 GB/s, where nothing else is said; "
            "one text or image at a time.",
        ),
    )


def _cost(encoder: Encoder, variant: str) -> Cost:
    arithmetic, is_linear = VARIANTS[variant]
    shaped = replace(encoder, attention=Linear()) if is_linear else encoder
    return cost(shaped, arithmetic=ARITHMETICS[arithmetic])


def _key(name: str, variant: str) -> str:
    words = f"{name} {variant} energy mj".lower()
    return "_".join(words.replace(",", "").replace("-", "_").split())


def _equal_at() -> int:
    """The first number of tokens for which linear attention takes less energy, both ends of the bounds."""
    for tokens in range(2, 1024):
        encoder = replace(TEXT, tokens=tokens)
        softmax, linear = (_cost(encoder, one).energy_mj.all for one in list(VARIANTS)[2:])
        if linear.low < softmax.low and linear.high < softmax.high:
            return tokens
    raise SystemExit("energy: linear attention never takes less; look at the model")


def _variants(found: Mapping[tuple[str, str], Cost]) -> Table:
    def lines() -> Iterator[list[Cell]]:
        for (name, variant), one in found.items():
            energy, first = one.energy_mj.all, found[name, "fp32"].energy_mj.all
            yield [
                name,
                variant,
                f"{one.multiplications / 1e9:.2f}",
                _shown(one.outside_bytes.times(1e-6)),
                _number(one.buffer_bytes / 1e6),
                _middle(energy),
                f"{100 * energy.middle / first.middle:.0f} %",
                _shown(one.seconds.times(1e3)),
            ]

    head = (
        "encoder",
        "variant",
        "multiplications, 10^9",
        "memory outside, MB",
        "buffer, MB",
        "energy, mJ",
        "of fp32",
        "time, ms",
    )
    return Table(head=head, rows=list(lines()))


def _parts(found: Mapping[tuple[str, str], Cost]) -> Table:
    """Where the energy goes."""

    def lines() -> Iterator[list[Cell]]:
        for (name, variant), one in found.items():
            parts = one.energy_mj
            whole = parts.arithmetic.middle + parts.buffer.middle + parts.outside.middle
            shares = [f"{100 * part.middle / whole:.0f} %" for part in (parts.arithmetic, parts.buffer, parts.outside)]
            yield [name, variant, *shares]

    return Table(head=("encoder", "variant", "arithmetic", "buffer", "memory outside"), rows=list(lines()))


def _layer() -> Table:
    """One layer, step by step."""
    rows = [
        (
            one.step.name,
            _shown(one.cycles.times(1e-3)),
            f"{100 * one.utilisation:.0f} %" if one.utilisation else "",
            _number(one.buffer_bytes / 1e3),
            _shown(one.outside_bytes.times(1e-3)),
            _middle(one.energy_mj.all.times(1e3)),
        )
        for one in cost(TEXT).steps
        if one.place == "layer 0"
    ]
    head = (
        "a layer of MiniLM-L6, 128 tokens, integer-only",
        "cycles, 10^3",
        "array in use",
        "buffer, kB",
        "memory outside, kB",
        "energy, µJ",
    )
    return Table(head=head, rows=rows)


def _cuts() -> Table:
    """What else there is to cut, from integers alone at 128 and at 2,048 tokens."""
    changes: Mapping[str, tuple[Mapping[str, object], Memory | None]] = {
        "as it is": ({}, None),
        "half of the layers (distillation)": ({"layers": 3}, None),
        "half of the inner nodes (pruning)": ({"inner": 768}, None),
        "both": ({"layers": 3, "inner": 768}, None),
        "all weights on the chip": ({}, Memory(holds_weights=True)),
        "keys and values of rank 64 (Linformer)": ({"attention": LowRank(64)}, None),
        "blocks of 64, 8 shared tokens": ({"attention": Local(64, 8)}, None),
        "linear attention": ({"attention": Linear()}, None),
    }

    def lines() -> Iterator[list[Cell]]:
        for name, (change, memory) in changes.items():
            both = [cost(replace(TEXT, tokens=n, **change), memory=memory).energy_mj.all for n in (128, 2048)]  # type: ignore[arg-type]
            yield [name, *map(_middle, both)]

    return Table(head=("MiniLM-L6, integer-only", "128 tokens, mJ", "2,048 tokens, mJ"), rows=list(lines()))


def _arrays() -> Table:
    def lines() -> Iterator[list[Cell]]:
        for rows, columns in ARRAYS:
            one = cost(TEXT, Array(rows=rows, columns=columns))
            yield [
                f"{rows} x {columns}",
                _shown(one.cycles.times(1e-6)),
                _shown(one.utilisation.times(100)),
                _shown(one.seconds.times(1e3)),
                _number(one.buffer_bytes / 1e6),
                _middle(one.energy_mj.all),
            ]

    head = ("array (MiniLM-L6, 128 tokens)", "cycles, 10^6", "utilisation, %", "time, ms", "buffer, MB", "energy, mJ")
    return Table(head=head, rows=list(lines()))


def _shown(bounds: Bounds) -> str:
    low, high = _number(bounds.low), _number(bounds.high)
    return low if low == high else f"{low} to {high}"


def _middle(bounds: Bounds) -> str:
    return f"{_number(bounds.middle)} ({_number(bounds.low)} to {_number(bounds.high)})"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _draw() -> None:
    with picture(PLOT, 7, 4) as figure:
        axes = figure.subplots()
        for variant in VARIANTS:
            found = [_cost(replace(TEXT, tokens=tokens), variant).energy_mj.all for tokens in LENGTHS]
            (line,) = axes.plot(LENGTHS, [one.middle for one in found], marker="o", ms=3, lw=1, label=variant)
            axes.fill_between(
                LENGTHS,
                [one.low for one in found],
                [one.high for one in found],
                color=line.get_color(),
                alpha=0.12,
                lw=0,
            )
        axes.set_xscale("log", base=2)
        axes.set_yscale("log")
        axes.set_xticks(LENGTHS, [f"{one:,}" for one in LENGTHS])
        axes.set_xlabel("tokens")
        axes.set_ylabel("mJ a text, modelled")
        axes.legend()
