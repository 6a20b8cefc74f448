"""Where a version comes from: its data, its definitions, the code that made it. No clock: the history has the time."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib.metadata import version as version_of
from pathlib import Path

import msgspec
import polars as pl

from unisono import __version__
from unisono.drivers.predictors import ReadyPredictor
from unisono.spec.ids import content_id

FORMAT = 1

_LIBRARIES = ("numpy", "onnx", "onnxruntime", "polars")
_GIT_PATIENCE_S = 10


class SampleJson(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The rows that graph and model were compared on.

    rows:        how many.
    first, last: times of requests among them, RFC 3339; None: the sample does not say.
    """

    rows: int
    first: str | None
    last: str | None


class CommitJson(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The state of the project's folder in git.

    commit:     its hash.
    is_changed: whether a file that git knows differs from it.
    """

    commit: str
    is_changed: bool


class LineageJson(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """lineage.json.

    predictor: content id of its definition; sources and views: those of theirs, by name.
    model:     what fitted it, e.g. "lightgbm 4.7.0".
    versions:  of Python and the libraries that made the artifact.
    git:       None: the project is in no repository.
    """

    format: int
    predictor: str
    sources: dict[str, str]
    views: dict[str, str]
    sample: SampleJson
    model: str
    versions: dict[str, str]
    git: CommitJson | None


def lineage_of(ready: ReadyPredictor, sample: pl.DataFrame, *, library: str, folder: Path | None) -> LineageJson:
    """The lineage of a version that is being registered.

    library: that fitted the model.
    folder:  of the project; None: it has none.
    """
    spec, graphs = ready.spec, ready.graphs
    return LineageJson(
        format=FORMAT,
        predictor=content_id(spec, graphs),
        sources={name: content_id(source, graphs) for name, source in spec.sources.items()},
        views={view.name: content_id(view, graphs) for view in spec.features},
        sample=_sample(sample, spec.time),
        model=library,
        versions={
            "python": platform.python_version(),
            "unisono": __version__,
            **{name: version_of(name) for name in _LIBRARIES},
        },
        git=None if folder is None else _commit(folder),
    )


def lineage_json(lineage: LineageJson) -> bytes:
    """As a file of the artifact: the same bytes for the same lineage."""
    return msgspec.json.encode(lineage, order="sorted")


def _sample(sample: pl.DataFrame, time: str) -> SampleJson:
    column = sample.get_column(time) if time in sample.columns else pl.Series(dtype=pl.Null)
    if not isinstance(column.dtype, pl.Datetime) or column.dtype.time_zone is None:
        return SampleJson(sample.height, None, None)
    shown = column.dt.convert_time_zone("UTC").dt.to_string("%Y-%m-%dT%H:%M:%S%.6fZ").drop_nulls().sort()
    times: list[str] = shown.to_list()
    return SampleJson(sample.height, *((times[0], times[-1]) if times else (None, None)))


def _commit(folder: Path) -> CommitJson | None:
    commit = _git(folder, "rev-parse", "--verify", "HEAD")
    if commit is None or commit.returncode != 0:
        return None
    changed = _git(folder, "diff", "--quiet", "HEAD", "--", ".")
    return CommitJson(commit.stdout.strip(), changed is None or changed.returncode != 0)


def _git(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str] | None:
    """What git says; None if there is no git, or if it does not end."""
    command = ["git", "-C", str(folder), *arguments]
    environment = {**os.environ, "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0"}
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=_GIT_PATIENCE_S, env=environment)
    except (OSError, subprocess.TimeoutExpired):
        return None
