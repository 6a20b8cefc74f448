"""A project from its files to its predictions, by every route."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import unisono as un
from tests.drivers.logs import same_bits
from tests.drivers.projects import CONFIG, make_project, register
from unisono.drivers.parity import PLANTS
from unisono.drivers.project import Project


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    made = make_project(tmp_path_factory.mktemp("project"))
    register(made)
    return made


def test_the_training_frame_has_request_features_derived_columns_and_the_label_last(project: Project) -> None:
    frame = project.training_frame("risk")
    features = project.ready("risk").feature_names
    assert frame.columns == ["user", "shop", "asked_at", *features, "hour", "ratio", "dear"]
    assert frame.height == 200 and 0 < frame.get_column("dear").null_count() < 200


def test_the_label_is_the_last_surviving_truth_known_in_time(project: Project) -> None:
    frame = project.training_frame("risk")
    events = project.events("risk")["taps"].sort("known_at", maintain_order=True).with_row_index("sequence")
    for row in frame.iter_rows(named=True):
        until = row["asked_at"] + np.timedelta64(2, "h").item()
        known = events.filter((pl.col("user") == row["user"]) & (pl.col("known_at") <= until))
        counted: dict[tuple[object, ...], dict[str, Any] | None] = {}
        for event in known.iter_rows(named=True):
            identity = (event["tap"], event["at"])
            if event["undone"]:
                counted[identity] = None
            else:
                counted.setdefault(identity, event)
        left = sorted((one for one in counted.values() if one), key=lambda one: (one["at"], one["sequence"]))
        cents = left[-1]["cents"] if left else None
        assert row["dear"] == (None if cents is None else cents > 50)


def test_every_route_predicts_the_same(project: Project) -> None:
    table = project.predict("risk").sort("asked_at", maintain_order=True)
    project.stream("risk", batch=50)
    streamed = project.predictions("risk")
    outputs = [name for name in table.columns if name in ("prediction", "probability")]
    renamed = streamed.select(pl.col(f"prediction.{name}").alias(name) for name in outputs)
    assert same_bits(renamed, table.select(outputs))
    online = project.online("risk")
    later = pl.from_epoch(pl.Series([online.store.last.time + 60_000_000]), "us").dt.replace_time_zone("UTC")
    asked = table.tail(1).select("user", "shop").with_columns(asked_at=later)
    last = project.predict("risk", asked).to_dicts()[0]
    body = {"user": last["user"], "shop": last["shop"], "asked_at": last["asked_at"].isoformat()}
    answer = online.answer(json.dumps(body).encode())
    assert answer.prediction == {name: last[name] for name in outputs}
    online.store.close()


def test_parity_finds_no_differing_bit(project: Project) -> None:
    report = project.parity("risk")
    assert (report.requests, report.differing_bits, report.first) == (200, 0, None)


@pytest.mark.slow
@pytest.mark.parametrize("plant", [None, "swap-events:online"])
def test_online_parity_in_several_processes_is_the_same(
    project: Project, monkeypatch: pytest.MonkeyPatch, plant: str | None
) -> None:
    alone = project.parity("risk", plant=plant)
    monkeypatch.setattr("unisono.drivers.lockstep.WORTH_PROCESSES", 1)
    monkeypatch.setattr("os.sched_getaffinity", lambda process: range(3))
    together = project.parity("risk", plant=plant)
    assert (together.first, together.differing_bits) == (alone.first, alone.differing_bits)
    assert (together.first is None) == (plant is None)


@pytest.mark.parametrize("plant", [plant for plant in PLANTS if plant.startswith("change-weight")])
def test_a_changed_weight_is_found(project: Project, plant: str) -> None:
    report = project.parity("risk", plant=plant)
    assert report.first is not None and report.first.feature.startswith("prediction.")


def test_a_stream_that_has_seen_all_has_nothing_to_do(project: Project) -> None:
    project.stream("risk")
    before = project.predictions("risk")
    report = project.stream("risk")
    assert (report.requests, report.rows) == (0, 0)
    assert project.predictions("risk").equals(before)


def test_versions_can_be_named_and_have_a_history(project: Project) -> None:
    active = project.registry.active("risk")
    assert [change.version for change in project.registry.history("risk")][-1] == active.id
    assert project.predict("risk", version="champion").equals(project.predict("risk", version=active.id[:8]))
    assert project.predict("risk", version=active.id[:8]).height == 200
    with pytest.raises(un.StoreError, match='version "zzz" is not one version'):
        project.predict("risk", version="zzz")


def test_the_spec_in_an_artifact_is_the_definition(project: Project) -> None:
    from unisono.spec.ids import content_id
    from unisono.spec.serialize import from_json

    ready = project.ready("risk")
    spec = from_json(project.registry.read(project.registry.active("risk"), "spec.json"))
    assert content_id(spec) == content_id(ready.spec, ready.graphs)


def _write(project_path: Path, config: str = CONFIG, definitions: str | None = None) -> None:
    (project_path / "unisono.toml").write_text(config)
    if definitions is not None:
        (project_path / "definitions.py").write_text(definitions)


BAD: dict[str, tuple[Callable[[Path], None], type[un.UnisonoError], str]] = {
    "no folder": (lambda path: path.joinpath("unisono.toml").unlink(), un.StoreError, "there is no unisono.toml"),
    "no TOML": (lambda path: _write(path, "definitions ="), un.InputError, "unisono.toml: not TOML"),
    "an unknown field": (lambda path: _write(path, CONFIG + "\n[server]\n"), un.InputError, "unknown field `server`"),
    "a wrong port": (lambda path: _write(path, CONFIG + "\n[serve]\nport = 70000\n"), un.InputError, "$.serve.port"),
    "no definitions file": (lambda path: _write(path, 'definitions = "x.py"'), un.StoreError, "there is no such file"),
    "an unknown source": (
        lambda path: _write(path, CONFIG.replace("taps =", "tap =")),
        un.InputError,
        '[events] "tap" is not defined; allowed: taps; did you mean "taps"?',
    ),
    "a module that fails": (
        lambda path: _write(path, definitions="import unisono\n1 / 0\n"),
        un.DefinitionError,
        "definitions.py, line 2: ZeroDivisionError",
    ),
    "a module that cannot be parsed": (
        lambda path: _write(path, definitions="\n\nx = (\n"),
        un.DefinitionError,
        "definitions.py, line 3: SyntaxError",
    ),
    "a window of zero width": (
        lambda path: _write(path, definitions=(path / "definitions.py").read_text().replace('"1h"', '"0h"')),
        un.DefinitionError,
        'view by_user: windows[0]: "0h" is not longer than zero',
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_a_project_that_is_wrong_says_where(tmp_path: Path, name: str) -> None:
    make_project(tmp_path / "p", events=5, requests=3)
    spoil, kind, message = BAD[name]
    spoil(tmp_path / "p")
    with pytest.raises(kind) as caught:
        un.load(tmp_path / "p")
    assert message in str(caught.value)


def test_definitions_that_changed_within_a_second_are_read_again(tmp_path: Path) -> None:
    make_project(tmp_path / "p", events=5, requests=3)
    file = tmp_path / "p" / "definitions.py"
    before = file.stat()
    windows = un.load(tmp_path / "p").definitions.views["by_user"].windows
    file.write_text(file.read_text().replace('"1h"', '"2h"'))
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    changed = un.load(tmp_path / "p").definitions.views["by_user"].windows
    assert windows != changed


def test_what_is_missing_is_said_with_the_next_step(tmp_path: Path) -> None:
    project = make_project(tmp_path / "p", events=5, requests=3)
    with pytest.raises(un.StoreError, match="register one: `unisono register risk MODEL`"):
        project.predict("risk")
    with pytest.raises(un.StoreError, match="no predictor has a version"):
        project.serve()
    with pytest.raises(un.InputError, match='predictor "risc": there is none; allowed: risk; did you mean "risk"'):
        project.training_frame("risc")
    (tmp_path / "p" / "data" / "taps.parquet").unlink()
    with pytest.raises(un.StoreError, match=r"there is no file .*taps.parquet"):
        project.training_frame("risk")


def test_a_model_with_other_inputs_is_refused_and_no_version_is_made(tmp_path: Path) -> None:
    from lightgbm import LGBMClassifier

    project = make_project(tmp_path / "p")
    frame = project.training_frame("risk")
    model = LGBMClassifier(n_estimators=2, verbose=-1, n_jobs=1)
    model.fit(np.random.default_rng(0).random((50, 2)), np.arange(50) % 2 == 0, feature_name=["shop", "shoe_size"])
    with pytest.raises(un.ModelError, match="shoe_size"):
        project.register("risk", model, sample=frame)
    assert project.registry.predictors() == []


def test_files_that_grow_are_taken_in_and_files_that_shrink_are_refused(tmp_path: Path) -> None:
    project = make_project(tmp_path / "p")
    rows = project.ingest()
    assert rows == sum(frame.height for frame in (project.events("risk")["taps"], project.requests("risk")))
    assert project.ingest() == 0
    path = tmp_path / "p" / "data" / "taps.parquet"
    taps = pl.read_parquet(path)
    later = taps.head(7).with_columns(pl.col("at", "known_at") + pl.duration(days=9))
    pl.concat([taps, later]).write_parquet(path)
    assert project.ingest() == 7
    taps.write_parquet(path)
    with pytest.raises(
        un.StateError, match=r"topic source:taps, row \d+ by time: its file has no such row; allowed: files"
    ):
        project.ingest()
    for changed in (
        pl.concat([taps, later, taps.head(1)]),
        pl.concat([taps, later]).with_columns(pl.col("weight") + 1.0),
        pl.concat([taps[1:], later]),
    ):
        changed.write_parquet(path)
        with pytest.raises(un.StateError, match=r"topic source:taps, row \d+ by time: its file has another row"):
            project.ingest()


@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
def test_text_files_give_what_parquet_gives(tmp_path: Path, suffix: str) -> None:
    project = make_project(tmp_path / "p")
    frame = project.training_frame("risk")
    config = CONFIG
    for name in ("taps", "requests"):
        table = pl.read_parquet(tmp_path / "p" / "data" / f"{name}.parquet")
        times = pl.selectors.datetime().dt.strftime("%Y-%m-%dT%H:%M:%S%.6fZ")
        # JSON knows neither NaN nor infinity.
        table = table.with_columns(times, pl.selectors.float().replace([np.nan, np.inf, -np.inf], None))
        table.write_parquet(tmp_path / "p" / "data" / f"{name}.parquet")
        path = tmp_path / "p" / "data" / f"{name}.{suffix}"
        table.write_csv(path) if suffix == "csv" else table.write_ndjson(path)
        config = config.replace(f"{name}.parquet", f"{name}.{suffix}")
    (tmp_path / "p" / "unisono.toml").write_text(config)
    text = un.load(tmp_path / "p").training_frame("risk")
    same = [name for name in frame.columns if "weight" not in name]
    assert same_bits(text.select(same), frame.select(same))
