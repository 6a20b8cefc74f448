"""A prepared version answers with the registered one's bits; what is torn, changed or wrong never answers."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from msgspec import json as msgspec_json
from sklearn.linear_model import LinearRegression

import unisono as un
from tests.models import texts
from tests.models.samples import plain_rows
from tests.serving.prepared.flats import fit, register, sample
from unisono.drivers.online.plan import OnlinePlan, plan_of
from unisono.drivers.project import Project
from unisono.drivers.serving.prepared import PreparedVersion, load, prepare, remove_others
from unisono.drivers.serving.prepared.folders import hash_of
from unisono.drivers.serving.wire.datatypes import NUMBERS
from unisono.kernel.walking import TreesError
from unisono.models.engines.trees import Trees
from unisono.models.session import Run, same_bits
from unisono.models.verifying.classes import NumericClass
from unisono.spec.active import Version
from unisono.spec.errors import InputError, ModelError, StateError, StoreError

HEAVY = ("ndonnx", "onnx", "pandas", "polars", "pyarrow", "spox", "sqlalchemy")


class Unreachable:
    """A registry that must not be asked."""


NOBODY: Any = Unreachable()


def answers(scorer: Any, plan: OnlinePlan, *, size: int = 0) -> list[Any]:
    """What it says of the sample, in batches of one size."""
    rows = plain_rows(sample(), plan.columns)
    features = sample().select(plan.features).fill_null(float("nan")).to_numpy().astype(np.float64)
    step = size or len(rows)
    parts = [
        scorer.score_rows(rows[start : start + step], features[start : start + step])
        for start in range(0, len(rows), step)
    ]
    return [np.concatenate([part[name] for part in parts]) for name in parts[0]]


@pytest.mark.parametrize("engine", [None, "onnxruntime", "trees"])
def test_it_answers_with_the_bits_of_the_registered_graph(
    engine: str | None, project: Project, plan: OnlinePlan, champion: Version, tmp_path: Path
) -> None:
    made = prepare(project.registry, champion, plan, tmp_path, engine=engine)
    scorer = load(made.path, plan)
    features = sample().select(plan.features).fill_null(float("nan")).to_numpy()
    wanted = [*project.scorer("rent").score(sample(), features).values()]
    assert same_bits(answers(scorer, plan), wanted)
    assert same_bits(answers(scorer, plan, size=1), wanted)
    assert (made.version, scorer.version.id, scorer.engine) == (champion.id, champion.id, engine or "trees")
    assert made.numeric_class == scorer.numeric_class == "exact"


def test_what_is_there_is_left_as_it_is(prepared: PreparedVersion, plan: OnlinePlan, champion: Version) -> None:
    before = {one: one.stat().st_mtime_ns for one in prepared.path.iterdir()}
    assert prepare(NOBODY, champion, plan, prepared.path.parent) == prepared
    assert {one: one.stat().st_mtime_ns for one in prepared.path.iterdir()} == before


def test_another_engine_is_prepared_anew(
    prepared: PreparedVersion, project: Project, plan: OnlinePlan, champion: Version
) -> None:
    other = prepare(project.registry, champion, plan, prepared.path.parent, engine="onnxruntime")
    assert (other.path, load(other.path, plan).engine) == (prepared.path, "onnxruntime")
    assert [one.name for one in prepared.path.parent.iterdir()] == [champion.id]


def test_only_its_owner_may_look(prepared: PreparedVersion) -> None:
    assert prepared.path.stat().st_mode & 0o777 == prepared.path.parent.stat().st_mode & 0o777 == 0o700
    assert {one.stat().st_mode & 0o777 for one in prepared.path.iterdir()} == {0o600}


def test_trees_leave_the_whole_graph_out(prepared: PreparedVersion) -> None:
    assert sorted(one.name for one in prepared.path.iterdir()) == ["engine.bin", "golden.json", "serving.json"]


# Broken folders


def _torn(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def _changed(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


DAMAGED: Mapping[str, tuple[Callable[[Path], None], str]] = {
    "torn trees": (_torn, "engine.bin"),
    "torn golden rows": (_torn, "golden.json"),
    "torn document": (_torn, "serving.json"),
    "changed trees": (_changed, "engine.bin"),
    "changed golden rows": (_changed, "golden.json"),
    "no trees": (Path.unlink, "engine.bin"),
    "no document": (Path.unlink, "serving.json"),
}


@pytest.mark.parametrize(("damage", "name"), DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_folder_is_refused_and_prepared_anew(
    damage: Callable[[Path], None], name: str, prepared: PreparedVersion, project: Project, plan: OnlinePlan
) -> None:
    damage(prepared.path / name)
    with pytest.raises(StateError, match=rf"{prepared.version}/{name}: .*; allowed: .*; prepare the version again"):
        load(prepared.path, plan)
    prepare(project.registry, project.registry.active("rent"), plan, prepared.path.parent)
    assert load(prepared.path, plan).version.id == prepared.version


def _edited(folder: Path, name: str, change: Callable[[Any], None]) -> None:
    """A file whose hash is right, with something else in it."""
    document = json.loads((folder / name).read_bytes())
    change(document)
    content = json.dumps(document).encode()
    (folder / name).write_bytes(content)
    if name != "serving.json":
        _edited(folder, "serving.json", lambda told: told["files"].update({name: hash_of(content)}))


def test_other_answers_than_the_golden_ones_are_refused(prepared: PreparedVersion, plan: OnlinePlan) -> None:
    def change(golden: Any) -> None:
        (output,) = golden["outputs"]
        output["values"][3] = float.hex(np.nextafter(float.fromhex(output["values"][3]), 0.0))

    _edited(prepared.path, "golden.json", change)
    with pytest.raises(ModelError, match="golden rows: row 3, prediction: this machine says"):
        load(prepared.path, plan)


def test_golden_rows_of_another_graph_are_refused(prepared: PreparedVersion, plan: OnlinePlan) -> None:
    _edited(prepared.path, "golden.json", lambda golden: golden["inputs"].pop())
    with pytest.raises(ModelError, match="golden rows: of another graph; allowed: those made with it"):
        load(prepared.path, plan)


@pytest.mark.parametrize(("field", "value"), [("format", 1), ("made_by", "0.0.1")])
def test_a_folder_of_another_unisono_is_refused(
    field: str, value: object, prepared: PreparedVersion, plan: OnlinePlan
) -> None:
    _edited(prepared.path, "serving.json", lambda told: told.update({field: value}))
    with pytest.raises(StateError, match=r"of format .*, made by unisono .*; allowed: a folder as unisono"):
        load(prepared.path, plan)


def test_trees_that_are_none_are_refused(prepared: PreparedVersion, plan: OnlinePlan) -> None:
    (prepared.path / "engine.bin").write_bytes(b"none")
    _edited(prepared.path, "serving.json", lambda told: told["files"].update({"engine.bin": hash_of(b"none")}))
    with pytest.raises(ModelError, match=r"trees: .*; allowed: what this engine wrote; prepare"):
        load(prepared.path, plan)


# Which engine runs it


@pytest.fixture
def linear(project: Project) -> Version:
    return register(project, fit(LinearRegression(), ["by_user__count_1h"]))


def test_a_graph_without_trees_is_left_to_onnxruntime(
    project: Project, plan: OnlinePlan, linear: Version, tmp_path: Path
) -> None:
    made = prepare(project.registry, linear, plan, tmp_path)
    assert (made.engine, load(made.path, plan).engine) == ("onnxruntime", "onnxruntime")
    assert sorted(one.name for one in made.path.iterdir()) == ["golden.json", "graph.onnx", "serving.json"]


@pytest.mark.parametrize(
    ("engine", "error", "message"),
    [
        ("trees", ModelError, 'engine "trees": cannot run this graph: it has no TreeEnsemble'),
        ("treez", InputError, 'engine "treez": there is none; allowed: onnxruntime, trees'),
    ],
)
def test_an_engine_that_cannot_is_refused_and_leaves_nothing(
    engine: str,
    error: type[Exception],
    message: str,
    project: Project,
    plan: OnlinePlan,
    linear: Version,
    tmp_path: Path,
) -> None:
    with pytest.raises(error, match=message):
        prepare(project.registry, linear, plan, tmp_path, engine=engine)
    assert not list(tmp_path.iterdir())


def test_an_engine_with_other_bits_is_left_for_onnxruntime(
    project: Project, plan: OnlinePlan, champion: Version, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    restore = Trees.restore

    def wrong(self: Trees, content: bytes, reference: Any) -> Any:
        run = restore(self, content, reference)
        return lambda feeds: [np.nextafter(one, np.inf) for one in run(feeds)]

    monkeypatch.setattr(Trees, "restore", wrong)
    made = prepare(project.registry, champion, plan, tmp_path)
    assert (made.engine, load(made.path, plan).engine) == ("onnxruntime", "onnxruntime")
    with pytest.raises(ModelError, match="golden rows: row"):
        prepare(project.registry, champion, plan, tmp_path / "asked", engine="trees")


def test_trees_that_the_kernel_does_not_take_are_left_to_onnxruntime(
    project: Project, plan: OnlinePlan, champion: Version, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(trees: object) -> None:
        raise TreesError("they are too many")

    monkeypatch.setattr("unisono.models.engines.trees.Forest", refuse)
    assert prepare(project.registry, champion, plan, tmp_path).engine == "onnxruntime"
    with pytest.raises(ModelError, match='engine "trees": cannot run this graph: they are too many'):
        prepare(project.registry, champion, plan, tmp_path, engine="trees")


class Plain:
    """An engine of somebody else, which prepares nothing."""

    numeric_class: NumericClass = "bounded"

    def open(self, graph: bytes, reference: Run) -> Run:
        return reference


def test_an_engine_that_prepares_nothing_opens_the_graph(
    project: Project, plan: OnlinePlan, champion: Version, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("unisono.models.engines.engines", lambda: {"plain": Plain()})
    made = prepare(project.registry, champion, plan, tmp_path, engine="plain")
    assert (made.engine, made.numeric_class, load(made.path, plan).engine) == ("plain", "bounded", "plain")
    assert (made.path / "graph.onnx").is_file()


def test_a_predictor_that_has_changed_since_is_refused(
    project: Project, plan: OnlinePlan, champion: Version, tmp_path: Path
) -> None:
    fewer = OnlinePlan(
        plan.name, {name: one for name, one in plan.columns.items() if name != "rooms"}, plan.time, plan.features, ()
    )
    with pytest.raises(ModelError, match='the graph reads "rooms" as Int64, and the predictor has no such column'):
        prepare(project.registry, champion, fewer, tmp_path)
    without = OnlinePlan(plan.name, plan.columns, plan.time, (), ())
    with pytest.raises(ModelError, match="the graph wants feature by_user__"):
        prepare(project.registry, champion, without, tmp_path)


def test_a_disk_that_takes_nothing_is_said(
    project: Project, plan: OnlinePlan, champion: Version, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="could not be written"):
        prepare(project.registry, champion, plan, tmp_path / "file" / "prepared")


@pytest.mark.slow
def test_a_graph_that_reads_text_has_its_tokenizer(tmp_path: Path) -> None:
    (tmp_path / "unisono.toml").write_text('definitions = "definitions.py"')
    (tmp_path / "definitions.py").write_text("""
