"""A project: definitions, data and stores in one folder, and everything that can be run with them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from unisono.connect.log import Log, LogWriter
from unisono.drivers import batch
from unisono.drivers.bindings import check_bindings, event_file, request_file
from unisono.drivers.config import Config, read_config
from unisono.drivers.definitions import load_definitions
from unisono.drivers.ingest import (
    check_requests,
    event_batch,
    fill,
    is_taken_in,
    look_of,
    note_taken_in,
    read_events,
    read_requests,
    request_batch,
)
from unisono.drivers.interrupts import interruptible
from unisono.drivers.predictors import ReadyPredictor, make_predictor_ready
from unisono.features.frames import to_polars
from unisono.features.places import Place
from unisono.models.names import REFERENCE_ENGINE
from unisono.spec.errors import InputError, StoreError
from unisono.spec.progress import Progress, no_progress
from unisono.spec.project import Definitions
from unisono.spec.wording import did_you_mean, listing, quoted

if TYPE_CHECKING:  # each is loaded by the method that needs it: a training frame waits for no server
    from unisono.compress.recipe import Recipe
    from unisono.compress.search.space import Space
    from unisono.compress.search.study import Sampler
    from unisono.drivers.compressing import Compressed
    from unisono.drivers.online.predictor import OnlinePredictor
    from unisono.drivers.parity import ParityReport
    from unisono.drivers.registering import Registered
    from unisono.drivers.scoring import Scorer
    from unisono.drivers.searching import Searched
    from unisono.drivers.serving.mounted import Mounted
    from unisono.drivers.serving.start import Wishes
    from unisono.drivers.serving.workers.reports import Event
    from unisono.drivers.stream import StreamReport, StreamRun
    from unisono.store.registry import Registry
    from unisono.store.states import StateStore


def load(path: str | Path) -> Project:
    """The project in a folder. This runs its definitions module.

    Raises StoreError if there is none, InputError for a wrong unisono.toml, DefinitionError for wrong definitions.
    """
    root = Path(path).resolve()
    config = read_config(root)
    definitions = load_definitions(root / config.definitions)
    project = Project(root, config, definitions)
    project.check_bindings()
    return project


@dataclass(frozen=True)
class Project:
    """Definitions, data and stores of one folder.

    root:        the folder.
    config:      its unisono.toml.
    definitions: what its module defines.
    """

    root: Path
    config: Config
    definitions: Definitions
    _ready: dict[str, ReadyPredictor] = field(default_factory=dict, repr=False)

    # What there is ----------------------------------------------------------------------------------------------------

    @property
    def store_path(self) -> Path:
        """Where log, states and predictions are; registry and artifacts too, unless unisono.toml says otherwise."""
        return self.root / self.config.store

    @cached_property
    def registry(self) -> Registry:
        """The versions of its predictors. Raises StoreError if it cannot be reached."""
        from unisono.drivers.registries import open_registry

        return open_registry(self.root, self.config)

    def ready(self, predictor: str) -> ReadyPredictor:
        """A predictor, traced and compiled. Raises InputError if there is none of this name, DefinitionError."""
        if predictor not in self._ready:
            known = self.definitions.predictors
            if predictor not in known:
                raise InputError(
                    f"predictor {quoted(predictor)}: there is none; allowed: {listing(known)}; "
                    f"{did_you_mean(predictor, known)}"
                )
            self._ready[predictor] = make_predictor_ready(known[predictor])
        return self._ready[predictor]

    def check_bindings(self) -> None:
        """Raises InputError if unisono.toml binds data to something that is not defined."""
        check_bindings(self.root, self.config, self.definitions)

    def events(self, predictor: str) -> Mapping[str, pl.DataFrame]:
        """The events of a predictor's sources, from their files. Raises InputError if a source has no file."""
        return {name: self._events_of(name) for name in self.ready(predictor).spec.sources}

    def _events_of(self, source: str) -> pl.DataFrame:
        return read_events(self.definitions.sources[source], self.event_file(source))

    def event_file(self, source: str) -> Path:
        """The file with a source's events. Raises InputError if unisono.toml names none."""
        return event_file(self.root, self.config, source)

    def requests(self, predictor: str) -> pl.DataFrame:
        """A predictor's requests from their file."""
        return read_requests(self.ready(predictor).spec, self.request_file(predictor))

    def request_file(self, predictor: str) -> Path:
        """The file with a predictor's requests. Raises InputError if unisono.toml names none."""
        return request_file(self.root, self.config, predictor)

    def _asked(self, predictor: str, requests: object | None) -> pl.DataFrame:
        if requests is None:
            return self.requests(predictor)
        place = Place(f"requests of predictor {predictor}")
        return check_requests(self.ready(predictor).spec, to_polars(requests, place), place)

    # Batch ------------------------------------------------------------------------------------------------------------

    def training_frame(self, predictor: str, requests: object | None = None) -> pl.DataFrame:
        """The point-in-time training frame: request columns, features, derived columns, the label last.

        requests: a frame of requests; None: those of the file in unisono.toml. Columns that are neither asked nor
                  needed to find the label are left out.

        Raises InputError, DefinitionError, StoreError.
        """
        return batch.training_frame(self.ready(predictor), self._asked(predictor, requests), self.events(predictor))

    def register(
        self,
        predictor: str,
        model: object,
        *,
        sample: object,
        columns: list[str] | None = None,
        bound: float | None = None,
        metrics: Mapping[str, float] | None = None,
        key: bytes | None = None,
        alias: str | None = "champion",
        by: str | None = None,
        why: str = "",
        progress: Progress = no_progress,
    ) -> Registered:
        """Import a fitted model into one graph, verify it, keep it as a version, and let that answer.

        model:   what an importer takes: LightGBM, a scikit-learn pipeline, ...
        sample:  rows of the training frame, on which graph and model are compared; some are kept as golden rows. Where
                 they have the label, the version's metrics are computed from them.
        columns: the model's inputs in the order it was fitted with, if it does not know their names.
        bound:   the largest difference between graph and model that is accepted, absolute or relative; None: 1e-6, or
                 1e-5 for a graph that sums float32 numbers.
        metrics: your own, to be kept with the version.
        key:     content of the PEM file of an Ed25519 key that signs the artifact.
        alias:   that the version gets; None: none, so that what answers stays as it is.
        by, why: for the history; by is your login name if you do not say.

        Raises ModelError if the model cannot be imported, wants other inputs, or differs by more than the bound.
        """
        from unisono.drivers.registering import Terms, register

        terms = Terms(columns=columns, bound=bound, metrics=metrics or {}, key=key, alias=alias, by=by, why=why)
        rows = to_polars(sample, Place("sample"))
        return register(
            self.ready(predictor),
            self.registry,
            model,
            sample=rows,
            terms=terms,
            folder=self.root,
            progress=progress,
        )

    def compress(
        self,
        predictor: str,
        recipe: Recipe | Path | str,
        model: object | None = None,
        *,
        data: object | None = None,
        unlabelled: object | None = None,
        columns: list[str] | None = None,
        key: bytes | None = None,
        alias: str | None = "challenger",
        register: bool = True,
        by: str | None = None,
        why: str = "",
        progress: Progress = no_progress,
    ) -> Compressed:
        """Make a fitted model smaller by a recipe, measure both side by side, and keep the result as a version.

        recipe:     a Recipe, or the path of its TOML file; see docs/compress.md.
        model:      the fitted model, as `register` takes it; None: the graph of the champion, which steps that work on
                    modules of torch cannot use.
        data:       rows with what the model reads, the label, and the columns that slices are made by; None: the
                    training frame. Some are set aside, and the report judges by those.
        unlabelled: rows with what the model reads, to distil on.
        register:   False: only the report is made.

        Stages are kept in the project's store; the same recipe with the same parts uses them again.

        Raises DefinitionError for a wrong recipe, InputError for data that do not fit, ModelError for a model that a
        step cannot work on, and for a result over the recipe's budget: then nothing is registered.
        """
        from unisono.compress.recipe import Recipe, read_recipe
        from unisono.drivers.compressing import compress
        from unisono.drivers.registering import Terms

        chosen = recipe if isinstance(recipe, Recipe) else read_recipe(Path(recipe))
        return compress(
            self.ready(predictor),
            self.registry,
            self._model_or_champion(predictor, model),
            chosen,
            frame=self._rows(predictor, data),
            unlabelled=None if unlabelled is None else to_polars(unlabelled, Place("unlabelled data")),
            terms=Terms(columns=columns, key=key, alias=alias, by=by, why=why),
            register=register,
            folder=self._compress_path(predictor),
            root=self.root,
            progress=progress,
        )

    def search(
        self,
        predictor: str,
        space: Space | Path | str,
        model: object | None = None,
        *,
        trials: int,
        data: object | None = None,
        unlabelled: object | None = None,
        columns: list[str] | None = None,
        sampler: Sampler = "tpe",
        seed: int = 0,
        progress: Progress = no_progress,
    ) -> Searched:
        """Look for recipes that make a fitted model smaller, good in accuracy, size and latency together.

        space:   a Space, or the path of its TOML file: a recipe with ranges; see docs/compression-search.md.
        trials:  recipes that are tried, those of an earlier run of the same search included.
        sampler: what proposes: "tpe", "nsga2" or "random".

        The others are those of `compress`. Everything is chosen by the validation rows. Raises what `compress` raises.
        """
        from unisono.compress.search.space import Space, read_space
        from unisono.drivers.searching import search

        return search(
            self.ready(predictor),
            self._model_or_champion(predictor, model),
            space if isinstance(space, Space) else read_space(Path(space)),
            frame=self._rows(predictor, data),
            unlabelled=None if unlabelled is None else to_polars(unlabelled, Place("unlabelled data")),
            columns=columns,
            trials=trials,
            sampler=sampler,
            seed=seed,
            folder=self._compress_path(predictor),
            progress=progress,
        )

    def _model_or_champion(self, predictor: str, model: object | None) -> object:
        if model is not None:
            return model
        from unisono.drivers.compressing import version_of

        return version_of(self.registry, self.registry.active(predictor))

    def _rows(self, predictor: str, data: object | None) -> pl.DataFrame:
        return self.training_frame(predictor) if data is None else to_polars(data, Place("data"))

    def _compress_path(self, predictor: str) -> Path:
        return self.store_path / "compress" / predictor

    def scorer(self, predictor: str, version: str | None = None, *, engine: str = REFERENCE_ENGINE) -> Scorer:
        """A version ready to answer: the champion, or the one named. Raises StoreError if there is none.

        version: id, its first digits, or an alias.
        engine:  what runs its graph: "trees" is quicker for trees, with the same bits; see docs/engines.md.

        Raises ModelError if the engine cannot run the graph, or does not pass the version's golden rows.
        """
        from unisono.drivers.scoring import Scorer

        chosen = self.registry.active(predictor) if version is None else self.registry.version(predictor, version)
        return Scorer(self.registry, chosen, self.ready(predictor).feature_names, engine=engine)

    def table_scorer(self, predictor: str, version: str | None = None, *, engine: str | None = None) -> Scorer:
        """The same for the rows of tables. engine: None: as unisono.toml says."""
        return self.scorer(predictor, version, engine=engine or self.table_engine(predictor))

    def table_engine(self, predictor: str) -> str:
        """What runs a predictor's graph over tables, as unisono.toml says."""
        return self.config.engines.get(predictor, REFERENCE_ENGINE)

    def predict(
        self,
        predictor: str,
        requests: object | None = None,
        *,
        version: str | None = None,
        engine: str | None = None,
        chunk: int = batch.CHUNK_ROWS,
        progress: Progress = no_progress,
    ) -> pl.DataFrame:
        """Predictions of a frame: its columns, then the outputs of the graph. For a table outside see `run_batch`.

        requests: a frame; None: the file in unisono.toml.
        version:  id of the version that answers, its first digits, or an alias; None: the champion.
        engine:   what runs its graph, see `scorer`; None: as unisono.toml says.
        chunk:    rows scored at a time.
        """
        ready, scorer = self.ready(predictor), self.table_scorer(predictor, version, engine=engine)
        asked = self._asked(predictor, requests)
        progress("computing features", 0, asked.height)
        features = batch.features_of_requests(ready, asked, self.events(predictor))
        return batch.score_table(scorer, asked, features, chunk=chunk, progress=progress)

    # Stream -----------------------------------------------------------------------------------------------------------

    @property
    def log_path(self) -> Path:
        """The embedded log."""
        return self.store_path / "log"

    def ingest(self, *, progress: Progress = no_progress) -> int:
        """Append to the log what the bound files hold and it lacks; returns how many rows that were.

        Raises StoreError if another process writes the log or the disk is full, InputError for rows that do not fit.
        """
        spec, config = self.definitions, self.config
        files = [self.root / path for path in (*config.events.values(), *config.requests.values())]
        looks, record = look_of(files), self.store_path / "taken-in.json"
        if is_taken_in(record, looks, self.log_path):
            return 0
        batches = [event_batch(spec.sources[name], self._events_of(name)) for name in sorted(self.config.events)]
        batches += [request_batch(spec.predictors[name], self.requests(name)) for name in sorted(self.config.requests)]
        with LogWriter(self.log_path) as writer:
            rows = fill(writer, batches, progress)
            note_taken_in(record, looks, writer.end.position)
            return rows

    def stream(
        self,
        predictor: str,
        *,
        batch: int | None = None,
        until: int | None = None,
        ingest: bool = True,
        progress: Progress = no_progress,
    ) -> StreamReport:
        """Go on with the log: fold events, answer requests, commit; to the end that the log has when this begins.

        batch:  rows of the log a commit.
        until:  position to stop at, if it comes before the end.
        ingest: whether to append first what the bound files hold and the log lacks.

        SIGINT stops after the commit under way. Exactly once: a run that was killed is continued, not repeated.
        """
        from unisono.drivers.stream import BATCH_ROWS

        if ingest:
            self.ingest(progress=progress)
        with self.open_stream(predictor) as run, interruptible() as should_stop:
            return run.advance(batch=batch or BATCH_ROWS, until=until, should_stop=should_stop, progress=progress)

    def open_stream(self, predictor: str) -> StreamRun:
        """The predictor's stream, to be advanced step by step; close it to let another process write."""
        from unisono.drivers.stream import StreamRun

        return StreamRun(
            self.ready(predictor), Log(self.log_path), self._stream_scorer(predictor), self._stream_path(predictor)
        )

    def _stream_scorer(self, predictor: str) -> Scorer:
        return self.scorer(predictor, engine=self.config.stream.engines.get(predictor, REFERENCE_ENGINE))

    def _stream_path(self, predictor: str) -> Path:
        return self.store_path / "streams" / predictor

    def predictions(self, predictor: str) -> pl.DataFrame:
        """What the stream answered: request columns, position, version, feature bits, `prediction.NAME` columns."""
        path = self._stream_path(predictor) / "predictions"
        blocks = Log(path).read() if path.is_dir() else ()
        frames = [part.frame for block in blocks for part in block.parts]
        if not frames:
            raise StoreError(f"predictor {predictor}: nothing is predicted yet; run `unisono stream {predictor}`")
        return pl.concat(frames)

    def served(self, predictor: str, *, details: bool = False) -> pl.DataFrame:
        """What the server answered, if unisono.toml says `predictions = true` in [serve.log]: the same columns.

        details: also when it was answered (`served.at`), the caller's name for the request (`served.request_id`), and
                 the answers that nobody was given (`served.shadow`).
        """
        from unisono.store.served import read_served

        rows = read_served(self.served_path(predictor), details=details)
        if rows is None:
            raise StoreError(
                f"predictor {predictor}: nothing is written down of what was served; set `predictions = true` in "
                "[serve.log] and run `unisono serve`"
            )
        return rows

    def served_path(self, predictor: str) -> Path:
        """Where the server writes down what it answered."""
        return self.store_path / "served" / predictor

    # Online -----------------------------------------------------------------------------------------------------------

    @property
    def answering(self) -> list[str]:
        """The predictors that have a champion, in the order of their definition."""
        with_champion = {entry.name for entry in self.registry.predictors() if entry.champion}
        return [name for name in self.definitions.predictors if name in with_champion]

    def online(self, predictor: str) -> OnlinePredictor:
        """The predictor over its stream's state, to answer single requests in this process.

        Raises StoreError if there is no version or no state yet.
        """
        from unisono.drivers.online.plan import plan_of
        from unisono.drivers.online.predictor import OnlinePredictor

        plan = plan_of(self.ready(predictor))
        return OnlinePredictor(plan, self.states(predictor), self.scorer(predictor).of_rows(plan.columns))

    def states(self, predictor: str) -> StateStore:
        """The states that its stream keeps. Raises StoreError if there are none yet."""
        from unisono.store.states import StateStore

        return StateStore(self.state_path(predictor), self.ready(predictor).identities)

    def state_path(self, predictor: str) -> Path:
        """Where they are."""
        return self._stream_path(predictor) / "state"

    def serve(
        self,
        wishes: Wishes | None = None,
        *,
        announce: Callable[[str], None] = lambda address: None,
        report: Callable[[Event], None] = lambda event: None,
    ) -> None:
        """Serve every predictor that has a version over HTTP, until the process is told to stop.

        wishes:   where to listen, how many workers; None: as unisono.toml says.
        announce: called with the address once it can be reached.
        report:   told what happens.
        """
        from unisono.drivers.serving.start import Wishes, serve

        serve(self, wishes or Wishes(), announce=announce, report=report)

    def asgi(self) -> Mounted:
        """The same as an ASGI application in this process, to be mounted into FastAPI or Starlette.

        Raises StoreError if no predictor has a version.
        """
        from unisono.drivers.serving.mounted import Mounted

        return Mounted(self)

    # Proof ------------------------------------------------------------------------------------------------------------

    def parity(
        self, predictor: str, *, plant: str | None = None, ingest: bool = True, progress: Progress = no_progress
    ) -> ParityReport:
        """Run every driver over the same log and compare features and predictions, bit by bit.

        plant:  a fault to put into one driver's inputs, as a test of this test: KIND:DRIVER, see `parity.PLANTS`.
        ingest: whether to append first what the bound files hold and the log lacks.
        """
        from unisono.drivers.parity import run_parity

        if ingest:
            self.ingest(progress=progress)
        scorer = self.scorer(predictor)
        return run_parity(self.ready(predictor), Log(self.log_path), scorer, plant=plant, progress=progress)
