"""`unisono models`, over a registry whose project's definitions are not even there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

import unisono as un
from tests.cli.conftest import RunHere
from tests.postgres import SECRET
from tests.store.artifact_files import files
from tests.store.registries import add, numbered
from unisono.cli.app import COMMANDS
from unisono.drivers.config import read_config
from unisono.drivers.registries import open_registry
from unisono.spec.active import Version
from unisono.spec.serialize import to_json
from unisono.store.artifacts import make_artifact
from unisono.store.artifacts.signing import new_key_pair, sign
from unisono.store.registry import Registry

Refused = Callable[..., tuple[int, str, str]]
FIELDS = {command.word: set(command.fields) for command in COMMANDS if command.family == "models"}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with a unisono.toml and nothing that it names."""
    (tmp_path / "unisono.toml").write_text('definitions = "gone.py"\n[registry]\nurl = "kept/registry.sqlite"\n')
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def registry(home: Path) -> Registry:
    return open_registry(home, read_config(home))


@pytest.fixture
def ask(run_here: RunHere, registry: Registry) -> Callable[..., Any]:
    """Runs `unisono models ... --json`, which must do; returns what it prints."""

    def run(*arguments: object) -> Any:
        done = run_here("models", *arguments, "--json")
        assert (done.exit_code, done.err) == (0, "")
        assert set(done.answer) == FIELDS[str(arguments[0])]
        return done.answer

    return run


def test_the_registry_is_where_unisono_toml_says(registry: Registry, home: Path) -> None:
    (version,) = add(registry, 2.0)
    assert (home / "kept" / "registry.sqlite").is_file()
    assert Path(version.artifact).is_relative_to(home / ".unisono" / "artifacts" / "risk")


def test_predictors_are_listed_a_line_each(registry: Registry, run_here: RunHere, ask: Callable[..., Any]) -> None:
    assert ask("list") == {"predictors": [], "versions": None}
    assert "register one: `unisono register" in run_here("models", "list").out
    one, two = add(registry, 2.0, 3.0)
    (late,) = add(registry, 2.0, predictor="late")
    registry.promote(two)
    registry.promote(one, alias="challenger")
    registry.tag(late, "team:parcels")
    head, *lines = run_here("models", "list").out.splitlines()
    assert head.split()[:3] == ["predictor", "champion", "versions"]
    assert [line.split()[:3] for line in lines] == [
        ["late", "none", "1"],
        ["risk", two.id[:12], "2"],
        ["2", "of", "2"],
    ]
    assert lines[0].endswith("team:parcels")
    assert lines[1].endswith(f"challenger {one.id[:12]}")
    risk = ask("list")["predictors"][1]
    assert risk["aliases"] == {"challenger": one.id, "champion": two.id}
    assert (risk["predictor"], risk["versions"], risk["tags"]) == ("risk", 2, [])
    assert risk["changed_at"].endswith("Z")
    for filters, found in ((("--name", "is"), ["risk"]), (("--tag", "team:parcels"), ["late"]), (("--name", "x"), [])):
        assert [entry["predictor"] for entry in ask("list", *filters)["predictors"]] == found
    assert run_here("models", "list", "--name", "is").out.endswith("1 of 2 predictors\n")


def test_versions_of_a_predictor_are_listed(registry: Registry, run_here: RunHere, ask: Callable[..., Any]) -> None:
    one, two = add(registry, 2.0, 3.0)
    registry.promote(one)
    registry.tag(two, "approved")
    registry.retire(two)
    told = ask("list", "risk")
    assert [entry["predictor"] for entry in told["predictors"]] == ["risk"]
    assert [entry["version"] for entry in told["versions"]] == [one.id, two.id]
    assert told["versions"][1].items() >= {"retired": True, "tags": ["approved"], "artifact": two.artifact}.items()
    assert [entry["version"] for entry in ask("list", "risk", "--tag", "approved")["versions"]] == [two.id]
    shown = run_here("models", "list", "risk").out.splitlines()
    assert shown[1].split()[0] == one.id[:12] and shown[1].endswith("champion")
    assert shown[2].endswith("retired; approved")


