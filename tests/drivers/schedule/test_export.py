"""What is exported is read by those it is for, and asks for the same instants and the same command."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.drivers.schedule.worlds import a_schedule
from unisono.cli import exit_codes
from unisono.cli.app import make_app
from unisono.drivers.schedule.commands import EXIT_CODES
from unisono.drivers.schedule.cron import parse_cron
from unisono.drivers.schedule.export import EXPORTS
from unisono.drivers.schedule.settings import Schedule
from unisono.drivers.schedule.systemd import calendar_lines
from unisono.spec.errors import InputError

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
ODD = "a b/$HOME`x`'{scheduled:%Y/%m}-{run_id}.parquet"
TELLS = f"""#!{sys.executable}
import json, os, sys
with open("told", "a") as file:
    print(json.dumps([os.getcwd(), *sys.argv[1:]]), file=file)
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project's folder with a name that shells and unit files could take for something else."""
    folder = tmp_path / "it's 100% $mine"
    folder.mkdir()
    return folder


def told_by(command: str, root: Path) -> list[str]:
    """What a shell gives to `unisono`."""
    program = root.parent / "bin" / "unisono"
    program.parent.mkdir(exist_ok=True)
    program.write_text(TELLS)
    program.chmod(0o755)
    where = {"PATH": f"{program.parent}:/usr/bin:/bin"}
    subprocess.run(["/bin/sh", "-c", command], check=True, env=where, cwd=root.parent)
    (line,) = [line for told in root.parent.rglob("told") for line in told.read_text().splitlines()]
    told: list[str] = json.loads(line)
    return told


