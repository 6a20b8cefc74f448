"""A schedule for those who have cron, systemd or Airflow already.

Each calls the documented command. What is not carried over is said in a comment: the history, and those rules that the
other program does not have.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from string import Template

from unisono.drivers.schedule.commands import EXIT_CODES, predict_command, title
from unisono.drivers.schedule.cron import MACROS, Cron, hours_of_clock_changes
from unisono.drivers.schedule.names import Dialect
from unisono.drivers.schedule.settings import Schedule
from unisono.drivers.schedule.systemd import calendar_lines, quoted_for_systemd
from unisono.spec.errors import InputError


def _shell_date(format: str, timezone: str) -> str:
    return f'"$(TZ={timezone} date +{format})"'


SHELL = Dialect(shlex.quote, _shell_date)
JINJA = Dialect(
    shlex.quote, lambda format, zone: f"{{{{ data_interval_end.in_timezone('{zone}').strftime('{format}') }}}}"
)

Files = Mapping[str, str]
"""Name of a file -> its content."""


def to_cron(schedule: Schedule, root: Path, now: datetime) -> Files:
    """A crontab of one line and its comments. Raises InputError for a trigger that cron does not have."""
    cron = _cron_of(schedule, "cron")
    command = f"cd {shlex.quote(str(root))} && {predict_command(schedule, SHELL)}".replace("%", r"\%")
    lines = [
        f"# {title(schedule, root)}",
        f"# {EXIT_CODES}",
        "# Not carried over: history, retries, catch_up, overlap, misfire_grace. `unisono` has to be on the PATH.",
        f"# Where CRON_TZ is not obeyed (Debian's cron), the machine's time zone has to be {cron.timezone}.",
        *(f"# {line}" for line in _about_clock_changes(cron, now)),
        f"CRON_TZ={cron.timezone}",
        f"{MACROS.get(cron.text.strip(), cron.text)} {command}",
    ]
    return {f"{_name(schedule)}.crontab": _text(lines)}


def to_systemd(schedule: Schedule, root: Path, now: datetime) -> Files:
    """A service and its timer. Raises InputError where systemd would do something else."""
    cron = _cron_of(schedule, "systemd")
    if schedule.rules.catch_up == "all":
        raise InputError(
            f'schedule {schedule.name}: catch_up = "all"; allowed with systemd: "last" or "none", since a timer '
            "catches up one missed instant; change it, or use `unisono schedule run`"
        )
    command = quoted_for_systemd(f"exec {predict_command(schedule, SHELL)}")
    service = [
        f"# {title(schedule, root)}",
        f"# {EXIT_CODES}",
        "# Not carried over: history, retries, misfire_grace. `unisono` has to be on the PATH.",
        "# Dates and the run id are those of the actual start.",
        "[Unit]",
        f"Description={title(schedule, root).replace('%', '%%')}",
        "[Service]",
        "Type=oneshot",
        f"WorkingDirectory={str(root).replace('%', '%%')}",
        f"ExecStart=/bin/sh -c {command}",
    ]
    timer = [
        "[Unit]",
        f"Description={title(schedule, root).replace('%', '%%')}",
        "[Timer]",
        *(f"OnCalendar={line}" for line in calendar_lines(schedule.name, cron, now)),
        "AccuracySec=1s",
        f"Persistent={'true' if schedule.rules.catch_up == 'last' else 'false'}",
        "[Install]",
        "WantedBy=timers.target",
    ]
    return {f"{_name(schedule)}.service": _text(service), f"{_name(schedule)}.timer": _text(timer)}


_DAG = Template('''\
"""$title

$exit_codes
Not carried over: history, overlap, misfire_grace. `unisono` has to be on the PATH.$clock_changes
"""

from datetime import timedelta

import pendulum
from airflow import DAG
from airflow.timetables.trigger import CronTriggerTimetable

try:
    from airflow.providers.standard.operators.bash import BashOperator
except ImportError:  # Airflow 2
    from airflow.operators.bash import BashOperator

with DAG(
    dag_id=$dag,
    schedule=CronTriggerTimetable($every, timezone=$timezone),
    start_date=pendulum.datetime($year, $month, $day, tz=$timezone),
    catchup=$catchup,
    max_active_runs=1,
    default_args={
        "retries": $retries,
        "retry_delay": timedelta(seconds=$delay_s),
        "retry_exponential_backoff": True,
        "max_retry_delay": timedelta(seconds=$delay_max_s),
    },
):
    BashOperator(
        task_id="predict",
        cwd=$root,
        bash_command=$command,
    )
''')


def to_airflow(schedule: Schedule, root: Path, now: datetime) -> Files:
    """A file with a DAG, for Airflow 2 (2.4 or later) and 3. Raises InputError for a trigger that it does not have."""
    cron, rules = _cron_of(schedule, "airflow"), schedule.rules
    dag = _DAG.substitute(
        title=title(schedule, root).replace("\\", "\\\\").replace('"', '\\"'),
        exit_codes=EXIT_CODES,
        clock_changes="".join(f"\n{line}" for line in _about_clock_changes(cron, now)),
        dag=repr(_name(schedule)),
        every=repr(MACROS.get(cron.text.strip(), cron.text)),
        timezone=repr(cron.timezone),
        year=now.year,
        month=now.month,
        day=now.day,
        catchup=rules.catch_up == "all",
        retries=rules.retries,
        delay_s=rules.retry_delay.total_seconds(),
        delay_max_s=rules.retry_delay_max.total_seconds(),
        root=repr(str(root)),
        command=repr(predict_command(schedule, JINJA)),
    )
    return {f"{_name(schedule)}.py": dag}


EXPORTS: Mapping[str, Callable[[Schedule, Path, datetime], Files]] = {
    "cron": to_cron,
    "systemd": to_systemd,
    "airflow": to_airflow,
}
"""Program -> what makes its files of a schedule, the project's folder and today."""


def _cron_of(schedule: Schedule, program: str) -> Cron:
    if not isinstance(schedule.when, Cron):
        raise InputError(
            f"schedule {schedule.name}: it waits for new data or a new version; allowed with {program}: every; "
            "use `unisono schedule run`, or give it a time"
        )
    return schedule.when


def _about_clock_changes(cron: Cron, now: datetime) -> list[str]:
    """A warning where a clock change comes at an hour of the schedule."""
    if not hours_of_clock_changes(cron.timezone, now).intersection(cron.hour.values):
        return []
    return ["At clock changes the rules of whoever runs this hold: an instant may be left out, or come twice."]


def _name(schedule: Schedule) -> str:
    return f"unisono_{schedule.predictor}_{schedule.name}"


def _text(lines: list[str]) -> str:
    return "\n".join(lines) + "\n"
