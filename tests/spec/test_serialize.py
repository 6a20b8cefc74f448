from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import unisono as un
from unisono.spec import serialize
from unisono.spec.ids import content_id
from unisono.spec.project import Definitions
from unisono.spec.serialize import from_json, to_json

Graphs = Mapping[str, bytes]
Change = Callable[[dict[str, Any]], object]


def test_a_predictor_comes_back_with_the_same_id(delay: un.Predictor, graphs: Graphs) -> None:
    loaded = from_json(to_json(delay, graphs))
    assert isinstance(loaded, un.Predictor)
    assert content_id(loaded) == content_id(delay, graphs)
    assert loaded.feature_names == delay.feature_names
    assert list(loaded.columns.items()) == list(delay.columns.items())


def test_a_project_comes_back_with_the_same_id(delay: un.Predictor, graphs: Graphs) -> None:
    whole = Definitions(predictors=[delay])
    loaded = from_json(to_json(whole, graphs))
    assert isinstance(loaded, Definitions)
    assert content_id(loaded) == content_id(whole, graphs)


def test_what_was_loaded_holds_graphs_and_no_functions(delay: un.Predictor, graphs: Graphs) -> None:
    loaded = from_json(to_json(delay, graphs))
    assert isinstance(loaded, un.Predictor)
    assert {name: transform.graph for name, transform in loaded.transforms.items()} == graphs
    assert all(transform.function is None for transform in loaded.transforms.values())
    assert to_json(loaded) == to_json(delay, graphs)


def test_sources_that_use_every_field_come_back_equal() -> None:
    source = un.Source(
        "log",
        {"a": un.Int64, "i": un.Int64, "b": un.Decimal(18)},
        event_time="at",
        ingest_time="seen",
        id="i",
        retraction="undo",
        remember_ids="90m",
        timezone="UTC",
    )
    view = un.FeatureView("v", source, key=["a", "i"], aggregations=[un.count(), un.range("b")], windows=["24h", None])
    whole = Definitions(views=[view])
    assert from_json(to_json(whole)) == whole


def test_the_format_is_written_first(delay: un.Predictor, graphs: Graphs) -> None:
    assert to_json(delay, graphs).startswith(b'{"format":1,"kind":"predictor",')


def test_a_transform_without_a_graph_cannot_be_written(delay: un.Predictor) -> None:
    with pytest.raises(un.DefinitionError, match=r"transform lateness: .* trace it first"):
        to_json(delay)


def changed(data: bytes, change: Change) -> bytes:
    document = json.loads(data)
    change(document)
    return json.dumps(document).encode()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.update(extra=1), "unknown field `extra`"),
        (lambda d: d["views"][0].update(code="import os"), r"unknown field `code` - at `\$.views\[0\]`"),
        (lambda d: d["predictors"][0]["label"].update(x=1), "unknown field `x`"),
        (lambda d: d.pop("views"), "missing required field `views`"),
        (lambda d: d.update(format=2), "format: 2; allowed: 1; read it with the unisono that wrote it"),
        (lambda d: d.pop("format"), "missing required field `format`"),
        (lambda d: d.update(kind="model"), "Invalid enum value 'model'"),
        (lambda d: d["sources"][0].update(event_time=3), "Expected `str`, got `int`"),
        (lambda d: d["sources"][0].update(name="a" * 101), "length <= 100"),
        (lambda d: d["transforms"][0].update(graph="***"), "Invalid base64"),
        (lambda d: d["views"][0].update(source="departures"), '"departures" is not in the document; allowed: arrivals'),
        (lambda d: d["views"][0].update(derive=["latenes"]), 'did you mean "lateness"'),
        (lambda d: d["predictors"][0].update(features=["x"]), "predictor delay: features: "),
        (lambda d: d["predictors"][0]["label"].update(source="x"), "predictor delay: label: source: "),
        (lambda d: d["sources"].append(d["sources"][0]), "spec JSON: source arrivals: comes twice"),
        (lambda d: d["sources"][0]["schema"].update(carrier="Text"), '"Text" is not a dtype'),
        (lambda d: d["views"][0].update(windows=["0h"]), r'windows\[0\]: "0h" is not longer than zero'),
        (lambda d: d["views"][0].update(aggregations=[{"kind": "median", "column": "x"}]), '"median" is unknown'),
        (lambda d: d["predictors"].clear(), "0 of them; allowed: one, as its kind is predictor"),
        (lambda d: d["views"][0].update(windows=["1h"] * 10_001), "length <= 10000"),
    ],
)
def test_a_document_that_is_not_sound_is_refused_with_its_place(
    delay: un.Predictor, graphs: Graphs, change: Change, message: str
) -> None:
    with pytest.raises(un.DefinitionError, match=message):
        from_json(changed(to_json(delay, graphs), change))


def test_the_faults_of_all_objects_of_a_kind_are_shown_together(delay: un.Predictor, graphs: Graphs) -> None:
    def break_both(document: dict[str, Any]) -> None:
        document["views"][0]["windows"] = ["0h"]
        document["views"][1]["key"] = ["orgin"]

    with pytest.raises(un.DefinitionError) as error:
        from_json(changed(to_json(delay, graphs), break_both))
    assert [line.split(": ")[0] for line in error.value.problems] == ["view by_carrier", "view by_route"]


@pytest.mark.parametrize(
    "data", [b"", b"null", b"[]", b"{", b"\xff\xfe", b"[" * 100_000, b'{"x":' + b"[" * 100_000, b'{"format":"1"}']
)
def test_what_is_no_document_is_refused(data: bytes) -> None:
    with pytest.raises(un.DefinitionError, match="spec JSON: "):
        from_json(data)


def test_a_document_is_judged_by_its_size_before_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serialize, "MAX_BYTES", 10)
    with pytest.raises(un.DefinitionError, match="spec JSON: 11 bytes; allowed: at most 10"):
        from_json(b" " * 11)


def test_what_could_not_be_read_again_is_not_written() -> None:
    large = un.Transform("large", inputs=("request",), graph=bytes(16 * 2**20 + 1))
    predictor = un.Predictor("p", request={"x": un.Int64}, time="t", features=[], derive=large)
    with pytest.raises(un.DefinitionError, match="length <= 16777216"):
        to_json(predictor)


@given(st.data())
def test_a_document_with_a_byte_changed_is_read_or_refused_and_nothing_else(data: st.DataObject) -> None:
    sound = bytearray(DOCUMENT)
    for _ in range(data.draw(st.integers(1, 3))):
        sound[data.draw(st.integers(0, len(sound) - 1))] = data.draw(st.integers(0, 255))
    try:
        from_json(bytes(sound))
    except un.DefinitionError as error:
        assert all("; allowed: " in line for line in error.problems)


@given(st.integers(0, 10**6))
def test_a_truncated_document_is_refused(length: int) -> None:
    with pytest.raises(un.DefinitionError):
        from_json(DOCUMENT[: length % len(DOCUMENT)])


def _document() -> bytes:
    source = un.Source("log", {"user": un.String, "n": un.Int64}, event_time="at", id="i", remember_ids="1d")
    flag = un.Transform("flag", inputs=("log",), graph=b"graph")
    view = un.FeatureView("v", source, key="user", aggregations=[un.count(), un.sum("flag")], derive=flag)
    label = un.Label(source, "n", on="i", within="2d")
    return to_json(un.Predictor("p", request={"user": un.String}, time="t", features=view, label=label))


DOCUMENT = _document()
