"""`unisono keys` and `unisono artifact`: from a key and a version to a file, and back into another registry."""

from __future__ import annotations

import re
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import RunHere
from tests.store.artifact_files import files
from tests.store.hostile_artifacts import forged, sound
from unisono.cli.app import COMMANDS
from unisono.drivers.config import read_config
from unisono.drivers.registries import open_registry
from unisono.store.artifacts.signing import sign

Refused = Callable[..., tuple[int, str, str]]
FIELDS = {command.name: list(command.fields) for command in COMMANDS}


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with two projects; `one` has a version of `risk`, signed."""
    monkeypatch.chdir(tmp_path)
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "unisono.toml").write_text('definitions = "gone.py"\n')
    return tmp_path


@pytest.fixture
def key(here: Path, run_here: RunHere) -> Path:
    """A private key, whose version of `risk` is in project one."""
    assert run_here("keys", "new", "k.pem").exit_code == 0
    registry = open_registry(here / "one", read_config(here / "one"))
    registry.promote(registry.add(sign(sound(), Path("k.pem").read_bytes())))
    registry.close()
    return Path("k.pem")


def test_a_pair_of_keys_is_made_once_and_only_you_can_read_the_private_one(
    here: Path, run_here: RunHere, refused: Refused
) -> None:
    made = run_here("keys", "new", "k.pem", "--json").answer
    assert list(made) == FIELDS["keys new"]
    assert stat.S_IMODE(Path("k.pem").stat().st_mode) == 0o600
    for name, kind in (("k.pem", "private"), ("k.pub.pem", "public")):
        shown = run_here("keys", "show", name, "--json").answer
        assert shown == {"file": name, "kind": kind, "fingerprint": made["fingerprint"]}
    before = Path("k.pem").read_bytes()
    assert refused("keys", "new", "k.pem")[:2] == (6, "store")
    Path("k.pem").rename("kept.pem")
    code, _, message = refused("keys", "new", "k.pem")  # a public key must not be left without its private one
    assert (code, Path("k.pem").exists()) == (6, False)
    assert "k.pub.pem: File exists; allowed: a file that is not there yet" in message
    assert Path("kept.pem").read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "code", "reason"),
    [
        (("keys", "new", "k"), 4, "its name does not end in .pem; allowed: a name that does"),
        (("keys", "new", "gone/k.pem"), 6, "No such file or directory"),
        (("keys", "show", "gone.pem"), 6, "No such file or directory; allowed: a PEM file; make one"),
        (("keys", "show", "one/unisono.toml"), 4, "public key: .*; allowed: an Ed25519 key in a PEM file"),
        (("keys", "show", "/dev/zero"), 4, "more than 65536 bytes; allowed: a PEM file"),
        (("artifact", "show", "gone.zip"), 6, "No such file or directory; allowed: the file of an artifact"),
        (("artifact", "show", "one"), 6, "Is a directory; allowed: the file of an artifact"),
        (("artifact", "show", "one/unisono.toml"), 5, "does not begin as a zip"),
        (("artifact", "import", "one/unisono.toml", "--project", "one"), 5, "does not begin as a zip"),
        (("artifact", "export", "risk", "x.zip", "--project", "one"), 6, "risk"),
    ],
)
def test_what_cannot_be_done_is_told(
    arguments: tuple[str, ...], code: int, reason: str, here: Path, refused: Refused
) -> None:
    found, _, message = refused(*arguments)
    assert found == code
    assert re.search(reason, message), message
    assert not Path("x.zip").exists()


def test_a_version_goes_from_one_registry_to_another_as_a_file(here: Path, key: Path, run_here: RunHere) -> None:
    exported = run_here("artifact", "export", "risk", "risk.zip", "--project", "one", "--json").answer
    assert list(exported) == FIELDS["artifact export"]
    assert exported["version"] == sound().id
    assert exported["bytes"] == Path("risk.zip").stat().st_size
    assert zipfile.ZipFile("risk.zip").read("spec.json") == files()["spec.json"]

    shown = run_here("artifact", "show", "risk.zip", "--trust", "k.pub.pem", "--json").answer
    assert list(shown) == FIELDS["artifact show"]
    assert (shown["id"], shown["signers"]) == (sound().id, exported["signers"])
    plain = run_here("artifact", "show", "risk.zip").out
    assert sound().id in plain
    assert shown["files"][0]["sha256"] in plain

    imported = run_here("artifact", "import", "risk.zip", "--project", "other", "--why", "moved", "--json").answer
    assert list(imported) == FIELDS["artifact import"]
    assert imported["version"] == sound().id
    registry = open_registry(here / "other", read_config(here / "other"))
    assert registry.artifact(registry.version("risk", sound().id)).to_bytes() == Path("risk.zip").read_bytes()
    assert [(one.what, one.why) for one in registry.history("risk")] == [("added", "moved"), ("signed", "moved")]


def test_an_artifact_of_a_stranger_is_not_imported(here: Path, key: Path, run_here: RunHere, refused: Refused) -> None:
    assert run_here("keys", "new", "stranger.pem").exit_code == 0
    assert run_here("artifact", "export", "risk", "risk.zip", "--project", "one").exit_code == 0
    code, kind, message = refused("artifact", "show", "risk.zip", "--trust", "stranger.pub.pem")
    assert (code, kind) == (5, "state")
    assert "signed by one of" in message
    (here / "other" / "unisono.toml").write_text(
        'definitions = "gone.py"\n[registry]\ntrusted = ["../stranger.pub.pem"]\n'
    )
    assert refused("artifact", "import", "risk.zip", "--project", "other")[0] == 5
    both = ("--trust", "stranger.pub.pem", "--trust", "k.pub.pem")
    assert run_here("artifact", "show", "risk.zip", *both).exit_code == 0


def test_a_hostile_artifact_is_told_and_not_kept(here: Path, refused: Refused) -> None:
    Path("bad.zip").write_bytes(forged(graph=b"no graph"))
    for arguments in (("show", "bad.zip"), ("import", "bad.zip", "--project", "one")):
        code, _, message = refused("artifact", *arguments)
        assert code == 5
        assert "graph.onnx: graph: " in message
    assert not (here / "one" / ".unisono").exists()


def test_a_file_that_is_there_is_not_written_over(here: Path, key: Path, refused: Refused) -> None:
    Path("risk.zip").write_bytes(b"mine")
    code, kind, message = refused("artifact", "export", "risk", "risk.zip", "--project", "one")
    assert (code, kind) == (4, "input")
    assert "is there already; allowed: a file that is not there" in message
    assert Path("risk.zip").read_bytes() == b"mine"
