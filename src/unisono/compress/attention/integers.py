"""Causal linear attention in whole numbers: event by event it has the same bits as over the whole sequence.

Sums of whole numbers do not depend on their order, so all that has to be shown is that none overflows: `most_events`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from hashlib import sha256
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from unisono.compress.attention.state import Layout
from unisono.spec.errors import InputError, ModelError, StateError
from unisono.spec.wording import one_line

TOP = 127
"""Largest absolute value of an event's numbers, of weights, queries, keys, values and answers."""

FEATURE_BITS = 8
FEATURE_TOP = 1 << FEATURE_BITS
"""Largest feature; the least is 1, so that no sum of weights is 0."""

MEAN_BITS = 6
"""What values are finer by, once they are averaged."""

INT32_TOP, INT64_TOP = (1 << 31) - 1, (1 << 63) - 1
MOST_SHIFT = 62
_CHUNK = 64  # events whose products with each other are taken at once, over a whole sequence
_VERSION = 1
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Linear:
    """given @ weights.T + bias, then requantised: clip((x * multiplier + half) >> shift, -TOP, TOP).

    weights:    outputs x inputs, -TOP to TOP.
    bias:       of each output, at most 2**31.
    multiplier: of each output, 0 to 2**31.
    shift:      1 to 62; half is 2**(shift - 1), so that halves are rounded up.
    """

    weights: Ints
    bias: Ints
    multiplier: Ints
    shift: int

    def __call__(self, given: Ints) -> Ints:
        """... x inputs -> ... x outputs."""
        sums = given @ self.weights.T + self.bias
        made: Ints = np.clip((sums * self.multiplier + (1 << self.shift >> 1)) >> self.shift, -TOP, TOP)
        return made


