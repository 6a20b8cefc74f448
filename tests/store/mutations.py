"""Sound artifacts, changed at random: as bytes, as zips, and inside, with a manifest that fits what is inside."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import replace
from functools import cache
from random import Random
from typing import Any

import msgspec
from onnx import ModelProto

from tests.models.graph_mutations import NUMBERS, mutated
from tests.store.artifact_files import files
from tests.store.hostile_artifacts import Part, parts, told, zipped
from unisono.store.artifacts import Artifact, make_artifact

_ODD: tuple[object, ...] = (
    *(*NUMBERS, 1.5, -0.0, None, True, "", "a" * 5000, "../x", "\0", "\u202e", "1e999"),
    *([], {}, [[]], {"format": 1}),
)


@cache
def bases() -> tuple[Artifact, ...]:
    """What is changed: an artifact of a multiplication, and one of a transform, encoders and trees."""
    return (
        make_artifact("risk", {**files(), "lineage.json": b'{"rows": 3}', "tokenizer/words.json": b'{"words": ["a"]}'}),
        make_artifact("delay", _trees()),
    )


def _trees() -> Mapping[str, bytes]:
    import polars as pl
    from sklearn.compose import make_column_transformer
    from sklearn.ensemble import GradientBoostingRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    from tests.models.samples import available, calendar, frame, graph_of, predictor
    from unisono.models import Session, choose_golden, import_model, trace
    from unisono.spec.serialize import to_json

    rows = frame(40).with_columns(pl.col("dist").fill_null(0.0), pl.col("carrier").fill_null("UA"))
    encoder = make_column_transformer((OneHotEncoder(), ["carrier"]), (StandardScaler(), ["dist"]))
    encoder.set_output(transform="default")
    model = make_pipeline(encoder, GradientBoostingRegressor(n_estimators=3, max_depth=3))
    model.fit(rows.select("carrier", "dist"), rows["dist"].to_numpy())
    graph = graph_of(import_model(model, inputs=available("hour")), calendar)
    golden = choose_golden(Session(graph.onnx), graph.features_of(rows), graph.encode(rows))
    traced = trace(calendar, {"request": predictor().columns})
    return {
        **files(),
        "spec.json": to_json(predictor(calendar), {traced.name: traced.graph}),
        "graph.onnx": graph.onnx,
        "golden.json": golden.to_bytes(),
    }


def mutant(chance: Random) -> bytes:
    """An artifact that is not what was made."""
    base = chance.choice(bases())
    return chance.choice(_KINDS)(base, chance)


def _flipped(data: bytes, chance: Random) -> bytes:
    changed = bytearray(data)
    for _ in range(chance.choice((1, 1, 2, 8))):
        changed[chance.randrange(len(changed))] = chance.randrange(256)
    return bytes(changed)


def _spliced(data: bytes, chance: Random) -> bytes:
    start, end, place = sorted(chance.randrange(len(data) + 1) for _ in range(3))
    if chance.random() < 0.3:
        return data[:start] + data[end:]
    return data[:place] + data[start:end] + data[place:]


def _bytes(base: Artifact, chance: Random) -> bytes:
    return chance.choice((_flipped, _spliced))(base.to_bytes(), chance)


def _zip(base: Artifact, chance: Random) -> bytes:
    every = parts(base)
    for _ in range(chance.randint(1, 2)):
        place = chance.randrange(len(every))
        every[place] = chance.choice(_LIES)(every[place], chance)
    if chance.random() < 0.1:
        every.append(chance.choice(every))
    return zipped(every)


_LIES: tuple[Callable[[Part, Random], Part], ...] = (
    lambda one, chance: replace(one, name=_flipped(one.name, chance)),
    lambda one, chance: replace(one, content=_spliced(one.content, chance)),
    lambda one, chance: replace(one, mode=chance.randrange(1 << 32)),
    lambda one, chance: replace(one, flags=1 << chance.randrange(16)),
    lambda one, chance: replace(one, method=chance.choice((8, 9, 12, 14, 93, 99))),
    lambda one, chance: replace(one, told=(chance.randrange(1 << 32), chance.randrange(1 << 32))),
    lambda one, chance: replace(one, place=chance.randrange(1 << chance.randint(1, 32))),
    lambda one, chance: replace(one, extra=chance.randbytes(8)),
    lambda one, chance: replace(one, local={"told": (0, chance.randrange(9))}),
)


def _with(base: Artifact, name: str, content: bytes) -> bytes:
    return told(base.predictor, {**base.files, name: content})


def _graph(base: Artifact, chance: Random) -> bytes:
    graph = base.files["graph.onnx"]
    return _with(base, "graph.onnx", mutated(ModelProto.FromString(graph), chance).SerializeToString())


def _graph_bytes(base: Artifact, chance: Random) -> bytes:
    change = chance.choice((_flipped, _spliced))
    return _with(base, "graph.onnx", change(base.files["graph.onnx"], chance))


def _json(base: Artifact, chance: Random) -> bytes:
    name = chance.choice([name for name in base.files if name.endswith(".json")])
    document = msgspec.json.decode(base.files[name])
    for _ in range(chance.randint(1, 3)):
        _change_within(document, chance)
    return _with(base, name, msgspec.json.encode(document))


def _json_bytes(base: Artifact, chance: Random) -> bytes:
    name = chance.choice([name for name in base.files if name.endswith(".json")])
    return _with(base, name, chance.choice((_flipped, _spliced))(base.files[name], chance))


def _change_within(document: Any, chance: Random) -> None:
    """Goes down at random, and changes, adds or takes out what it comes to."""
    keys = list(document) if isinstance(document, dict) else list(range(len(document)))
    if not keys:
        return
    key = chance.choice(keys)
    if isinstance(document[key], dict | list) and document[key] and chance.random() < 0.85:
        _change_within(document[key], chance)
    elif chance.random() < 0.2:
        del document[key]
    elif isinstance(document, list) and chance.random() < 0.3:
        document.insert(key, deepcopy(document[key]))
    else:
        document[key] = deepcopy(chance.choice(_ODD))  # or the next change would be made inside it


_KINDS: tuple[Callable[[Artifact, Random], bytes], ...] = (
    *(_bytes, _zip, _graph, _graph, _graph_bytes, _json, _json, _json_bytes),
)
