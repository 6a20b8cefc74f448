"""The batch driver: training frames, predictions of frames, and of whole tables from any source to any sink."""

from importlib import import_module
from typing import TYPE_CHECKING

from unisono.drivers.batch.frames import (
    CHUNK_ROWS,
    asked_table,
    features_of_requests,
    score_table,
    training_frame,
    with_outputs,
)

if TYPE_CHECKING:
    from unisono.drivers.batch.run import BatchReport, run_batch

__all__ = [
    "CHUNK_ROWS",
    "BatchReport",
    "asked_table",
    "features_of_requests",
    "run_batch",
    "score_table",
    "training_frame",
    "with_outputs",
]

# Tables outside need pyarrow and more; a training frame does not wait for them.
_LAZY = ("BatchReport", "run_batch")

if not TYPE_CHECKING:  # a type checker that saw this would take every misspelt name for an object

    def __getattr__(name: str) -> object:
        if name not in _LAZY:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module("unisono.drivers.batch.run"), name)
