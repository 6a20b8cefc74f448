"""The prediction log, in a worker: what was answered is packed some rows at a time, and sent on without waiting."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import msgspec

from unisono.drivers.online.plan import OnlinePlan
from unisono.drivers.online.reading import Known, now_us
from unisono.drivers.scores import Outputs, Row
from unisono.drivers.serving.batches import Batch
from unisono.drivers.serving.operations.blocks import (
    NUMBERS,
    Block,
    frame_of,
    packed_columns,
    packed_outputs,
    packed_positions,
)
from unisono.drivers.serving.operations.channel import Channel
from unisono.models.row_encoder import getter
from unisono.models.tensors import ELEMENTS
from unisono.spec.types import DType, Tensor

_ROWS = 64  # of a block: what packing costs by the block is then nothing a row, and it takes 0.1 ms
_BYTES = 1 << 18


class _Part(NamedTuple):
    """What a batch leaves to be packed; not its calls, which hold the bodies of requests.

    known:   what is known about all rows, together or call by call.
    outputs: of all rows.
    ids:     the name of each call, and calls: what is known about each.
    """

    known: Sequence[Known]
    outputs: Outputs
    ids: Sequence[str]
    calls: Sequence[Known]


class _Packer:
    """Packs requests: numbers as their bytes, the rest as it is.

    columns: of a request, in order.
    """

    __slots__ = ("_others", "_pack", "_take", "_width")

    def __init__(self, columns: Mapping[str, DType]) -> None:
        numbers = [place for place, dtype in enumerate(columns.values()) if dtype.name == NUMBERS]
        self._width = len(numbers)
        self._pack = struct.Struct(f"<{self._width}d").pack
        self._take = getter(numbers)
        self._others = getter([place for place in range(len(columns)) if place not in numbers])

    def pack(self, rows: list[Row]) -> tuple[bytes, list[Row]]:
        """See `Block`: numbers, rows."""
        if not self._width:
            return b"", rows
        pack, take = self._pack, self._take
        try:
            numbers = b"".join([pack(*take(row)) for row in rows])
        except struct.error:  # there is a null
            return b"", rows
        return numbers, list(map(self._others, rows))


class PredictionLog:
    """Packs answers, and hands them to the writer. For the loop's thread.

    plans:   of the predictors that are served.
    channel: to the writer.
    clock:   gives microseconds.
    """

    def __init__(self, plans: Sequence[OnlinePlan], channel: Channel, *, clock: Callable[[], int] = now_us) -> None:
        self._channel = channel
        self._clock = clock
        self._columns: Mapping[str, msgspec.Raw] = {plan.name: packed_columns(plan.columns) for plan in plans}
        self._packers = {plan.name: _Packer(plan.columns) for plan in plans}
        self._most = {plan.name: max(1, min(_ROWS, _BYTES // row_bytes(plan))) for plan in plans}
        self._waiting: dict[tuple[str, str, bool], list[_Part]] = {}
        self._rows = 0

    def answered(self, predictor: str, batch: Batch) -> None:
        """Take in the answers of a batch. Rows that the model failed on have none."""
        ids = [call.request_id for call in batch.calls]
        if batch.outputs is not None:
            known = batch.known if batch.together is None else [batch.together]
            self._add((predictor, batch.answers.id, batch.shadow), _Part(known, batch.outputs, ids, batch.known))
            return
        for one, outcome, name in zip(batch.known, batch.alone, ids, strict=True):
            if not isinstance(outcome, Exception):
                self._add((predictor, batch.answers.id, batch.shadow), _Part([one], outcome, [name], [one]))

    def _add(self, key: tuple[str, str, bool], part: _Part) -> None:
        parts = self._waiting.get(key)
        if parts is None:
            self._waiting[key] = [part]
        else:
            parts.append(part)
        for known in part.known:
            self._rows += len(known.times)
        if self._rows >= self._most[key[0]]:
            self.tick()

    def tick(self) -> None:
        """Pack what waits, and send what the writer takes. To be called a few times a second."""
        waiting, rows = self._waiting, self._rows
        self._waiting, self._rows = {}, 0  # whatever happens, it is not tried again
        if rows and self._channel.is_full:
            self._channel.drop(rows)
        else:
            for (predictor, version, shadow), parts in waiting.items():
                self._channel.offer(frame_of(self._block(predictor, version, shadow, parts)))
        self._channel.push()

    def close(self) -> None:
        """Hand over the rest."""
        self.tick()
        self._channel.close()

    def _block(self, predictor: str, version: str, shadow: bool, parts: Sequence[_Part]) -> Block:
        known = [one for part in parts for one in part.known]
        return Block(
            predictor,
            self._columns[predictor],
            version,
            shadow,
            self._clock(),
            *self._packers[predictor].pack([row for one in known for row in one.rows]),
            packed_positions(known),
            b"".join([one.features.tobytes() for one in known]),
            packed_outputs([part.outputs for part in parts]),
            _ids(parts),
        )


def _ids(parts: Sequence[_Part]) -> list[str]:
    """The id of each row; empty if none has one."""
    if not any(one for part in parts for one in part.ids):
        return []
    return [one for part in parts for known, one in zip(part.calls, part.ids, strict=True) for _ in known.times]


def row_bytes(plan: OnlinePlan) -> int:
    """About how many bytes a row takes."""
    tensors = [dtype for dtype in plan.columns.values() if isinstance(dtype, Tensor)]
    size = sum(dtype.size * ELEMENTS[dtype.element]().itemsize for dtype in tensors)
    return size + 8 * (len(plan.features) + len(plan.columns) - len(tensors) + 2)
