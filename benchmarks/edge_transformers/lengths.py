"""An encoder with every kind of attention: how long a text takes, and how much memory.

Weights are drawn, since neither depends on them. Softmax attention is measured without the mask that transformers adds
to graphs, which hides nothing here and takes time.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np

from benchmarks.harness import say
from unisono.models.session import Runner, Setting

POSITIONS = 16384
SOFTMAX = "softmax"
_SETTING = Setting("all")
KINDS = ("elu", "performer", "linformer", "local_global")
_WORDS = 1000  # of the table; MiniLM's own has 30,522, which takes memory and no time
_ROUNDS = 2
_TOKENS = "tokens"
_PEAK = "benchmarks.edge_transformers.peak"


@dataclass(frozen=True, slots=True)
class Shape:
    """Of an encoder: numbers of a token, layers, heads, and numbers between the two products of a layer."""

    name: str
    width: int
    layers: int
    heads: int
    inner: int


@dataclass(frozen=True, slots=True)
class Measured:
    """By number of tokens.

    milliseconds: kind -> tokens -> of the processor, on one thread, for a text; the quickest of some.
    peak_bytes:   kind -> tokens -> of a process that reads one, over one that has opened nothing.
    """

    milliseconds: Mapping[str, Mapping[int, float]]
    peak_bytes: Mapping[str, Mapping[int, int]]

    def speedup(self, kind: str, tokens: int) -> float:
        """Times as fast as softmax attention."""
        return self.milliseconds[SOFTMAX][tokens] / self.milliseconds[kind][tokens]

    def growth(self, kind: str, start: int, end: int) -> float:
        """The power of the length by which memory grows from one length to another, less that of the shortest."""
        known = self.peak_bytes[kind]
        base = known[min(known)]
        return float(np.log((known[end] - base) / (known[start] - base)) / np.log(end / start))


def measure(folder: Path, shape: Shape, timed: Sequence[int], weighed: Sequence[int], most_softmax: int) -> Measured:
    """All kinds; the memory of softmax attention up to a length that fits.

    folder: keeps the graphs, whose making takes longest.
    """
    graphs = {kind: _graph(folder, shape, kind) for kind in (SOFTMAX, *KINDS)}
    times = _timed(shape, {kind: Runner(path.read_bytes(), _SETTING) for kind, path in graphs.items()}, timed)
    peaks: dict[str, dict[int, int]] = {}
    for kind in (SOFTMAX, "elu"):
        lengths = [one for one in weighed if kind != SOFTMAX or one <= most_softmax]
        say(f"  memory of {shape.name}, {kind}: {', '.join(map(str, lengths))} tokens")
        peaks[kind] = {tokens: _peak(graphs[kind], tokens) for tokens in lengths}
    return Measured(times, peaks)


def _timed(shape: Shape, runners: Mapping[str, Runner], lengths: Sequence[int]) -> dict[str, dict[int, float]]:
    """In turns, so that what disturbs disturbs all."""
    found: dict[str, dict[int, float]] = {kind: {} for kind in runners}
    for tokens in lengths:
        say(f"  timing {shape.name}, {tokens} tokens")
        for _ in range(_ROUNDS):
            for kind, run in runners.items():
                start = process_time()
                run({_TOKENS: _text(tokens)})
                took = (process_time() - start) * 1e3
                found[kind][tokens] = min(found[kind].get(tokens, took), took)
    return found


def _text(tokens: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    return np.random.default_rng(tokens).integers(0, _WORDS, (1, tokens))


def _peak(graph: Path, tokens: int) -> int:
    return int(
        subprocess.run([sys.executable, "-m", _PEAK, graph, str(tokens)], capture_output=True, check=True).stdout
    )


def _graph(folder: Path, shape: Shape, kind: str) -> Path:
    path = folder / f"{shape.name}-{kind}.onnx"
    if not path.exists():
        say(f"  making {shape.name} with {kind}")
        path.write_bytes(_made(shape, kind))
    return path


def _made(shape: Shape, kind: str) -> bytes:
    import torch
    from transformers import BertConfig, BertModel

    from unisono.compress.attention.step import LinearAttention
    from unisono.compress.attention.swapping import attentions_of, replacement
    from unisono.compress.modules.replacing import replace_layer
    from unisono.models.importers.huggingface_heads import Embedding
    from unisono.models.importers.huggingface_modules import without_masks
    from unisono.models.importers.torch_graph import Input, ask, frozen, graph_of, meaning_of, quiet

    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=_WORDS,
        hidden_size=shape.width,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        intermediate_size=shape.inner,
        max_position_embeddings=POSITIONS,
    )
    model: Any = BertModel(config)
    model._create_attention_masks = lambda **masks: (None, None)
    module = without_masks(frozen(Embedding(model)))
    if kind != SOFTMAX:
        step = LinearAttention(kind=kind)  # type: ignore[arg-type]  # one of KINDS
        for name, attention in attentions_of(module, step).items():
            replace_layer(module, name, replacement(attention, step, POSITIONS))
    examples = [torch.randint(0, _WORDS, (3, 9))]
    with quiet():
        meaning = meaning_of(module, ask(module, examples), None)
        return graph_of(module, [Input(_TOKENS, np.int64, (None,))], examples, meaning)
