"""Doing one run of a schedule: a batch whose run id makes it happen once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from unisono.drivers.schedule.places import make_folder_of, placed
from unisono.drivers.schedule.settings import Schedule
from unisono.spec.progress import Progress
from unisono.store.runs import Outcome, Run

if TYPE_CHECKING:
    from collections.abc import Mapping

    from unisono.drivers.project import Project


@dataclass(frozen=True, slots=True)
class Batches:
    """Does runs of schedules as batches.

    project:   whose predictors these are; it is loaded anew for each run, so that definitions may have changed.
    schedules: by predictor and name.
    """

    project: Project
    schedules: Mapping[tuple[str, str], Schedule]

    def __call__(self, run: Run, progress: Progress) -> Outcome:
        """Do one run. Raises what `run_batch` does."""
        from unisono.drivers.batch import run_batch
        from unisono.drivers.project import load

        schedule = self.schedules[run.predictor, run.schedule]
        project = load(self.project.root)
        name = schedule.out.of(predictor=run.predictor, schedule=run.schedule, run=run.id, scheduled=run.scheduled)
        sink = placed(project, schedule, name)
        make_folder_of(sink)
        asked = schedule.requests
        report = run_batch(
            project,
            run.predictor,
            None if asked is None else placed(project, schedule, asked),
            sink,
            version=schedule.version,
            run_id=run.id,
            only_new=schedule.only_new,
            keep=schedule.keep,
            anew=True,  # what is there when the run is done at last is what it is about
            progress=progress,
        )
        cost = project.config.cost
        return Outcome(
            rows=report.rows if schedule.only_new is None else report.new_rows,
            seconds=report.seconds,
            cpu_seconds=report.cpu_seconds,
            cost=None if cost is None else cost.of(report.cpu_seconds),
            currency=None if cost is None else cost.currency,
            versions=tuple(report.versions.values()),
            output=report.sink,
        )
