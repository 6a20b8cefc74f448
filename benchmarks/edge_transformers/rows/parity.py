"""An integer-only MiniLM on every machine: the same bytes, sentence by sentence; and what is planted is found."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.compress.bench import Bench
from benchmarks.compress.row import Target, at_least
from benchmarks.edge_transformers import planting
from benchmarks.edge_transformers.arm import NotHereError
from benchmarks.edge_transformers.kernels import TARGET_NAMES, answers_of_kernel
from benchmarks.edge_transformers.minilm import integer_minilm, sentences
from benchmarks.edge_transformers.row import Cell, Row, Table
from benchmarks.edge_transformers.runtimes import NAMES, Answers, Rows, runtime
from benchmarks.harness import say
from unisono.kernel.build.maker import exports_file
from unisono.kernel.integer.encoder import Encoder
from unisono.kernel.integer.network import Network
from unisono.kernel.integer.packing import packed
from unisono.kernel.integer.reference import answer
from unisono.kernel.manifest import source_hashes, version_of
from unisono.models.integer.graph import integer_graph

SENTENCES = 1000
KERNEL_SENTENCES = 6
"""Of the kernel on emulated machines."""

REFERENCE_SENTENCES = 3
"""The shortest: plain Python takes a second for each token."""

PART = 125
"""Sentences that are asked at once; what was said of them is kept."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A machine and what it said.

    rows: how many sentences.
    same: how many of its answers are those of the kernel here, byte for byte.
    """

    name: str
    rows: int
    same: int


@dataclass(frozen=True, slots=True)
class Machine:
    """One to ask.

    made_of: names what runs there: another graph or kernel is asked again.
    """

    name: str
    made_of: str
    ask: Callable[[Rows], Answers]
    rows: Rows


def run(bench: Bench) -> Row:
    """The row. What a machine said is kept, since emulators are slow."""
    folder = bench.folder / "parity"
    folder.mkdir(exist_ok=True)
    network, rows = integer_minilm(bench), sentences(bench, SENTENCES)
    wanted = kernel_answers(network, rows)
    asked: list[Asked] = []
    told = dict(zip(map(tuple, rows), wanted, strict=True))
    missing: dict[str, str] = {}
    for machine in _machines(network, rows, folder):
        try:
            asked.append(_compared(machine, told, folder))
        except NotHereError as error:
            missing[machine.name] = str(error)
    planted = planting.found(network, rows)
    return Row(
        row="parity",
        figures={
            "sentences": len(rows),
            "packed_mb": round(len(packed(network)) / 1e6, 2),
            "workspace_kb_at_32_tokens": round(Encoder(network).workspace_bytes(32) / 1e3, 1),
            "workspace_kb_at_128_tokens": round(Encoder(network).workspace_bytes(128) / 1e3, 1),
            "asked": {one.name: one.rows for one in asked},
            "identical": {one.name: one.same for one in asked},
            "missing": missing,
            "planted": planted,
        },
        targets=tuple(_targets(asked, planted)),
        tables=(_machines_table(asked), _planted_table(planted)),
        notes=(
            "An answer is the 384 numbers of a sentence's embedding. It is compared with that of the kernel on this "
            "processor.",
            *(f"Not to be had here: {name}: {why}." for name, why in missing.items()),
        ),
    )


def kernel_answers(network: Network, rows: Rows) -> Answers:
    """What the kernel of this processor says, as a graph does: less the zero."""
    encoder, zero = Encoder(network), np.int32(network.zero)
    return [(encoder.answer(row) - zero).astype("<i4").tobytes() for row in rows]


def _machines(network: Network, rows: Rows, folder: Path) -> Iterator[Machine]:
    """Every machine but this kernel."""
    shortest = sorted(rows, key=len)[:REFERENCE_SENTENCES]
    yield Machine("reference in plain Python", "", partial(_reference, network), shortest)
    kernel = str(version_of(source_hashes(exports_file())))
    for target in TARGET_NAMES:
        ask = partial(answers_of_kernel, target, network, folder)
        yield Machine(f"kernel on {target}", kernel, ask, rows[:KERNEL_SENTENCES])
    graph = integer_graph(network)
    made_of = hashlib.sha256(graph).hexdigest()
    for name in NAMES:
        ask = partial(_onnxruntime, name, graph, folder)
        yield Machine(name, made_of, ask, rows)


def _onnxruntime(name: str, graph: bytes, folder: Path, rows: Rows) -> Answers:
    return runtime(name, folder)(graph, rows)


def _reference(network: Network, rows: Rows) -> Answers:
    zero = np.int32(network.zero)
    return [(np.array(answer(network, row), "<i4") - zero).tobytes() for row in rows]


def _compared(machine: Machine, wanted: Mapping[tuple[int, ...], bytes], folder: Path) -> Asked:
    """A machine's answers against the kernel's, part by part."""
    rows = machine.rows
    parts = [rows[begin : begin + PART] for begin in range(0, len(rows), PART)]
    found = [_part(machine, part, [wanted[tuple(row)] for row in part], folder) for part in parts]
    return Asked(machine.name, len(rows), sum(found))


def _part(machine: Machine, rows: Rows, wanted: Answers, folder: Path) -> int:
    told = json.dumps([machine.name, machine.made_of, list(rows), [one.hex() for one in wanted]])
    kept = folder / f"{hashlib.sha256(told.encode()).hexdigest()[:16]}.json"
    if not kept.exists():
        say(f"  {machine.name}: {len(rows)} sentences")
        said = machine.ask(rows)
        kept.write_text(json.dumps({"same": sum(one == other for one, other in zip(said, wanted, strict=True))}))
    same: int = json.loads(kept.read_text())["same"]
    return same


def _targets(asked: Sequence[Asked], planted: Mapping[str, str]) -> Iterator[Target]:
    for one in asked:
        yield at_least(f"share of {one.rows} answers with the same bytes: {one.name}", one.same / one.rows, 1)
    for what, said in planted.items():
        yield at_least(f"found: {what}", float(bool(said)), 1)


def _machines_table(asked: Sequence[Asked]) -> Table:
    rows: list[list[Cell]] = [[one.name, one.rows, one.same] for one in asked]
    return Table(head=("machine", "sentences", "with the same bytes"), rows=rows)


def _planted_table(planted: Mapping[str, str]) -> Table:
    return Table(head=("planted", "named"), rows=[[what, said or "not found"] for what, said in planted.items()])
