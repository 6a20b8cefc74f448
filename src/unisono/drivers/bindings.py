"""Which files unisono.toml binds to sources and predictors."""

from __future__ import annotations

from pathlib import Path

from unisono.drivers.config import FILE, Config
from unisono.spec.errors import InputError
from unisono.spec.project import Definitions
from unisono.spec.wording import did_you_mean, listing, quoted


def check_bindings(root: Path, config: Config, definitions: Definitions) -> None:
    """Raises InputError if unisono.toml binds something to what is not defined."""
    for section, bound, known in (
        ("events", config.events, definitions.sources),
        ("requests", config.requests, definitions.predictors),
        ("engines", config.engines, definitions.predictors),
        ("stream.engines", config.stream.engines, definitions.predictors),
        ("serve.models", config.serve.models, definitions.predictors),
    ):
        for name in bound:
            if name not in known:
                raise InputError(
                    f"{root / FILE}: [{section}] {quoted(name)} is not defined; "
                    f"allowed: {listing(known)}; {did_you_mean(name, known)}"
                )


def event_file(root: Path, config: Config, source: str) -> Path:
    """The file with a source's events. Raises InputError if there is none."""
    if source not in config.events:
        raise InputError(
            f"source {source} has no file; allowed: one a source; "
            f'add `{source} = "data/{source}.parquet"` to [events] in {root / FILE}'
        )
    return root / config.events[source]


def request_file(root: Path, config: Config, predictor: str) -> Path:
    """The file with a predictor's requests. Raises InputError if there is none."""
    if predictor not in config.requests:
        raise InputError(
            f"predictor {predictor} has no file of requests; allowed: one a predictor, or a frame; "
            f'add `{predictor} = "data/requests.parquet"` to [requests] in {root / FILE}'
        )
    return root / config.requests[predictor]
