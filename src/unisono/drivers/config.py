"""unisono.toml: where a project's definitions and data are."""

from __future__ import annotations

import tomllib
from pathlib import Path

import msgspec

from unisono.drivers.schedule.settings import Cost, ScheduleSettings
from unisono.drivers.serving.settings import Serve
from unisono.spec.errors import InputError, StoreError

FILE = "unisono.toml"


class Registry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where it is known which versions there are.

    url:       `postgresql://USER@HOST/DATABASE`, `sqlite:///FILE`, or the path of a SQLite file.
    artifacts: a folder, or a URL of fsspec, as `s3://bucket/folder`.
    trusted:   PEM files with public keys: an artifact that none of them has signed is refused. Empty: any is read.

    Empty url, artifacts: a file and a folder in the project's store.
    """

    url: str = ""
    artifacts: str = ""
    trusted: list[str] = []

    def __repr__(self) -> str:
        return "Registry(...)"  # a password may be in its URLs


class Stream(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """[stream]: how a stream answers.

    engines: predictor -> engine that runs its graph; onnxruntime, where none is named.
    """

    engines: dict[str, str] = {}


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What unisono.toml says. Paths are relative to its folder.

    definitions: module file with the sources, views and predictors.
    store:       folder for log, states and predictions.
    events:      source -> file with its events.
    requests:    predictor -> file with its requests.
    engines:     predictor -> engine that scores its tables; onnxruntime, where none is named.
    stream:      what answers requests of the log.
    schedules:   name -> when which prediction is made.
    cost:        what computing costs; None: runs have no cost.
    """

    definitions: str
    store: str = ".unisono"
    events: dict[str, str] = {}
    requests: dict[str, str] = {}
    engines: dict[str, str] = {}
    stream: Stream = Stream()
    serve: Serve = Serve()
    registry: Registry = Registry()
    schedules: dict[str, ScheduleSettings] = {}
    cost: Cost | None = None


def read_config(root: Path) -> Config:
    """The configuration of the project in a folder. Raises StoreError if there is none, InputError if it is wrong."""
    path = root / FILE
    if not path.is_file():
        raise StoreError(f"{root}: there is no {FILE}; make a project: `unisono init {root}`")
    try:
        content = tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not TOML ({error}); correct that line") from error
    try:
        return msgspec.convert(content, Config)
    except msgspec.ValidationError as error:
        allowed = (
            "definitions, store, [events], [requests], [engines], [stream], [serve], [registry], "
            "[schedules.NAME], [cost]"
        )
        raise InputError(f"{path}: {error}; allowed: {allowed}; correct or remove it") from error