def test_a_version_is_shown_with_all_that_is_known(
    registry: Registry, run_here: RunHere, ask: Callable[..., Any]
) -> None:
    version = registry.add(numbered(7))
    registry.promote(version)
    told = ask("show", "risk")
    assert (told["predictor"], told["version"]["version"]) == ("risk", version.id)
    assert told["facts"]["metrics"] == {"number": 7}
    assert told["facts"]["sizes"]["graph.onnx"] == len(files()["graph.onnx"])
    assert told["facts"]["spec"]["predictors.risk.request.amount"] == "Float64"
    shown = run_here("models", "show", "risk", version.id[:6]).out
    assert shown.startswith(f"risk, version {version.id}:\n")
    assert "metrics:\n  number  7\n" in shown


def test_two_versions_are_compared_side_by_side(registry: Registry, run_here: RunHere, ask: Callable[..., Any]) -> None:
    taps = un.Source("taps", {"kind": un.String, "cents": un.Int64}, event_time="at")
    by_kind = un.FeatureView("by_kind", taps, key="kind", aggregations=[un.sum("cents")], windows="6h")
    request = {"amount": un.Float64, "kind": un.String}
    richer = to_json(un.Predictor("risk", request=request, time="at", features=[by_kind]))
    metrics = msgspec.json.encode({"auc": 0.75, "number": 1})
    one = registry.add(numbered(1))
    other = registry.add(make_artifact("risk", {**files(), "spec.json": richer, "metrics.json": metrics}))
    told = ask("compare", "risk", one.id[:8], other.id)
    assert (told["one"], told["other"]) == (one.id, other.id)
    comparison = told["comparison"]
    assert comparison["metrics"] == {"number": [1, 1], "auc": [None, 0.75]}
    assert comparison["features"] == {"by_kind__cents_sum_6h": [None, True]}
    assert comparison["spec"]["views.by_kind.windows"] == [None, "6h"]
    assert "predictors.risk.time" not in comparison["spec"]
    assert comparison["sizes"]["spec.json"] == [len(files()["spec.json"]), len(richer)]
    assert all(len({*pair}) == 1 for pair in comparison["passport"].values())
    lines = [line.split() for line in run_here("models", "compare", "risk", one.id, other.id).out.splitlines()]
    assert ["*", "auc", "-", "0.75"] in lines
    assert ["number", "1", "1"] in lines
    assert ["*", "by_kind__cents_sum_6h", "-", "yes"] in lines
    same = run_here("models", "compare", "risk", one.id, one.id).out
    assert "*" not in same
    assert "features: no difference" in same


def test_changes_are_made_and_are_in_the_history(
    registry: Registry, run_here: RunHere, ask: Callable[..., Any]
) -> None:
    one, two = add(registry, 2.0, 3.0)
    because = ("--by", "grace", "--why", "it is\nbetter")
    assert ask("promote", "risk", one.id[:10], "--expected", "none", *because)["changes"][0]["alias"] == "champion"
    assert ask("promote", "risk", "champion")["changes"] == []
    ask("promote", "risk", two.id, "--alias", "challenger")
    ask("promote", "risk", "challenger", "--expected", one.id[:10], *because)
    ask("promote", "risk", two.id, "--alias", "challenger", "--remove")
    ask("tag", "risk", "champion", "team:fraud")
    ask("tag", "risk", "champion", "team:fraud", "--remove")
    ask("retire", "risk", one.id)
    ask("retire", "risk", one.id, "--undo")
    assert registry.active("risk") == two
    changes = ask("history", "risk")["changes"]
    assert [(change["number"], change["what"]) for change in changes] == [
        (1, "added"),
        (2, "added"),
        (3, "aliased"),
        (4, "aliased"),
        (5, "aliased"),
        (6, "unaliased"),
        (7, "tagged"),
        (8, "untagged"),
        (9, "retired"),
        (10, "unretired"),
    ]
    assert changes[4].items() >= {"by": "grace", "why": "it is\nbetter", "before": one.id, "after": two.id}.items()
    assert [change["number"] for change in ask("history", "risk", "--limit", 2)["changes"]] == [9, 10]
    assert [change["number"] for change in ask("history", "risk", "--alias", "champion")["changes"]] == [3, 5]
    shown = run_here("models", "history", "risk").out.splitlines()
    assert f"champion: {one.id[:12]} -> {two.id[:12]}" in shown[5]
    assert shown[5].endswith("it is better")
    assert "it was so already" in run_here("models", "promote", "risk", "champion").out


