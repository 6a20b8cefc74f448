"""What of unisono.toml can be taken over while the server runs."""

from __future__ import annotations

from msgspec.structs import replace

from unisono.drivers.serving.settings import Model, Serve

_AT_START = ("host", "port", "grpc", "log", "metrics", "tracing", "access")
"""Sections, and values of [serve], by which processes and sockets are made."""


def taken_over(now: Serve, read: Serve) -> tuple[Serve, list[str]]:
    """The settings from now on, and what of those that were read has to wait for a restart.

    now:  by which the server was started, or which it took over since.
    read: of unisono.toml as it is now.
    """
    waiting = [name for name in _AT_START if getattr(read, name) != getattr(now, name)]
    kept = {name: getattr(now, name) for name in _AT_START}
    workers = replace(read.workers, count=now.workers.count, silence_s=now.workers.silence_s)
    if workers != read.workers:
        waiting.append("workers")
    http = read.http
    if bool(http.certificate) != bool(now.http.certificate):
        http = replace(http, certificate=now.http.certificate, key=now.http.key)
        waiting.append("http.certificate")
    models = {name: replace(one, engine=_engine(now, name)) for name, one in read.models.items()}
    if models != read.models:
        waiting.append("models.engine")
    return replace(read, **kept, workers=workers, http=http, models=models), waiting


def _engine(settings: Serve, predictor: str) -> str:
    return settings.models.get(predictor, Model()).engine
