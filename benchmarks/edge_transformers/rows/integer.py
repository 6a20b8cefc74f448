"""Integer-only MiniLM-L6: how near its embeddings are to the floats', and a classifier beside int8 of other tools."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import polars as pl
from numpy.typing import NDArray
from onnx import ModelProto

from benchmarks.compress.bench import Bench
from benchmarks.compress.long_texts import graphs_of
from benchmarks.compress.peers.sentences import Run, Sentences
from benchmarks.compress.peers.tools import TOOLS
from benchmarks.compress.row import at_least, at_most
from benchmarks.edge_transformers import minilm
from benchmarks.edge_transformers.row import Row, Table
from benchmarks.harness import say
from benchmarks.serving.environments import UnavailableError
from unisono.compress.report.serving import Requests, Serving
from unisono.models import PredictorGraph
from unisono.models.integer.floats import float_operators
from unisono.models.integer.graph import GIVEN, integer_graph
from unisono.models.names import PREDICTION
from unisono.models.session import Runner

RECIPE: dict[str, Any] = {"name": "integer-only", "steps": [{"step": "integer"}], "runtime": "onnxruntime"}
_TEXTS = 1000  # of the test part, that classifiers are compared by
_LENGTHS, _TEXTS_OF_A_LENGTH = (4, 16, 64, 128), 30
_PEERS = ("onnxruntime, dynamic int8", "NNCF on OpenVINO, int8")


@dataclass(frozen=True, slots=True)
class _Said:
    """What a classifier says of the test sentences: the places of its classes, and its size."""

    places: NDArray[np.int64]
    size_bytes: int


def run(bench: Bench) -> Row:
    """The row."""
    asks = _cosines_of(bench)
    cosines = np.array([asks(ids) for ids in minilm.sentences(bench)])
    by_length = {tokens: [asks(ids) for ids in _texts_of(bench, tokens)] for tokens in _LENGTHS}
    floats = float_operators(onnx.load_model_from_string(integer_graph(minilm.integer_minilm(bench))))
    right, said = _classifiers(bench)
    before, ours = said["fp32"], said["integer-only"]
    peers = {name: _agreement(one, before) for name, one in said.items() if name in _PEERS}
    accuracy = {name: float((one.places == right).mean()) for name, one in said.items()}
    agreement = _agreement(ours, before)
    figures: dict[str, object] = {
        "sentences": len(cosines),
        "cosine_mean": float(cosines.mean()),
        "cosine_worst": float(cosines.min()),
        "cosine_by_tokens": {str(tokens): (float(np.mean(one)), min(one)) for tokens, one in by_length.items()},
        "float_operators": floats,
        "classified_sentences": len(right),
        "accuracy": accuracy,
        "agreement": agreement,
        "agreement_of_peers": peers,
        "size_bytes": {name: one.size_bytes for name, one in said.items()},
    }
    targets = [
        at_least("cosine to fp32, mean", float(cosines.mean()), 0.98),
        at_least("cosine to fp32, worst", float(cosines.min()), 0.95),
        at_most("float operators between ids and scores", len(floats), 0),
        at_most("points of accuracy below fp32", 100 * (accuracy["fp32"] - accuracy["integer-only"]), 1),
        *(at_least(f"agreement, as a share of that of {name}", agreement / one, 0.99) for name, one in peers.items()),
    ]
    rows = [
        (name, f"{one.size_bytes / 1e6:.1f}", f"{accuracy[name]:.4f}", f"{_agreement(one, before):.4f}")
        for name, one in said.items()
    ]
    return Row(
        row="integer",
        figures=figures,
        targets=tuple(targets),
        tables=(
            Table(head=("classifier", "MB", "right", "as fp32"), rows=rows),
            Table(
                head=("tokens of a text", "cosine to fp32, mean", "worst"),
                rows=[(str(size), f"{np.mean(one):.4f}", f"{min(one):.4f}") for size, one in by_length.items()],
            ),
        ),
        notes=(
            f"Embeddings of {len(cosines):,} sentences by MiniLM-L6 from its packaged weights: cosine to fp32 "
            f"{cosines.mean():.4f} in the mean, {cosines.min():.4f} at the worst. Classifiers are MiniLM, fine-tuned "
            f"on packaged sentences; they are judged by {len(right):,} of the test part. Sizes are of the networks.",
        ),
    )


def _agreement(one: _Said, before: _Said) -> float:
    return float((one.places == before.places).mean())


def _cosines_of(bench: Bench) -> Callable[[list[int]], float]:
    """What says how near the embedding of a text is to the floats'."""
    import torch

    runner, module = Runner(integer_graph(minilm.integer_minilm(bench))), minilm.module()
    say("  embeddings")

    def cosine(ids: list[int]) -> float:
        ours = runner({GIVEN: np.array([ids])})[0].astype(np.float64)
        with torch.inference_mode():
            theirs = module(torch.tensor([ids]))["embedding"].double().numpy()
        return float((ours * theirs).sum() / np.linalg.norm(ours) / np.linalg.norm(theirs))

    return cosine


