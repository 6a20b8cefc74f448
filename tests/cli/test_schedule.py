"""`unisono schedule`, `unisono runs` and `unisono predict --every`, as people call them."""

from __future__ import annotations

import json
import re
import shutil
import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

import unisono as un
from tests.cli.conftest import RunHere
from tests.cli.shell import finish, running, unisono, wait_until
from tests.drivers.projects import make_project, register
from tests.postgres import SECRET, Postgres
from unisono.drivers.schedule.opening import open_runs
from unisono.drivers.schedule.scheduler import utc_now
from unisono.store.runs import Run, State

SCHEDULES = """
[schedules.nightly]
predictor = "risk"
every = "0 3 * * *"
timezone = "Europe/Berlin"
out = "scores/{date}.parquet"

[schedules.champion]
predictor = "risk"
on_new_version = true
out = "{run_id}.csv"

[cost]
per_cpu_hour = 0.04
"""
COLUMNS = set(Run.__slots__)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with a version and schedules; tests work on copies."""
    folder = tmp_path_factory.mktemp("scheduled") / "risk"
    register(make_project(folder))
    with (folder / "unisono.toml").open("a") as file:
        file.write(SCHEDULES)
    return folder


@pytest.fixture
def home(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it, which is the current folder."""
    shutil.copytree(model, tmp_path / "risk")
    monkeypatch.chdir(tmp_path / "risk")
    return tmp_path / "risk"


def miss_a_night(home: Path) -> None:
    """Nobody has run the schedules for a day."""
    runs = open_runs(un.load(home))
    runs.enrol("risk", "nightly", utc_now() - timedelta(days=1))


def test_schedules_are_listed_with_when_they_come_next(home: Path, run_here: RunHere) -> None:
    plain, machine = run_here("schedule", "list"), run_here("schedule", "list", "nightly", "--json")
    assert plain.out.splitlines()[1] == "champion: risk on a new version -> {run_id}.csv"
    assert plain.out.startswith('nightly: risk at "0 3 * * *" Europe/Berlin, next 20')
    (row,) = machine.answer["schedules"]
    assert datetime.fromisoformat(row.pop("next")).hour == 3
    assert row == {
        "name": "nightly",
        "predictor": "risk",
        "when": 'at "0 3 * * *" Europe/Berlin',
        "out": "scores/{date}.parquet",
    }


@pytest.mark.slow
def test_no_password_is_shown(home: Path, run_here: RunHere, postgres: Postgres) -> None:
    out = f"{postgres.database()}#scores"
    with (home / "unisono.toml").open("a") as file:
        file.write(f'[schedules.shop]\npredictor = "risk"\nevery = "@daily"\nout = "{out}"\n')
    commands = [
        ("schedule", "list"),
        ("predict", "risk", "--out", out),
        ("predict", "risk", "--out", out),
        ("predict", "risk", "--out", out, "--run-id", "again", "--json"),
        ("predict", "risk", "--requests", out, "--out", out),
    ]
    for command in commands:
        done = run_here(*command)
        assert SECRET not in done.out + done.err
        assert "unisono:***@/" in done.out + done.err


@pytest.mark.slow
def test_what_is_due_is_run_once_and_seen_in_the_history(home: Path, run_here: RunHere) -> None:
    miss_a_night(home)
    told = run_here("schedule", "run", "--once")
    assert (told.exit_code, told.out) == (0, "stopped: 2 done\n")
    assert re.search(r"Z  risk\.nightly\.\d{8}T\d{6}Z  running \(catch-up\)\n", told.err)
    assert re.search(
        r"Z  risk\.nightly\.\d{8}T\d{6}Z  done: 200 rows in [\d.]+ s \([\d.]+ CPU s, \S+ USD\) -> ", told.err
    )
    again = run_here("schedule", "run", "--once", "--json")
    assert again.answer["runs"] == {}

    (table,) = (home / "scores").iterdir()
    assert pl.read_parquet(table).height == 200
    runs = run_here("runs", "--json").answer["runs"]
    assert [set(run) for run in runs] == [COLUMNS] * 2
    assert {run["trigger"]: run["state"] for run in runs} == {"catch-up": "done", "version": "done"}
    (late,) = [run for run in runs if run["trigger"] == "catch-up"]
    assert table.stem == datetime.fromisoformat(late["scheduled"]).astimezone(UTC).strftime("%Y-%m-%d")
    assert late["cost"] == pytest.approx(late["cpu_seconds"] * 0.04 / 3600)
    shown = run_here("runs", late["id"])
    assert f"id           {late['id']}" in shown.out
    assert f"rows         {late['rows']}" in shown.out


def test_the_history_can_be_narrowed(home: Path, run_here: RunHere) -> None:
    assert run_here("runs").out == "no runs; `unisono schedule run` makes some\n"
    run_here("schedule", "run", "champion", "--once", "--quiet")
    found = {
        arguments: len(run_here("runs", *arguments, "--json").answer["runs"])
        for arguments in [
            (),
            ("--predictor", "risk"),
            ("--predictor", "other"),
            ("--state", "done"),
            ("--state", "gave up"),
            ("--limit", "1"),
        ]
    }
    assert [*found.values()] == [1, 1, 0, 1, 0, 1]


