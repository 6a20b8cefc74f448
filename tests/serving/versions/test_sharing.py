"""Callers shared out among versions."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

import unisono as un
from tests.drivers.streams import RISK, ready
from unisono.drivers.online.plan import OnlinePlan, plan_of
from unisono.drivers.scores import Row
from unisono.drivers.serving.versions.sharing import Sticky, shares

COLUMNS = {"amount": un.Float64, "note": un.String, "ok": un.Bool, "asked_at": un.Timestamp}
KEYLESS = OnlinePlan("late", COLUMNS, "asked_at", (), ())


def test_an_entity_is_always_at_the_same_place_whatever_else_its_request_says() -> None:
    sticky = Sticky(plan_of(ready()))
    assert list(RISK.columns) == ["user", "shop", "note", "asked_at"]
    rows: list[Row] = [("u1", 7, "hello", 5), ("u1", 7, None, 6), ("u1", 7, "other", None)]
    assert len({sticky.place([row]) for row in rows}) == 1
    others: list[Row] = [("u2", 7, "hello", 5), ("u1", 8, "hello", 5)]
    assert len({sticky.place([row]) for row in [rows[0], *others]}) == 3


def test_the_place_is_what_the_documents_say() -> None:
    """As another implementation would have it: these bytes are part of the contract."""
    from hashlib import blake2b

    import msgspec

    packed = msgspec.msgpack.encode(["risk", [["u1", 7]]])
    number = int.from_bytes(blake2b(packed, digest_size=8).digest(), "big")
    assert Sticky(plan_of(ready())).place([("u1", 7, "hello", 5)]) == pytest.approx(number / 2**64, abs=2**-52)


def test_without_keys_it_is_the_whole_request_but_its_time() -> None:
    sticky = Sticky(KEYLESS)
    assert sticky.place([(1.5, "a", None, 5)]) == sticky.place([(1.5, "a", None, None)])
    places = {sticky.place([(amount, note, ok, 5)]) for amount in (1.5, 1.0) for note in "ab" for ok in (True, None)}
    assert len(places) == 8
    images = Sticky(
        OnlinePlan("seen", {"image": un.Tensor("Float32", (2,)), "asked_at": un.Timestamp}, "asked_at", (), ())
    )
    one, other = (images.place([(np.array(image, np.float32), None)]) for image in ([1, 2], [2, 1]))
    assert one != other


def test_places_are_spread_evenly_and_otherwise_for_every_predictor() -> None:
    columns = {"amount": un.Float64, "asked_at": un.Timestamp}
    places = [
        [Sticky(OnlinePlan(name, columns, "asked_at", (), ())).place([(float(row), None)]) for row in range(4000)]
        for name in ("risk", "late")
    ]
    assert all(0 <= place < 1 for place in places[0])
    counts, _ = np.histogram(places[0], bins=10, range=(0, 1))
    assert np.abs(counts - 400).max() < 95  # five standard deviations
    both = sum(one < 0.5 and other < 0.5 for one, other in zip(*places, strict=True))
    assert abs(both - 1000) < 140


@pytest.mark.slow
def test_another_process_has_the_same_places() -> None:
    program = (
        "from tests.serving.versions.test_sharing import KEYLESS; from unisono.drivers.serving.versions.sharing import "
        "Sticky; print(Sticky(KEYLESS).place([(1.5, 'a', True, None)]))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert float(done.stdout) == Sticky(KEYLESS).place([(1.5, "a", True, None)])


@pytest.mark.parametrize(
    ("split", "upto"),
    [
        ({}, []),
        ({"champion": 1.0}, []),
        ({"champion": 0.9, "challenger": 0.1}, [(0.1, "challenger")]),
        ({"challenger": 0.25}, [(0.25, "challenger")]),
        ({"champion": 0.0, "challenger": 0.5}, [(1.0, "challenger")]),
        ({"champion": 0.2, "b": 0.4, "a": 0.2}, [(0.25, "a"), (0.75, "b")]),
        ({"a": 1.0, "b": 1.0}, [(0.5, "a"), (1.0, "b")]),
        ({"a": 0.0, "b": 0.5}, [(0.5, "b")]),
    ],
)
def test_the_champion_has_what_others_leave(split: dict[str, float], upto: list[tuple[float, str]]) -> None:
    found = shares(split, "champion")
    assert [alias for _, alias in found] == [alias for _, alias in upto]
    assert [place for place, _ in found] == pytest.approx([place for place, _ in upto])