@dataclass(frozen=True)
class IntegerAttention:
    """An attention layer in whole numbers. `integer_attention_of` makes it of one in float.

    query, key, value: of an event.
    out:               of the means, which are 2**MEAN_BITS times as large as values.
    query_features:    the feature of each number from -TOP to TOP, 1 to FEATURE_TOP; of queries.
    key_features:      the same, of keys.
    heads:             that the width is cut into.
    event_scale:       what a step of an event's numbers is worth.
    answer_scale:      what a step of an answer's is worth.
    """

    query: Linear
    key: Linear
    value: Linear
    out: Linear
    query_features: Ints
    key_features: Ints
    heads: int
    event_scale: float
    answer_scale: float

    def __post_init__(self) -> None:
        """Proves that nothing can overflow. Raises ModelError, with the name of the part that could."""
        rows = [len(one.weights) for one in (self.query, self.key, self.value)] + [self.out.weights.shape[1]]
        if self.heads < 1 or len({*rows}) > 1 or rows[0] % self.heads:
            raise ModelError(
                f"integer attention: {self.heads} heads, and parts of {rows} numbers; allowed: as many of each, which "
                "the heads divide; make it with `integer_attention_of`"
            )
        for name, largest in (("query", TOP), ("key", TOP), ("value", TOP), ("out", TOP << MEAN_BITS)):
            _prove(name, getattr(self, name), largest)
        for name in _TABLES:
            table: Ints = getattr(self, name)
            if len(table) != 2 * TOP + 1 or table.min() < 1 or table.max() > FEATURE_TOP:
                seen = f"{len(table)} numbers from {table.min()} to {table.max()}"
                raise ModelError(
                    f"integer attention: {name}: {seen}; allowed: {2 * TOP + 1} from 1 to {FEATURE_TOP}; make it with "
                    "`integer_attention_of`"
                )

    @property
    def width(self) -> int:
        """Numbers of an event."""
        return int(self.query.weights.shape[1])

    @property
    def size(self) -> int:
        """Numbers of a head."""
        return len(self.query.weights) // self.heads

    @property
    def most_events(self) -> int:
        """So many can be summed.

        After n events a denominator is at most size x FEATURE_TOP^2 x n, and a numerator TOP times that; where they are
        divided, the one is shifted by MEAN_BITS + 1 and the other is added.
        """
        largest = self.size * FEATURE_TOP**2 * ((TOP << (MEAN_BITS + 1)) + 1)
        return INT64_TOP // largest

    def features(self, given: Ints) -> tuple[Ints, Ints, Ints]:
        """Features of queries and of keys, and values: each events x heads x size. given: events x width."""
        parts = (one(given).reshape(len(given), self.heads, self.size) for one in (self.query, self.key, self.value))
        query, key, value = parts
        return self.query_features[query + TOP], self.key_features[key + TOP], value

    def answers(self, numerators: Ints, denominators: Ints) -> Ints:
        """Means, rounded to the nearest with halves up, as the layer gives them: events x width.

        numerators:   events x heads x size.
        denominators: events x heads.
        """
        double = 2 * denominators[..., np.newaxis]
        means = ((numerators << (MEAN_BITS + 1)) + denominators[..., np.newaxis]) // double
        return self.out(means.reshape(len(means), -1))

    def over_all(self, events: Ints) -> Ints:
        """The answers to a whole sequence, in products of matrices. events, answers: events x width, -TOP to TOP.

        Raises InputError for numbers that do not fit, and for more events than can be summed.
        """
        given = self.checked(events)
        if len(given) > self.most_events:
            raise InputError(
                f"events: {len(given):,}; allowed: {self.most_events:,}, up to which no sum overflows; give fewer"
            )
        queries, keys, values = self.features(given)
        return self.answers(*_in_chunks(queries, keys, _with_ones(values)))

    def checked(self, events: Any) -> Ints:
        """Events as whole numbers: events x width. Raises InputError if they are none."""
        given = np.asarray(events)
        if given.ndim != 2 or given.shape[1] != self.width or given.dtype.kind not in "iu":
            seen = f"shape {list(given.shape)}, {given.dtype}"
            raise InputError(f"events: {seen}; allowed: whole numbers, events x {self.width}; correct them")
        if given.size and (given.max() > TOP or given.min() < -TOP):
            raise InputError(
                f"events: numbers from {given.min()} to {given.max()}; allowed: -{TOP} to {TOP}; divide them by "
                "`event_scale`, round and clip"
            )
        return given.astype(np.int64)

    def quantised(self, events: NDArray[Any]) -> Ints:
        """Real numbers as events."""
        made: Ints = np.clip(np.rint(events / self.event_scale), -TOP, TOP).astype(np.int64)
        return made

    def to_bytes(self) -> bytes:
        """All of it; `from_bytes` reads it."""
        return msgspec.msgpack.encode(_Stored(_VERSION, dict(_flat(self))))

    @classmethod
    def from_bytes(cls, content: bytes) -> IntegerAttention:
        """What `to_bytes` wrote. Raises StateError for other bytes."""
        try:
            stored = msgspec.msgpack.decode(content, type=_Stored)
            if stored.version != _VERSION:
                raise ValueError(f"version {stored.version}")
            return _unflat(stored.numbers)
        except (msgspec.DecodeError, ModelError, KeyError, ValueError, TypeError) as error:
            raise StateError(
                f"integer attention: {one_line(error)}; allowed: version {_VERSION}, as `to_bytes` writes it; write it "
                "again"
            ) from error


def _prove(name: str, linear: Linear, largest: int) -> None:
    """Sums fit int32, and so do multipliers; hence their products and the half that rounds fit int64.

    largest: of the inputs.
    """
    sums = int((np.abs(linear.weights).sum(axis=1) * largest + np.abs(linear.bias)).max())
    most, least = int(linear.multiplier.max()), int(linear.multiplier.min())
    if sums > INT32_TOP or not 0 <= least <= most <= INT32_TOP or not 1 <= linear.shift <= MOST_SHIFT:
        raise ModelError(
            f"integer attention: {name}: sums up to {sums:,}, multipliers {least:,} to {most:,}, shift {linear.shift}; "
            f"allowed: up to {INT32_TOP:,}, 0 to {INT32_TOP:,}, 1 to {MOST_SHIFT}, so that nothing overflows; make it "
            "of events as large as those that will come, or of a narrower layer"
        )


