"""A batch run: from any source to any sink, whole or not at all, once."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from unisono.connect.tables import Sink, Source, StoredRows, is_overlap, open_sink, open_source
from unisono.connect.tables.files import copy_in, digest_of, look
from unisono.drivers.batch.contestants import Contestant, columns_of
from unisono.drivers.batch.events import events_of
from unisono.drivers.batch.known import KnownKeys
from unisono.drivers.batch.parts import Parts
from unisono.drivers.batch.staging import Plan, Published, Staging
from unisono.drivers.cores import usable_cores
from unisono.drivers.ingest import request_columns
from unisono.features.places import Place
from unisono.spec.errors import InputError
from unisono.spec.progress import Progress, no_progress
from unisono.spec.wording import quoted

if TYPE_CHECKING:
    from unisono.drivers.project import Project

MOST_ROWS, FEWEST_ROWS, FEW_PARTS = 1 << 16, 1 << 8, 32
"""Rows of a part: at most and at least so many, and in between such that there are so many parts."""


@dataclass(frozen=True, slots=True)
class BatchReport:
    """What a run did.

    run_id:        its id.
    versions:      predictor -> the version that answered.
    rows:          of the source.
    new_rows:      that were scored and written; fewer than `rows` if only new ones were wanted, none if the sink had
                   the result of this run already.
    seconds:       from start to end.
    cpu_seconds:   of this process, on all cores.
    parts:         in which the rows were scored.
    resumed_parts: of these, how many a run before had finished.
    sink:          the sink's name.
    is_repeated:   whether the sink had the result of this run already, so that nothing was done.
    engines:       predictor -> what ran its graph; empty if nothing was done.
    """

    run_id: str
    versions: Mapping[str, str]
    rows: int
    new_rows: int
    seconds: float
    cpu_seconds: float
    parts: int
    resumed_parts: int
    sink: str
    is_repeated: bool = False
    engines: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Clock:
    """When a run began."""

    started_s: float = field(default_factory=time.perf_counter)
    cpu_s: float = field(default_factory=time.process_time)


def run_batch(
    project: Project,
    predictors: str | Sequence[str],
    source: str | Path | None,
    sink: str | Path,
    *,
    version: str | None = None,
    run_id: str | None = None,
    only_new: str | None = None,
    keep: Sequence[str] | None = None,
    engine: str | None = None,
    cores: int | None = None,
    chunk: int | None = None,
    anew: bool = False,
    progress: Progress = no_progress,
) -> BatchReport:
    """Predictions of a table, of any size, into a table.

    project:    whose predictors, versions and events these are.
    predictors: names; several share one scan of the table, and their outputs are called PREDICTOR__OUTPUT.
    source:     PATH (Parquet file, folder or pattern, CSV, JSON lines, Delta), URL#TABLE of a database, or KIND:PATH;
                None: the predictor's file in unisono.toml.
    sink:       the same; it is replaced, or added to with `only_new`. Readers see all of the result or what was there.
    version:    id of the version that answers, or its first digits; None: the champion.
    run_id:     the same run twice does nothing the second time, as long as the sink has its result; None: made of what
                source and events hold, versions, columns and sink.
    only_new:   a column by which rows are known: those whose value the sink has already are left out, and the others
                are added to it.
    keep:       columns of the source that the result has too, in this order; None: those of the request.
    engine:     what runs the graphs, see `Project.scorer`; None: as unisono.toml says for each predictor.
    cores:      parts scored at once; None: as many as there are.
    chunk:      rows of a part, which is scored and kept at a time; None: up to 65536.
    anew:       whether a run with an id that was stopped begins anew where source or version have changed since; else
                it is refused.

    What is done is kept in the project's store until the sink has it: a run that was killed goes on there when the same
    is run again. Memory: a few parts; with `only_new` the sink's keys; with features one column of the events at a
    time, and a block of requests with 128 MB of features, for which the events are passed over once.
    Raises InputError for rows that do not fit, with file, row and column, and for a sink that is what is read;
    StoreError if something cannot be read or written, or another run writes the sink. Nothing is published then.
    """
    names = [predictors] if isinstance(predictors, str) else list(dict.fromkeys(predictors))
    where = project.request_file(names[0]) if source is None else source
    given, target = open_source(where), open_sink(sink)
    _refuse_overlap(project, where, sink)
    job = _Job(
        project=project,
        names=names,
        version=version,
        source=given,
        sink=target,
        run_id=run_id,
        only_new=only_new,
        keep=keep,
        engine=engine,
        cores=cores or usable_cores(),
        chunk=chunk,
        anew=anew,
        progress=progress,
    )
    with Staging(project.store_path / "batch", target.name) as staging:
        return job.run(staging)


def _refuse_overlap(project: Project, where: str | Path, sink: str | Path) -> None:
    """Raises InputError for a sink that would change what is read, now or by another run of the project."""
    bound = (*project.config.events.values(), *project.config.requests.values())
    for read in (where, *(project.root / path for path in bound)):
        if is_overlap(read, sink):
            raise InputError(
                f"{open_sink(sink).name}: is, holds or lies in {open_source(read).name}, which is read, and would "
                "change it; allowed: a table beside it; write elsewhere"
            )


@dataclass(frozen=True, slots=True)
class _Job:
    """What `run_batch` was asked for."""

    project: Project
    names: Sequence[str]
    version: str | None
    source: Source
    sink: Sink
    run_id: str | None
    only_new: str | None
    keep: Sequence[str] | None
    engine: str | None
    cores: int
    chunk: int | None
    anew: bool
    progress: Progress
    clock: _Clock = field(default_factory=_Clock)

    def run(self, staging: Staging) -> BatchReport:
        """Do what is not done yet."""
        done = staging.published(self.run_id, self.sink) if self.run_id else None
        if done is not None:
            return self._repeated(done)
        self.progress("reading the source", 0, None)
        table = self._opened(staging)
        contestants = self._contestants()
        plan = self._plan(table, contestants)
        done = staging.published(plan.run_id, self.sink)
        if done is not None:
            staging.finish()
            return self._repeated(done)
        staging.begin(plan, anew=self.anew)
        parts = self._parts(table, contestants, plan, staging)
        spans = table.spans(plan.chunk)
        self.sink.check(parts.schema(spans[0]), append=bool(self.only_new))
        resumed = parts.make(spans, self.progress)
        self._refuse_changed(plan, contestants)
        rows = self._publish(plan, staging, len(spans))
        staging.finish()
        published = Published(plan.run_id, "", plan.versions, rows)
        engines = {one.name: one.scorer.engine for one in contestants}
        return self._report(published, table.rows, parts=len(spans), resumed=resumed, engines=engines)

    # Before -----------------------------------------------------------------------------------------------------------

    def _opened(self, staging: Staging) -> StoredRows:
        """The source's rows; for a run that goes on, the copy that it began with, where only that can be told."""
        plan, copy = staging.plan, copy_in(staging.directory)
        goes_on = self.run_id and plan is not None and plan.run_id == self.run_id and self.source.snapshot() is None
        if goes_on and plan is not None and copy.is_file() and digest_of(copy) == plan.source:
            return StoredRows(self.source.name, [copy], plan.source)
        return self.source.open(staging.directory)

    def _contestants(self) -> list[Contestant]:
        if self.version is not None and len(self.names) > 1:
            raise InputError(
                f"version {quoted(self.version)}: of which predictor? allowed: a version with one predictor; run them "
                "one by one, or leave the version out"
            )
        return [
            Contestant(
                self.project.ready(name),
                self.project.table_scorer(name, self.version, engine=self.engine),
                events_of(self.project, name),
            )
            for name in self.names
        ]

    def _plan(self, table: StoredRows, contestants: Sequence[Contestant]) -> Plan:
        versions = {one.name: one.scorer.version.id for one in contestants}
        columns = self._columns(table, contestants)
        engines = {one.name: one.scorer.engine for one in contestants if one.scorer.engine_class != "exact"}
        events = self._events(contestants)
        facts = [table.mark, events, versions, columns, self.only_new, self.sink.name, engines]
        return Plan(
            run_id=self.run_id or sha256(msgspec.json.encode(facts, order="sorted")).hexdigest()[:16],
            source=table.mark,
            events=events,
            versions=versions,
            engines=engines,
            columns=columns,
            chunk=self.chunk or max(FEWEST_ROWS, min(MOST_ROWS, table.rows // FEW_PARTS)),
            only_new=self.only_new or "",
            sink=(self.sink.stamp() or "") if self.only_new else "",
        )

    def _events(self, contestants: Sequence[Contestant]) -> dict[str, str]:
        """What the files of events hold now, in a word each."""
        return {source: look([self.project.event_file(source)]) for one in contestants for source in one.events}

    def _columns(self, table: StoredRows, contestants: Sequence[Contestant]) -> list[str]:
        """The source's columns that the result has too. Raises InputError if the source lacks one that is named."""
        known = [] if self.only_new is None else [self.only_new]
        if self.keep is not None:
            columns = [*dict.fromkeys([*known, *self.keep])]
            _refuse_missing(columns, table)
            return columns
        _refuse_missing(known, table)
        asked = [name for one in contestants for name in request_columns(one.ready.spec)]
        return [name for name in dict.fromkeys([*known, *asked]) if name in table.columns]

    def _parts(self, table: StoredRows, contestants: Sequence[Contestant], plan: Plan, staging: Staging) -> Parts:
        read = [name for one in contestants for name in one.reads]
        _refuse_missing(read, table)
        wanted = dict.fromkeys([*read, *plan.columns])
        declared = columns_of(contestants)
        known = None if self.only_new is None else KnownKeys(self.only_new, self.sink.keys(self.only_new))
        return Parts(
            table=table,
            contestants=contestants,
            declared={name: declared[name] for name in wanted if name in declared},
            columns=plan.columns,
            known=known,
            staging=staging,
            cores=self.cores,
        )

    # After ------------------------------------------------------------------------------------------------------------

    def _refuse_changed(self, plan: Plan, contestants: Sequence[Contestant]) -> None:
        now = self.source.snapshot()
        changed = [self.source.name] if now is not None and now != plan.source else []
        events = self._events(contestants)
        changed += [f"events of source {source}" for source, mark in plan.events.items() if events[source] != mark]
        if changed:
            raise InputError(
                f"{changed[0]}: changed while it was read; allowed: a table at rest; nothing was published; run again"
            )

    def _publish(self, plan: Plan, staging: Staging, parts: int) -> int:
        """Hand the parts to the sink; returns their rows."""
        staged = staging.staged(parts, run_id=plan.run_id, append=bool(plan.only_new))
        rows = staged.rows
        self.progress("writing", 0, rows)

        def announce(stamp: str) -> None:
            staging.note_published(Published(plan.run_id, stamp, plan.versions, rows))

        there = self.sink.stamp()
        if staged.append and not rows and there is not None:
            announce(there)
        else:
            self.sink.publish(staged, announce)
        self.progress("writing", rows, rows)
        return rows

    def _repeated(self, done: Published) -> BatchReport:
        return self._report(done, done.rows, parts=0, resumed=0, engines={})

    def _report(
        self, done: Published, rows: int, *, parts: int, resumed: int, engines: Mapping[str, str]
    ) -> BatchReport:
        return BatchReport(
            run_id=done.run_id,
            versions=done.versions,
            rows=rows,
            new_rows=done.rows if parts else 0,
            seconds=time.perf_counter() - self.clock.started_s,
            cpu_seconds=time.process_time() - self.clock.cpu_s,
            parts=parts,
            resumed_parts=resumed,
            sink=self.sink.name,
            is_repeated=not parts,
            engines=engines,
        )


def _refuse_missing(columns: Sequence[str], table: StoredRows) -> None:
    for name in columns:
        if name not in table.columns:
            raise Place(table.name).missing(name, table.columns)
