"""Versions: by content, checked when they are read, one that answers."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

import unisono as un
from tests.faults.logs import flip
from unisono.spec.active import ActiveVersions
from unisono.store.versions import VersionStore

FILES = {"spec.json": b"{}", "graph.onnx": b"graph"}


def test_the_same_content_is_the_same_version(tmp_path: Path) -> None:
    store = VersionStore(tmp_path)
    one = store.add("risk", FILES)
    assert store.add("risk", dict(reversed(FILES.items()))) == one
    assert store.add("risk", {**FILES, "graph.onnx": b"grape"}).id != one.id
    assert store.add("delay", FILES).id != one.id
    assert store.read(one) == FILES


def test_the_champion_is_replaced_and_its_history_kept(tmp_path: Path) -> None:
    store = VersionStore(tmp_path)
    active: ActiveVersions = store
    with pytest.raises(un.StoreError, match="predictor risk has no version"):
        active.active("risk")
    one, two = store.add("risk", FILES), store.add("risk", {"spec.json": b"[]"})
    for version in (one, two, one):
        store.promote(version, now=datetime(2026, 1, 2, tzinfo=UTC))
        assert active.active("risk") == version
    history = store.history("risk")
    assert [(change.before, change.version) for change in history] == [
        (None, one.id),
        (one.id, two.id),
        (two.id, one.id),
    ]
    assert history[0].changed_at == "2026-01-02T00:00:00Z"


def test_a_version_is_found_by_its_first_digits(tmp_path: Path) -> None:
    store = VersionStore(tmp_path)
    one = store.add("risk", FILES)
    assert store.version("risk", one.id[:6]) == one
    for wrong in ("", "x", "../.."):
        with pytest.raises(un.StoreError, match=f"allowed: {one.id}"):
            store.version("risk", wrong)


@pytest.mark.parametrize("name", ["graph.onnx", "manifest.json"])
def test_a_file_that_was_changed_is_refused(tmp_path: Path, name: str) -> None:
    store = VersionStore(tmp_path)
    one = store.add("risk", FILES)
    flip(Path(one.artifact) / name, 3)
    with pytest.raises(un.StateError, match=rf"{name}: .*restore the artifact, or register the model again"):
        store.read(one)


def test_a_file_that_is_gone_is_refused(tmp_path: Path) -> None:
    store = VersionStore(tmp_path)
    one = store.add("risk", FILES)
    (Path(one.artifact) / "graph.onnx").unlink()
    with pytest.raises(un.StateError, match="is gone"):
        store.read(one)


def test_code_is_no_part_of_an_artifact(tmp_path: Path) -> None:
    with pytest.raises(un.InputError, match=r'file "model\.pkl"; allowed: spec.json, graph.onnx'):
        VersionStore(tmp_path).add("risk", {"model.pkl": b""})
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_written_leaves_no_half_version(tmp_path: Path) -> None:
    (tmp_path / "risk").write_text("a file is in the way")
    with pytest.raises(un.StoreError, match="the system refused to write"):
        VersionStore(tmp_path).add("risk", FILES)