def test_the_version_before_is_rolled_back_to(
    registry: Registry, run_here: RunHere, ask: Callable[..., Any], refused: Refused
) -> None:
    one, two = add(registry, 2.0, 3.0)
    registry.promote(one)
    code, kind, message = refused("models", "rollback", "risk")
    assert (code, kind) == (6, "store")
    assert f"no version was the champion before {one.id}" in message
    registry.promote(two)
    told = ask("rollback", "risk", "--by", "grace", "--why", "worse")
    assert told["version"] == one.id
    assert [(change["before"], change["after"], change["by"]) for change in told["changes"]] == [
        (two.id, one.id, "grace")
    ]
    assert registry.active("risk") == one
    assert f"champion: {one.id[:12]} -> {two.id[:12]}" in run_here("models", "rollback", "risk").out


def test_unisono_toml_names_the_keys_that_are_trusted(registry: Registry, home: Path, run_here: RunHere) -> None:
    pair = new_key_pair()
    (home / "team.pem").write_bytes(pair.public)
    with (home / "unisono.toml").open("a") as file:
        file.write('trusted = ["team.pem"]\n')
    (version,) = add(registry, 2.0)
    shown = run_here("models", "show", "risk", version.id)
    assert (shown.exit_code, "signed by none; allowed: signed by one of" in shown.err) == (5, True)
    registry.add(sign(registry.artifact(version), pair.private))
    assert run_here("models", "show", "risk", version.id).exit_code == 0
    (home / "team.pem").unlink()
    refused = run_here("models", "list")
    assert (refused.exit_code, "team.pem: the key cannot be read" in refused.err) == (6, True)


def missing(version: Version) -> dict[str, tuple[tuple[str, ...], int, str]]:
    """Command lines that cannot be done, with exit code and part of the message."""
    return {
        "unknown predictor": (("list", "rusk"), 6, 'did you mean "risk"?'),
        "unknown version": (("show", "risk", "zz"), 6, f"allowed: champion, {version.id[:12]}"),
        "unknown alias": (("compare", "risk", "champion", "challenger"), 6, 'version "challenger" is not one version'),
        "the champion": (("retire", "risk", "champion"), 6, "promote another version"),
        "overtaken": (("promote", "risk", version.id, "--alias", "next", "--expected", "champion"), 6, "as expected"),
        "no tag": (("tag", "risk", "champion", "a tag"), 4, 'tag "a tag"; allowed: letters'),
        "no alias": (("promote", "risk", "champion", "--alias", "beef"), 4, "could be the beginning of a version's id"),
    }


@pytest.mark.parametrize("name", missing(Version("risk", "0" * 32, "")))
def test_what_cannot_be_done_is_said_and_changes_nothing(name: str, registry: Registry, refused: Refused) -> None:
    (version,) = add(registry, 2.0)
    registry.promote(version)
    arguments, code, message = missing(version)[name]
    exit_code, _, told = refused("models", *arguments)
    assert exit_code == code
    assert message in told
    assert len(registry.history("risk")) == 2


@pytest.mark.parametrize("key", ["url", "artifacts"])
def test_a_password_in_unisono_toml_is_never_printed(key: str, home: Path, run_here: RunHere) -> None:
    place = {"url": "postgresql://ada:{}@127.0.0.1:1/x", "artifacts": "ftp://ada:{}@127.0.0.1:1/x"}[key].format(SECRET)
    (home / "unisono.toml").write_text(f'definitions = "gone.py"\n[registry]\n{key} = "{place}"\n')
    for option in ("--json", "--debug"):
        done = run_here("models", "list", option)
        assert done.exit_code == 6
        assert SECRET not in done.out + done.err
    assert SECRET not in repr(read_config(home))