import unisono as un

mood = un.Predictor("mood", request={"text": un.String, "stars": un.Int64}, time="asked_at", features=())
""")
    project = un.load(tmp_path)
    rows = texts.ROWS.with_columns(stars=pl.lit(3), asked_at=pl.datetime(2026, 1, 1, time_zone="UTC"))
    version = project.register("mood", (texts.model(id2label={0: "bad", 1: "good"}), texts.tokenizer()), sample=rows)
    plan = plan_of(project.ready("mood"))
    made = prepare(project.registry, version.version, plan, tmp_path / "prepared")
    scorer = load(made.path, plan)
    says = scorer.score_rows(plain_rows(rows, plan.columns), np.empty((rows.height, 0)))
    wanted = project.scorer("mood").score(rows, np.empty((rows.height, 0)))
    assert same_bits([*says.values()], [*wanted.values()])
    assert (made.path / "tokenizer" / "text.json").is_file()


# In memory


def test_it_knows_its_size_and_its_pace(prepared: PreparedVersion, plan: OnlinePlan) -> None:
    scorer = load(prepared.path, plan)
    files = sum(one.stat().st_size for one in prepared.path.iterdir() if one.name != "serving.json")
    assert scorer.size_bytes >= files
    assert [rows for rows, _ in scorer.timings] == [1, 2, 4, 8, 16, 32, 64]
    assert scorer.timings[0][1] > 0


def test_it_knows_what_its_outputs_look_like(prepared: PreparedVersion, plan: OnlinePlan) -> None:
    scorer = load(prepared.path, plan)
    given = [(values.ndim, values.dtype) for values in answers(scorer, plan)]
    assert [(len(one.shape), NUMBERS[one.datatype]) for one in scorer.outputs] == given


def test_versions_that_nobody_wants_are_deleted(prepared: PreparedVersion) -> None:
    folder = prepared.path.parent
    shutil.copytree(prepared.path, folder / ("f" * 32))
    remove_others(folder, {prepared.version})
    assert [one.name for one in folder.iterdir()] == [prepared.version]
    remove_others(folder / "nowhere", ())


_WORKER = """
import sys
from pathlib import Path
import unisono.drivers.online.predictor, unisono.drivers.serving.lanes
from unisono.drivers.online.plan import OnlinePlan, plan_of
from unisono.drivers.serving.prepared import load
from unisono.spec.types import parse_dtype
import msgspec

told = msgspec.json.decode(sys.argv[2])
columns = {name: parse_dtype(text) for name, text in told["columns"].items()}
plan = OnlinePlan(told["name"], columns, told["time"], tuple(told["features"]), ())
scorer = load(Path(sys.argv[1]), plan)
print(scorer.engine, *sorted(set(sys.modules) & set(told["heavy"])))
"""


@pytest.mark.parametrize("engine", ["onnxruntime", "trees"])
def test_a_worker_stays_small(
    engine: str, project: Project, plan: OnlinePlan, champion: Version, tmp_path: Path
) -> None:
    made = prepare(project.registry, champion, plan, tmp_path, engine=engine)
    told: Mapping[str, object] = {
        "name": plan.name,
        "columns": {name: str(one) for name, one in plan.columns.items()},
        "time": plan.time,
        "features": plan.features,
        "heavy": HEAVY,
    }
    command = [sys.executable, "-c", _WORKER, str(made.path), msgspec_json.encode(told).decode()]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PYTHONWARNINGS": "error"})
    assert (done.stdout, done.stderr) == (f"{engine}\n", "")
