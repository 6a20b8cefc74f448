"""`unisono compress` as its users see it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import unisono as un
from tests.cli.shell import Run, unisono
from tests.compress.conftest import number_rows
from unisono.cli.compress import FIELDS
from unisono.compress.report.document import read_report
from unisono.drivers.project import Project

DEFINITIONS = """
import unisono as un

numbers = un.Predictor("numbers", request=dict.fromkeys("abcd", un.Float64), time="asked_at", features=())
"""
TRAIN = """
import pathlib

from lightgbm import LGBMClassifier

def fit(frame):
    pathlib.Path("seen.txt").write_text(str(frame.height))
    table = frame.select("a", "b", "c", "d").to_pandas()
    return LGBMClassifier(n_estimators=150, num_leaves=15, verbose=-1, n_jobs=1).fit(table, frame["label"].to_numpy())
"""
RECIPE = """
[[steps]]
step = "distil"
student = "tree"
temperature = 1.0
teacher_share = 0.5
leaves = 8

[data]
label = "label"
slices = ["side"]

[budget]
size_bytes = {size_bytes}
"""
ARGUMENTS = ("compress", "numbers", "train.py:fit", "--recipe", "small.toml", "--data", "rows.parquet")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    folder = tmp_path_factory.mktemp("compress")
    (folder / "unisono.toml").write_text('definitions = "definitions.py"\n')
    (folder / "definitions.py").write_text(DEFINITIONS)
    (folder / "train.py").write_text(TRAIN)
    (folder / "small.toml").write_text(RECIPE.format(size_bytes=100_000))
    (folder / "tiny.toml").write_text(RECIPE.format(size_bytes=100))
    number_rows().write_parquet(folder / "rows.parquet")
    return un.load(folder)


@pytest.fixture(scope="module")
def compressed(project: Project) -> Run:
    return unisono(*ARGUMENTS, "--json", folder=project.root)


@pytest.mark.slow
def test_a_recipe_makes_a_challenger_with_its_report_inside(project: Project, compressed: Run) -> None:
    assert compressed.exit_code == 0, compressed.err
    told = json.loads(compressed.out)
    assert list(told) == list(FIELDS)
    challenger = project.registry.aliased("numbers", "challenger")
    assert challenger.id == told["version"]
    kept = read_report(project.registry.read(challenger, "compression.json"))
    assert kept.result.size_bytes < kept.original.size_bytes / 2
    assert [one.column for one in kept.slices].count("side") == 2
    assert told["report"]["rows"] == kept.rows
    assert "<html" in Path(told["page"]).read_text()


@pytest.mark.slow
def test_the_model_is_not_shown_the_rows_that_judge_it(project: Project, compressed: Run) -> None:
    seen = int((project.root / "seen.txt").read_text())
    assert seen + json.loads(compressed.out)["report"]["rows"] == number_rows().height


@pytest.mark.slow
def test_what_is_over_its_budget_is_refused_with_the_reason_and_its_report(project: Project, compressed: Run) -> None:
    before = len(project.registry.versions("numbers"))
    refused = unisono(*(one.replace("small", "tiny") for one in ARGUMENTS), folder=project.root)
    assert (refused.exit_code, refused.out) == (7, "")
    assert "size_bytes" in refused.err and "allowed: at most" in refused.err
    page = refused.err.rpartition("the whole report is in ")[2].strip()
    assert "Over its budget" in Path(page).read_text()
    assert len(project.registry.versions("numbers")) == before


@pytest.mark.slow
def test_without_a_model_the_version_that_answers_is_the_teacher(project: Project, compressed: Run) -> None:
    project.registry.promote(project.registry.version("numbers", json.loads(compressed.out)["version"]))
    told = unisono(*(one for one in ARGUMENTS if one != "train.py:fit"), "--no-register", folder=project.root)
    assert told.exit_code == 0, told.err
    assert "nothing is registered" in told.out
    assert "artifact" in told.out and "worst slices" in told.out


@pytest.mark.slow
def test_a_search_leaves_recipes_that_can_be_carried_out(project: Project, compressed: Run) -> None:
    (project.root / "wide.toml").write_text(
        RECIPE.replace("leaves = 8", "leaves = {{low = 4, high = 12}}").format(size_bytes=100_000)
    )
    wide = [one.replace("small", "wide") for one in ARGUMENTS]
    found = unisono(*wide, "--search", "--trials", "2", "--json", folder=project.root)
    assert found.exit_code == 0, found.err
    told = json.loads(found.out)
    assert list(told) == list(FIELDS)
    assert [one["outcome"] for one in told["search"]["trials"]].count("measured") == 2
    assert Path(told["page"]).read_text().startswith("<svg")
    first = Path(told["page"]).with_name("front-1.toml")
    again = unisono(*ARGUMENTS[:4], str(first), *ARGUMENTS[5:], "--no-register", "--json", folder=project.root)
    assert json.loads(again.out)["reused"] == 1


def test_a_budget_of_the_command_line_is_one_of_the_recipe(
    project: Project, refused: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project.root)
    code, _, message = refused(*ARGUMENTS, "--budget", "size=3")
    assert (code, "unknown field `size`" in message) == (3, True)
    code, _, message = refused(*ARGUMENTS, "--budget", "size_bytes")
    assert (code, "not NAME=VALUE" in message) == (4, True)


@pytest.mark.parametrize(
    ("recipe", "said"),
    [
        ('[[steps]]\nstep = "recover"\n', "the model is an ensemble; allowed: torch"),
        ('[[steps]]\nstep = "distill"\n', 'did you mean "distil"?'),
        ("steps = 3\n", "Expected `array`"),
    ],
)
def test_a_wrong_recipe_is_refused_before_anything_is_done(
    recipe: str, said: str, project: Project, refused: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project.root)
    (project.root / "wrong.toml").write_text(recipe + '[data]\nlabel = "label"\n')
    code, _, message = refused(*ARGUMENTS[:3], "--recipe", "wrong.toml", "--data", "rows.parquet")
    assert code == 3
    assert said in message


def test_data_without_what_the_recipe_names_are_refused(
    project: Project, refused: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project.root)
    number_rows().drop("side").write_parquet(project.root / "less.parquet")
    code, kind, message = refused(*ARGUMENTS[:5], "--data", "less.parquet")
    assert (code, kind) == (4, "input")
    assert 'no column "side", which is the slice of the report' in message


def test_data_that_are_not_there_are_named(
    project: Project, refused: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project.root)
    code, _, message = refused(*ARGUMENTS[:5], "--data", "none.parquet")
    assert code == 6
    assert "none.parquet" in message