def _texts_of(bench: Bench, tokens: int) -> list[list[int]]:
    """Sentences one after the other, cut to so many tokens."""
    found = []
    sentences = minilm.sentences(bench)
    for start in range(0, _TEXTS_OF_A_LENGTH * 30, 30):
        inner = [token for ids in sentences[start : start + 30] for token in ids[1:-1]]
        found.append([sentences[start][0], *inner[: tokens - 2], sentences[start][-1]])
    return found


def _classifiers(bench: Bench) -> tuple[NDArray[np.int64], dict[str, _Said]]:
    """What is right, and what each classifier says."""
    say("  carrying out the recipe")
    graphs = graphs_of(bench, RECIPE, bench.sentiment_teacher())
    _refuse_early_floats(onnx.load_model_from_string(graphs[1].onnx))
    work = Sentences.of(bench)
    rows = work.test.sample(_TEXTS, seed=0)
    ids = [one[np.newaxis] for one in work.tokenizer.column(rows["text"].to_list())]
    right = np.array([work.classes.index(one) for one in rows["sentiment"]])
    said = {
        name: _Said(_served(graph, rows, work.classes), len(graph.onnx))
        for name, graph in zip(("fp32", "integer-only"), graphs, strict=True)
    }
    for name, ask, size in _peers(work):
        said[name] = _Said(np.array([int(ask(one).argmax()) for one in ids]), size)
    return right, said


def _served(graph: PredictorGraph, rows: pl.DataFrame, classes: Sequence[str]) -> NDArray[np.int64]:
    serving = Serving(graph, "onnxruntime")
    requests = Requests([(text,) for text in rows["text"]], np.empty((rows.height, 0)))
    said = [serving.answer(requests.part(place, 1))[PREDICTION][0] for place in range(rows.height)]
    return np.array([classes.index(one) for one in said])


def _peers(work: Sentences) -> Iterator[tuple[str, Run, int]]:
    for name in _PEERS:
        say(f"  {name}")
        try:
            ask, files = TOOLS[name](work)
        except UnavailableError as error:
            say(f"  {name}: {error}")
            continue
        yield name, ask, sum(one.stat().st_size for one in files)


def _refuse_early_floats(model: ModelProto) -> None:
    """Raises SystemExit if a float comes before the scores, from which the first cast to floats is made."""
    floats = {line.partition(": ")[2].partition(" is ")[0] for line in float_operators(model)}
    makers: Mapping[str, Any] = {name: node for node in model.graph.node for name in node.output}
    scores = next(node.input[0] for node in model.graph.node if node.op_type == "Cast" and node.output[0] in floats)
    early = {name for name in _before(scores, makers) if name in floats}
    if early:
        raise SystemExit(f"floats before the scores: {', '.join(sorted(early))}")


def _before(name: str, makers: Mapping[str, Any]) -> set[str]:
    """A value and all that it is made of."""
    found, waiting = set(), [name]
    while waiting:
        one = waiting.pop()
        if one not in found:
            found.add(one)
            waiting += makers[one].input if one in makers else []
    return found
