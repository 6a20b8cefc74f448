from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from datetime import timedelta

import pytest

import unisono as un
from unisono.spec.ids import content_id
from unisono.spec.project import Definitions

Graphs = Mapping[str, bytes]

SCRIPT = """
import unisono as un
from unisono.spec.ids import content_id
columns = {"user": un.String, "n": un.Decimal(2), "x": un.Float64}
log = un.Source("log", columns, event_time="at", id="i", timezone="UTC")
flag = un.Transform("flag", inputs=("log",), graph=bytes(range(256)))
means = [un.count(), un.mean("flag")]
view = un.FeatureView("by_user", log, key="user", windows=["1h", "7d"], aggregations=means, derive=flag)
label = un.Label(log, "n", on="i", within="2d")
print(content_id(un.Predictor("p", request={"user": un.String, "b": un.Bool}, time="t", features=view, label=label)))
"""
# Regenerate only with a reason: stored states and artifacts carry these ids.
GOLDEN = "22848c14b781782e398f5141375b0998"


@pytest.mark.parametrize("seed", ["0", "1", "4294967295"])
def test_an_id_is_the_same_in_every_process(seed: str) -> None:
    environment = {**os.environ, "PYTHONHASHSEED": seed}
    run = subprocess.run([sys.executable, "-c", SCRIPT], env=environment, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == GOLDEN


def test_an_id_is_32_hexadecimal_digits(delay: un.Predictor, graphs: Graphs) -> None:
    assert len(content_id(delay, graphs)) == 32
    int(content_id(delay, graphs), 16)


def log(**changes: object) -> un.Source:
    given: dict[str, object] = {"schema": {"user": un.String, "n": un.Int64}, "event_time": "at", "id": "i"}
    return un.Source("log", **{**given, **changes})  # type: ignore[arg-type]


def test_the_order_of_a_schema_is_no_meaning() -> None:
    assert content_id(log()) == content_id(log(schema={"n": un.Int64, "user": un.String}))


@pytest.mark.parametrize(
    "other",
    [
        log(schema={"user": un.String}),
        log(schema={"user": un.String, "n": un.Decimal(0)}),
        log(schema={"user": un.String, "n": un.Decimal(1)}),
        log(event_time="t"),
        log(ingest_time="seen"),
        log(id=None),
        log(retraction="undo"),
        log(remember_ids="1d"),
        log(timezone="UTC"),
    ],
)
def test_whatever_changes_the_meaning_of_a_source_changes_its_id(other: un.Source) -> None:
    assert content_id(other) != content_id(log())


def view(**changes: object) -> un.FeatureView:
    given: dict[str, object] = {
        "key": ["user", "n"],
        "windows": ["1h", "1d"],
        "aggregations": [un.count(), un.sum("n")],
        "derive": [un.Transform("flag", inputs=("log",), graph=b"flag")],
    }
    return un.FeatureView("by_user", log(remember_ids="9d"), **{**given, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "other",
    [
        view(key=["n", "user"]),
        view(windows=["1d", "1h"]),
        view(windows=["1h", None]),
        view(windows=["1h", "24h"]),
        view(aggregations=[un.sum("n"), un.count()]),
        view(aggregations=[un.count("n"), un.sum("n")]),
        view(derive=[]),
        view(derive=[un.Transform("flag", inputs=("log",), graph=b"other")]),
    ],
)
def test_whatever_changes_a_views_answer_changes_its_id(other: un.FeatureView) -> None:
    assert content_id(other) != content_id(view())


def test_the_way_a_view_is_written_does_not_change_its_id() -> None:
    assert content_id(view(windows=[timedelta(hours=1), timedelta(days=1)])) == content_id(view())


def test_a_transform_is_its_graph() -> None:
    def flag(log):  # type: ignore[no-untyped-def]
        return {}

    assert content_id(view(derive=un.transform(flag)), {"flag": b"flag"}) == content_id(view())
    assert content_id(un.transform(flag), {"flag": b"1"}) != content_id(un.transform(flag), {"flag": b"2"})


def test_a_transform_without_a_graph_has_no_id(delay: un.Predictor) -> None:
    with pytest.raises(un.DefinitionError, match=r"transform lateness: .* trace it first"):
        content_id(delay)


@pytest.mark.parametrize(
    "change",
    [
        lambda p: {"name": "other"},
        lambda p: {"request": {**p.request, "x": un.Int64}},
        lambda p: {"time": "at"},
        lambda p: {"features": p.features[::-1]},
        lambda p: {"derive": []},
        lambda p: {"label": None},
        lambda p: {"label": un.Label(p.label.source, "late", on="flight_id", within="3d")},
    ],
)
def test_whatever_changes_a_predictor_changes_its_id(
    delay: un.Predictor, graphs: Graphs, change: Callable[[un.Predictor], dict[str, object]]
) -> None:
    fields = {name: getattr(delay, name) for name in ("name", "request", "time", "features", "derive", "label")}
    assert content_id(un.Predictor(**fields), graphs) == content_id(delay, graphs)
    assert content_id(un.Predictor(**{**fields, **change(delay)}), graphs) != content_id(delay, graphs)


def test_the_order_in_which_a_project_lists_things_is_no_meaning(
    by_carrier: un.FeatureView, by_route: un.FeatureView, graphs: Graphs
) -> None:
    one, two = Definitions(views=[by_carrier, by_route]), Definitions(views=[by_route, by_carrier])
    assert content_id(one, graphs) == content_id(two, graphs)


def test_only_parts_of_a_spec_have_ids() -> None:
    with pytest.raises(TypeError):
        content_id("by_user")  # type: ignore[arg-type]