def _with_ones(values: Ints) -> Ints:
    """One more column, whose weighted sum is that of the weights."""
    return np.concatenate([values, np.ones_like(values[..., :1])], -1)


def _in_chunks(queries: Ints, keys: Ints, values: Ints) -> tuple[Ints, Ints]:
    """Numerators and denominators; the last column of the values is 1."""
    heads, size, columns = queries.shape[1], queries.shape[2], values.shape[2]
    before = np.zeros((heads, size, columns), np.int64)
    parts = [np.zeros((0, heads, columns), np.int64)]
    for start in range(0, len(queries), _CHUNK):
        query, key, value = (one[start : start + _CHUNK].transpose(1, 0, 2) for one in (queries, keys, values))
        square = np.tril(query @ key.transpose(0, 2, 1))
        parts.append((square @ value + query @ before).transpose(1, 0, 2))
        before = before + key.transpose(0, 2, 1) @ value
    made = np.concatenate(parts)
    return made[..., :-1], made[..., -1]


class IntegerRecurrence:
    """The same layer event by event. `begin()` is the state before the first one; states are bytes: see `state`."""

    __slots__ = ("_layout", "layer")

    def __init__(self, layer: IntegerAttention) -> None:
        self.layer = layer
        identity = sha256(layer.to_bytes()).digest()[:16]
        self._layout = Layout(identity, "<i8", ((layer.heads, layer.size, layer.size + 1),), layer.most_events)

    def begin(self) -> bytes:
        """The state before the first event."""
        return self._layout.begin()

    def step(self, state: bytes, event: NDArray[Any] | Sequence[int]) -> tuple[bytes, Ints]:
        """The state after an event, and the answer: numbers from -TOP to TOP.

        event: as many as the layer is wide, -TOP to TOP.

        Raises StateError for bytes that are no state of this layer, or have seen all events that can be summed;
        InputError for an event that does not fit.
        """
        events, [sums] = self._layout.read(state)
        queries, keys, values = self.layer.features(self.layer.checked(np.asarray(event)[np.newaxis]))
        after = sums + keys[0, :, :, np.newaxis] * _with_ones(values)[0, :, np.newaxis]
        mixed = (queries[0, :, np.newaxis] @ after)[:, 0]
        answer = self.layer.answers(mixed[np.newaxis, :, :-1], mixed[np.newaxis, :, -1])[0]
        return self._layout.write(events + 1, [after]), answer


class _Stored(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    version: int
    numbers: dict[str, bytes | int | float]


_LINEAR = ("query", "key", "value", "out")
_TABLES = ("query_features", "key_features")


def _flat(layer: IntegerAttention) -> Iterator[tuple[str, bytes | int | float]]:
    """Arrays little-endian; weights with their shape before them."""
    for name in _LINEAR:
        one: Linear = getattr(layer, name)
        yield f"{name}.rows", len(one.weights)
        for field in fields(one):
            value = getattr(one, field.name)
            yield f"{name}.{field.name}", value if isinstance(value, int) else value.astype("<i8").tobytes()
    for name in _TABLES:
        yield name, getattr(layer, name).astype("<i8").tobytes()
    yield from (("heads", layer.heads), ("event_scale", layer.event_scale), ("answer_scale", layer.answer_scale))


def _unflat(numbers: dict[str, Any]) -> IntegerAttention:
    def array(name: str) -> Ints:
        return np.frombuffer(numbers[name], "<i8").astype(np.int64)

    def linear(name: str) -> Linear:
        weights = array(f"{name}.weights").reshape(numbers[f"{name}.rows"], -1)
        return Linear(weights, array(f"{name}.bias"), array(f"{name}.multiplier"), numbers[f"{name}.shift"])

    query, key, value, out = map(linear, _LINEAR)
    return IntegerAttention(
        query=query,
        key=key,
        value=value,
        out=out,
        query_features=array("query_features"),
        key_features=array("key_features"),
        heads=numbers["heads"],
        event_scale=numbers["event_scale"],
        answer_scale=numbers["answer_scale"],
    )