def test_a_run_that_fails_is_told_and_decides_the_exit_code(home: Path, run_here: RunHere) -> None:
    (home / "scores").write_text("a file where a folder should be")
    miss_a_night(home)
    failed = run_here("schedule", "run", "nightly", "--once")
    assert failed.exit_code == 6
    assert re.search(r"failed \(attempt 1\), again at [\d: -]+Z: .*scores", failed.err)
    assert run_here("runs", "--state", "failed").out.count("failed (attempt 1), again at") == 1


def test_a_run_whose_process_died_is_lost(home: Path, run_here: RunHere) -> None:
    runs, before = open_runs(un.load(home)), utc_now() - timedelta(hours=1)
    runs.enrol("risk", "nightly", before)
    due = Run(id="risk.nightly.x", predictor="risk", schedule="nightly", trigger="schedule", scheduled=before)
    runs.decide("risk", "nightly", before, lambda standing: [due])
    runs.claim([("risk", "nightly")], owner="a host:1", now=before, lease=timedelta(minutes=1))
    (lost,) = run_here("runs", "--json").answer["runs"]
    assert lost["state"] == "lost"
    assert run_here("runs", "--state", "lost").out.startswith("risk.nightly.x  lost: a host:1 died")


@pytest.mark.parametrize("program", ["cron", "systemd", "airflow"])
def test_schedules_are_exported(program: str, home: Path, run_here: RunHere) -> None:
    shown = run_here("schedule", "export", "nightly", "--to", program, "--json").answer["files"]
    written = run_here("schedule", "export", "nightly", "--to", program, "--out", "units")
    assert written.out.splitlines() == [f"written units/{name}" for name in shown]
    assert {name: (home / "units" / name).read_text() for name in shown} == shown


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("schedule", "list", "nightli"), 4, 'did you mean "nightly"?'),
        (("schedule", "export", "champion"), 4, "it waits for new data or a new version"),
        (("schedule", "export", "nightly", "--to", "launchd"), 2, "launchd"),
        (("schedule", "run", "--lease", "soon"), 4, "--lease soon; allowed: a duration from 1s on"),
        (("schedule", "run", "--lease", "999ms"), 4, "--lease 999ms; allowed: a duration from 1s on"),
        (("runs", "no.such.run"), 4, 'run "no.such.run": there is none'),
        (("runs", "--state", "lazy"), 2, "lazy"),
        (("predict", "risk", "--every", "0 3 * * *"), 4, "predict: no --out"),
        (("predict", "risk", "--every", "0 3 * *", "--out", "x.csv"), 4, "4 fields"),
        (("predict", "risk", "--every", "@daily", "--out", "{user}.csv"), 4, '"{user}"'),
        (("predict", "risk", "--every", "@daily", "--on-new-data", "--out", "x.csv"), 4, "2 of every"),
        (("predict", "risk", "--every", "@daily", "--out", "x.csv", "--run-id", "a"), 4, "--run-id with --every"),
        (("predict", "none", "--every", "@daily", "--out", "x.csv"), 4, 'predictor "none": there is none'),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_what_is_wrong_is_told_with_what_is_allowed(
    arguments: tuple[str, ...], code: int, said: str, home: Path, run_here: RunHere
) -> None:
    told = run_here(*arguments)
    assert (told.exit_code, told.out) == (code, "")
    assert said in told.err
    assert told.err.startswith("error: ")


def test_a_project_without_schedules_says_how_to_make_one(tmp_path: Path, run_here: RunHere) -> None:
    make_project(tmp_path / "risk")
    listed = run_here("schedule", "list", "--project", tmp_path / "risk")
    assert (listed.exit_code, listed.out) == (0, "no schedules; add [schedules.NAME] to unisono.toml\n")
    refused = run_here("schedule", "run", "--project", tmp_path / "risk")
    assert refused.exit_code == 4
    assert "no [schedules.NAME]; allowed with run: at least one" in refused.err


@pytest.mark.slow
def test_predict_stays_and_predicts_when_another_version_answers(home: Path) -> None:
    runs = open_runs(un.load(home))
    elsewhere = home / "elsewhere"
    elsewhere.mkdir()
    given = ("predict", "risk", "--on-new-version", "--out", "{schedule}.csv", "--project", home, "--json")
    with running(*given, folder=elsewhere) as predicting:
        wait_until(lambda: any(run.state is State.DONE for run in runs.latest(now=utc_now())), predicting)
        predicting.send_signal(signal.SIGINT)
        stopped = finish(predicting)
    assert stopped.exit_code == 0, stopped.err
    assert stopped.answer["runs"] == {"done": 1}
    (run,) = runs.latest(now=utc_now())
    assert run.output == str(elsewhere / f"{run.schedule}.csv")
    assert pl.read_csv(str(run.output)).height == 200
    assert json.loads(unisono("runs", "--json", folder=home).out)["runs"][0]["id"] == run.id


def test_a_name_with_fields_is_for_schedules_only(home: Path, run_here: RunHere) -> None:
    refused = run_here("predict", "risk", "--out", home / "{date}.parquet", "--project", home)
    assert refused.exit_code == 4
    assert "has a field for runs of a schedule; allowed: a plain name; fill it in, or say --every" in refused.err
    assert not list(home.glob("*date*"))
