"""Where a run keeps what it has done until the sink has it: one folder a sink.

DIR/lock            held by the one run
DIR/plan.json       what is being made, and of what
DIR/source.parquet  a copy of the source, if it cannot be read in parts
DIR/parts/N.arrow   finished parts
DIR/published.json  the run whose result the sink has
"""

from __future__ import annotations

import os
import shutil
from hashlib import sha256
from pathlib import Path
from typing import TypeVar

import msgspec
import polars as pl

from unisono.connect.segments import lock, room
from unisono.connect.tables import Sink, Staged
from unisono.connect.tables.files import whole_file
from unisono.spec.errors import InputError, StoreError
from unisono.spec.wording import listing, quoted


class Plan(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is made, and of what: the parts of equal plans are equal.

    run_id:   of the run.
    source:   what it held, in a word.
    events:   source of events -> what its file held; of the predictors' views.
    versions: predictor -> version.
    engines:  predictor -> engine, where that may change a bit.
    columns:  of the source, that the result has too.
    chunk:    rows a part.
    only_new: column by which rows are known; "" if every row is wanted.
    sink:     what it held, if only new rows are wanted; else "".
    """

    run_id: str
    source: str
    events: dict[str, str]
    versions: dict[str, str]
    engines: dict[str, str]
    columns: list[str]
    chunk: int
    only_new: str
    sink: str


class Published(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A run whose result the sink has, and the sink's stamp since then."""

    run_id: str
    stamp: str
    versions: dict[str, str]
    rows: int


Record = TypeVar("Record", Plan, Published)


class Staging:
    """The folder of one sink; used as a context, it is locked.

    root: folder of all of them.
    sink: the sink's name.

    Raises StoreError if another run holds the lock.
    """

    def __init__(self, root: Path, sink: str) -> None:
        self._sink = sink
        self.directory = root / sha256(sink.encode()).hexdigest()[:16]
        self._parts = self.directory / "parts"

    def __enter__(self) -> Staging:
        with room(self.directory):
            self._parts.mkdir(parents=True, exist_ok=True)
        try:
            self._lock = lock(self.directory)
        except StoreError as error:
            holder = str(error).partition("in process ")[2].partition(";")[0]
            raise StoreError(
                f"{self._sink}: another run writes it (process {holder}); allowed: one run a sink; wait for it, then "
                "run the same again"
            ) from error
        return self

    def __exit__(self, *error: object) -> None:
        os.close(self._lock)

    # What was published -----------------------------------------------------------------------------------------------

    def published(self, run_id: str, sink: Sink) -> Published | None:
        """What this run published, if the sink still has it."""
        stamp, record = sink.stamp(), self._read("published.json", Published)
        if record is not None and record.run_id == run_id and record.stamp == stamp:
            return record
        return Published(run_id, run_id, {}, 0) if stamp == run_id else None

    def note_published(self, record: Published) -> None:
        """Write down what the sink has, or is about to have."""
        self._write("published.json", record)

    # What is being made -----------------------------------------------------------------------------------------------

    @property
    def plan(self) -> Plan | None:
        """What the parts belong to."""
        return self._read("plan.json", Plan)

    def begin(self, plan: Plan, *, anew: bool = False) -> None:
        """Keep the parts if they are of this plan; else begin anew.

        Raises InputError if the run's id is that of the parts, and something else is not, unless `anew` allows it.
        """
        before = self.plan
        if before == plan:
            return
        if before is not None and before.run_id == plan.run_id and not anew:
            changed = [name for name in Plan.__struct_fields__ if getattr(before, name) != getattr(plan, name)]
            raise InputError(
                f"run {quoted(plan.run_id)} of {self._sink}: it was begun with another {listing(changed)}; allowed: "
                "the same until it is finished; restore it, or give another run id to begin anew"
            )
        self.forget_parts()
        self._parts.mkdir()
        self._write("plan.json", plan)

    def part(self, number: int) -> Path:
        """Where a part is, or will be."""
        return self._parts / f"{number:08}.arrow"

    def write(self, number: int, frame: pl.DataFrame) -> None:
        """Keep a part, whole or not at all. Raises StoreError."""
        with whole_file(self.part(number)) as partial:
            frame.write_ipc(partial)

    def staged(self, count: int, *, run_id: str, append: bool) -> Staged:
        """All parts, for the sink."""
        return Staged(run_id, tuple(self.part(number) for number in range(count)), append)

    def forget_parts(self) -> None:
        """Remove what was made for a plan."""
        (self.directory / "plan.json").unlink(missing_ok=True)
        shutil.rmtree(self._parts, ignore_errors=True)

    def finish(self) -> None:
        """Remove everything but what was published."""
        self.forget_parts()
        for name in ("source.parquet", "source.mark"):
            (self.directory / name).unlink(missing_ok=True)

    def _read(self, name: str, kind: type[Record]) -> Record | None:
        try:
            return msgspec.json.decode((self.directory / name).read_bytes(), type=kind)
        except (FileNotFoundError, msgspec.DecodeError):  # one of another version of unisono: nothing to go on from
            return None

    def _write(self, name: str, record: Plan | Published) -> None:
        with whole_file(self.directory / name) as partial:
            partial.write_bytes(msgspec.json.encode(record))
