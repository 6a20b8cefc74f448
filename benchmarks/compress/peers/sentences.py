"""What peers are given: the network of the fine-tuned model as an ONNX file, and sentences as token ids.

They get the network without the labels around it, since OpenVINO has no texts. Their answers are judged on the same
rows as ours, and their time has the tokenizer's in it, as ours has.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from benchmarks.compress.bench import SETTINGS, Bench
from benchmarks.compress.row import Figures
from unisono.compress.report.statistics.proportions import share
from unisono.models import build_graph, import_model
from unisono.models.engines.cutting import cut_network
from unisono.models.engines.networks import NetworkParts
from unisono.models.session import Runner
from unisono.models.tokens import Tokenizer

CALIBRATION_ROWS = 256
_TIMED_ROWS = 200
_WARM_UP = 20

Run = Callable[[NDArray[np.int64]], NDArray[Any]]
"""Token ids, 1 x length -> scores, 1 x classes."""


@dataclass(frozen=True)
class Sentences:
    """The work of the peers.

    folder:     for their models.
    parts:      of the fine-tuned model's graph.
    tokenizer:  of the model.
    classes:    in the order of the scores.
    parameters: of the model.
    train, test: rows.
    """

    folder: Path
    parts: NetworkParts
    tokenizer: Tokenizer
    classes: tuple[str, ...]
    parameters: int
    train: pl.DataFrame
    test: pl.DataFrame

    @classmethod
    def of(cls, bench: Bench) -> Sentences:
        """Of the fine-tuned MiniLM."""
        model, tokenizer = bench.sentiment_teacher()
        ready = bench.project("sentiment").ready("sentiment")
        imported = import_model((model, tokenizer), inputs=ready.inputs)
        graph = build_graph(ready.spec, [], imported, [])
        frame = bench.data("sentiment")
        folder = bench.folder / "peers"
        folder.mkdir(exist_ok=True)
        made = cls(
            folder=folder,
            parts=cut_network(graph.onnx),
            tokenizer=graph.tokenizers["text"],
            classes=tuple(imported.classes),
            parameters=sum(one.numel() for one in model.parameters()),
            train=frame.filter(pl.col("part") == "train"),
            test=frame.filter(pl.col("part") == "test"),
        )
        made.network.write_bytes(made.parts.network)
        return made

    @property
    def network(self) -> Path:
        """The file with the network."""
        return self.folder / "network.onnx"

    @cached_property
    def calibration(self) -> list[NDArray[np.int64]]:
        """Token ids of some rows of the training part, 1 x length each."""
        return self._ids(self.train.sample(CALIBRATION_ROWS, seed=0)["text"])

    @cached_property
    def _asked(self) -> list[NDArray[np.int64]]:
        return self._ids(self.test["text"])

    def _ids(self, texts: pl.Series) -> list[NDArray[np.int64]]:
        return [one[np.newaxis] for one in self.tokenizer.column(texts.to_list())]

    def reference(self) -> Run:
        """The network as it is, by onnxruntime."""
        runner = Runner(self.parts.network)
        (name,) = self.parts.reads
        return lambda ids: runner({name: ids})[0]

    def right(self, run: Run) -> NDArray[np.bool_]:
        """Which test rows it has right."""
        said = [self.classes[int(run(ids).argmax())] for ids in self._asked]
        right: NDArray[np.bool_] = (pl.Series(said) == self.test["sentiment"]).to_numpy()
        return right

    def figures(self, run: Run, files: Sequence[Path], original: NDArray[np.bool_], slice_rows: int) -> Figures:
        """Of a peer's model.

        files:      it is kept in.
        original:   which test rows the original has right.
        slice_rows: that a slice needs.
        """
        right = self.right(run)
        found = share(int(right.sum()), len(right))
        return Figures(
            accuracy=found.value,
            accuracy_low=found.low,
            accuracy_high=found.high,
            size_bytes=sum(one.stat().st_size for one in files) + len(self.tokenizer.content),
            parameters=self.parameters,
            latency_ms=self._latency_ms(run),
            worst_slice_change=self._worst_change(right, original, slice_rows),
        )

    def _latency_ms(self, run: Run) -> float:
        """The median processor time of one row at a time, tokenizer and all; the rows are from short to long."""
        ordered = self.test.sort(pl.col("text").str.len_chars())["text"]
        texts = ordered[np.linspace(0, len(ordered) - 1, _TIMED_ROWS).astype(int).tolist()].to_list()
        times = []
        for text in [*texts[:_WARM_UP], *texts]:
            began_s = process_time()
            run(self.tokenizer.column([text])[0][np.newaxis])
            times.append(process_time() - began_s)
        return 1e3 * float(np.median(times[_WARM_UP:]))

    def _worst_change(self, right: NDArray[np.bool_], original: NDArray[np.bool_], slice_rows: int) -> float:
        """Points, in the slice that lost most among those with rows enough."""
        change = 100.0 * (right.astype(float) - original)
        return min(
            float(change[rows].mean())
            for column in (*SETTINGS["sentiment"]["slices"], "sentiment")
            for value in self.test[column].unique().to_list()
            if (rows := (self.test[column] == value).to_numpy()).sum() >= slice_rows
        )
