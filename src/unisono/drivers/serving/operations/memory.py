"""What a worker's versions take and what waits for them, for the metrics."""

from __future__ import annotations

from collections.abc import Collection

from unisono.drivers.serving.lanes import Lanes
from unisono.drivers.serving.operations.metrics import Load, Memory
from unisono.drivers.serving.versions.changing import ChangingCatalogue
from unisono.drivers.serving.versions.slots import Slot


def memory_of(catalogue: ChangingCatalogue, lanes: Lanes) -> Memory:
    """How a worker is doing now."""
    loads = [_load(name, slots, lanes) for name, slots in catalogue.slots.items()]
    return Memory(catalogue.shelf.evictions, lanes.dropped, loads)


def _load(predictor: str, slots: Collection[Slot], lanes: Lanes) -> Load:
    loaded = [slot.size_bytes for slot in slots if slot.lane.answers is not None]
    return Load(
        predictor,
        sum(slot.lane.rows for slot in slots),
        max((lanes.expected_wait_s(slot.lane) for slot in slots), default=0.0),
        len(loaded),
        sum(loaded),
    )