def is_what_was_meant(told: list[str], root: Path, schedule: Schedule) -> None:
    """In the project's folder, with the output and the run id of the minute."""
    folder, *arguments = told
    assert folder == str(root)
    _, bound, ignored = make_app().parse_args(arguments, exit_on_error=False, print_error=False)
    assert not ignored
    run_id = bound.kwargs["run_id"]
    scheduled = datetime.strptime(run_id.rpartition(".")[2], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    assert timedelta(0) <= datetime.now(UTC) - scheduled < timedelta(minutes=2)
    named = schedule.out.of(predictor="risk", schedule="hourly", run=run_id, scheduled=scheduled)
    assert (bound.args, bound.kwargs["out"], bound.kwargs["requests"]) == (("risk",), named, "r q.csv")


def exported(program: str, schedule: Schedule, root: Path = Path("/srv/risk")) -> dict[str, str]:
    """The files that are made."""
    return dict(EXPORTS[program](schedule, root, NOW))


def test_a_line_of_cron_calls_the_command_for_its_instant(root: Path) -> None:
    schedule = a_schedule(every="5 3 * * mon", timezone="Europe/Berlin", out=ODD, requests="r q.csv")
    (text,) = exported("cron", schedule, root).values()
    zone, line = text.splitlines()[-2:]
    assert zone == "CRON_TZ=Europe/Berlin"
    assert line.startswith("5 3 * * mon cd ")
    command = line.split(" ", 5)[5]
    assert "%" not in command.replace(r"\%", "")
    is_what_was_meant(told_by(command.replace(r"\%", "%"), root), root, schedule)


def test_a_service_of_systemd_calls_the_command_for_its_instant(root: Path) -> None:
    schedule = a_schedule(out=ODD, requests="r q.csv")
    files = exported("systemd", schedule, root)
    assert [*files] == ["unisono_risk_hourly.service", "unisono_risk_hourly.timer"]
    lines = dict(line.split("=", 1) for line in files["unisono_risk_hourly.service"].splitlines() if line[0].isupper())
    word = lines["ExecStart"].removeprefix('/bin/sh -c "').removesuffix('"').replace("$$", "$").replace("%%", "%")
    command = word.replace('\\"', '"').replace("\\\\", "\\")
    folder = lines["WorkingDirectory"].replace("%%", "%")
    (root / "told").unlink(missing_ok=True)
    told = told_by(f'cd "$(cat where)" && {command}' if (root.parent / "where").write_text(folder) else "", root)
    is_what_was_meant(told, root, schedule)


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not here")
def test_units_are_sound_to_systemd(tmp_path: Path) -> None:
    files = exported("systemd", a_schedule(out=ODD), tmp_path)
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    paths = [str(tmp_path / name) for name in files]
    done = subprocess.run(["systemd-analyze", "verify", *paths], capture_output=True, text=True)
    assert "unisono_risk" not in done.stderr, done.stderr


CALENDARS = [
    ("0 3 * * *", "UTC"),
    ("*/15 8-9 * * mon-fri", "UTC"),
    ("0 3 * * *", "Europe/Berlin"),
    ("30 12 1,15 * *", "America/New_York"),
    ("0 0 13 * fri", "UTC"),
    ("0 12 29 2 *", "UTC"),
    ("5 4 */2 1-6 0", "Asia/Kathmandu"),
    ("0 6 * * sun", "UTC"),
    ("@weekly", "UTC"),
]


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not here")
@pytest.mark.parametrize(("text", "zone"), CALENDARS)
def test_systemd_reads_the_same_instants(text: str, zone: str) -> None:
    cron = parse_cron(text, zone)
    instants = set[datetime]()
    for line in calendar_lines("nightly", cron, NOW):
        base = ["--iterations=12", "--base-time=2026-11-26 12:00:00 UTC"]
        done = subprocess.run(["systemd-analyze", "calendar", *base, line], capture_output=True, text=True, check=True)
        instants |= set(elapses(done.stdout))
    wanted = [NOW]
    while len(wanted) <= 12:
        wanted.append(cron.next_after(wanted[-1]))
    assert sorted(instants)[:12] == wanted[1:]


def elapses(shown: str) -> list[datetime]:
    """The instants in what systemd-analyze shows."""
    lines = [line.partition(":")[2].split() for line in shown.splitlines() if "elapse:" in line or "Iter. #" in line]
    zones = [line.partition(":")[2].split() for line in shown.splitlines() if "(in UTC)" in line]
    return [
        datetime.strptime(f"{words[1]} {words[2]}", "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
        for words in (zones or lines)
    ]


@pytest.mark.parametrize(
    ("settings", "program", "said"),
    [
        (
            {"every": "30 2 * * *", "timezone": "Europe/Berlin"},
            "systemd",
            "the clock of Europe/Berlin is changed at hour 2",
        ),
        ({"every": "0 * * * *", "timezone": "America/New_York"}, "systemd", "is changed at hour 1, 2"),
        ({"catch_up": "all"}, "systemd", "a timer catches up one missed instant"),
        *(({"on_new_data": True}, program, "it waits for new data or a new version") for program in EXPORTS),
    ],
)
def test_what_another_program_would_do_differently_is_refused(
    settings: dict[str, Any], program: str, said: str
) -> None:
    with pytest.raises(InputError) as refused:
        exported(program, a_schedule(**settings))
    assert said in str(refused.value)


@pytest.mark.parametrize("program", ["cron", "airflow"])
def test_a_clock_change_at_an_hour_of_the_schedule_is_warned_of(program: str) -> None:
    (warned,) = exported(program, a_schedule(every="30 2 * * *", timezone="Europe/Berlin")).values()
    (silent,) = exported(program, a_schedule(every="30 3 * * *", timezone="Europe/Berlin")).values()
    assert ("At clock changes" in warned, "At clock changes" in silent) == (True, False)


def test_a_dag_of_airflow_calls_the_command_for_its_instant(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    schedule = a_schedule(
        every="@daily", timezone="Europe/Berlin", out="{date}.csv", requests="r q.csv", catch_up="all"
    )
    files = exported("airflow", schedule, root)
    made = run_dag(files["unisono_risk_hourly.py"], monkeypatch)
    assert made["DAG"]["dag_id"] == "unisono_risk_hourly"
    assert made["CronTriggerTimetable"] == {"args": ("0 0 * * *",), "timezone": "Europe/Berlin"}
    assert (made["DAG"]["catchup"], made["DAG"]["max_active_runs"]) == (True, 1)
    assert made["DAG"]["default_args"]["retry_delay"] == timedelta(seconds=30)
    assert made["BashOperator"]["cwd"] == str(root)
    instant = "data_interval_end.in_timezone('{}').strftime('{}')"
    day, run = instant.format("Europe/Berlin", "%Y-%m-%d"), instant.format("UTC", "%Y%m%dT%H%M00Z")
    command = (
        f"unisono predict risk --out {{{{ {day} }}}}.csv --run-id risk.hourly.{{{{ {run} }}}} --requests 'r q.csv'"
    )
    assert made["BashOperator"]["bash_command"] == command


def run_dag(text: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Run a DAG's file where everything of Airflow only notes what it was called with."""
    made: dict[str, Any] = {}

    def noting(name: str) -> type:
        def note(self: object, *args: object, **named: object) -> None:
            made[name] = {**({"args": args} if args else {}), **named}

        stands = {"__init__": note, "__enter__": lambda self: self, "__exit__": lambda *_: None}
        return type(name, (), stands)

    modules: dict[str, dict[str, Any]] = {
        "airflow": {"DAG": noting("DAG")},
        "airflow.timetables": {},
        "airflow.timetables.trigger": {"CronTriggerTimetable": noting("CronTriggerTimetable")},
        "airflow.operators": {},
        "airflow.operators.bash": {"BashOperator": noting("BashOperator")},
        "pendulum": {"datetime": lambda *_, tz: tz},
    }
    for name, values in modules.items():
        module = ModuleType(name)
        vars(module).update(values)
        monkeypatch.setitem(sys.modules, name, module)
    exec(compile(text, "dag.py", "exec"), {})
    return made


def test_every_exit_code_is_explained_to_whoever_calls_the_command() -> None:
    never = {exit_codes.DIFFERENT}  # of `unisono parity`
    assert {str(code) for code in {*exit_codes.MEANINGS} - never} <= {*EXIT_CODES.replace(",", " ").split()}
