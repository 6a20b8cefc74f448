"""The registry, in SQLite and in a real PostgreSQL: versions, aliases, tags, and a history that stays."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import ClassVar

import pytest
from fsspec import register_implementation
from fsspec.implementations.memory import MemoryFileSystem
from sqlalchemy import text

import unisono as un
from tests.faults.logs import flip
from tests.postgres import SECRET, Postgres
from tests.store.registries import Place, add, artifact
from unisono.spec.active import ActiveVersions, Version
from unisono.store import database
from unisono.store.artifacts.signing import new_key_pair, sign
from unisono.store.database import open_database
from unisono.store.registry import AliasMovedError, Change, Registry


@pytest.fixture
def registry(place: Place) -> Iterator[Registry]:
    """An empty registry whose clock ticks once a change."""
    made = Registry(*place, clock=count(1_000).__next__)
    yield made
    made.close()


def told(changes: list[Change]) -> list[tuple[object, ...]]:
    return [(one.number, one.what, one.version[:4], one.alias, one.before, one.after) for one in changes]


def test_the_same_content_is_the_same_version(registry: Registry) -> None:
    one, other = add(registry, 2.0, 3.0)
    assert add(registry, 2.0) == [one]
    assert one.id != other.id
    assert [entry.version for entry in registry.versions("risk")] == [one, other]
    assert registry.artifact(one) == artifact(2.0)
    assert registry.read(one, "spec.json") == artifact().files["spec.json"]
    assert [change.what for change in registry.history("risk")] == ["added", "added"]


def test_the_champion_is_replaced_and_every_change_is_in_the_history(registry: Registry) -> None:
    active: ActiveVersions = registry
    one, two = add(registry, 2.0, 3.0)
    for version in (one, two, one):
        registry.promote(version, by="grace", why="better")
        assert active.active("risk") == version
    assert registry.promote(one) is None
    registry.promote(two, alias="challenger", by="grace", why="")
    registry.dismiss(two, "challenger", by="grace", why="worse")
    a, b = one.id, two.id
    assert told(registry.history("risk")) == [
        (1, "added", a[:4], None, None, a),
        (2, "added", b[:4], None, None, b),
        (3, "aliased", a[:4], "champion", None, a),
        (4, "aliased", b[:4], "champion", a, b),
        (5, "aliased", a[:4], "champion", b, a),
        (6, "aliased", b[:4], "challenger", None, b),
        (7, "unaliased", b[:4], "challenger", b, None),
    ]
    first, *_, last = registry.history("risk")
    assert (first.by, first.why, last.by, last.why) == ("ada", "trained", "grace", "worse")
    times = [change.at for change in registry.history("risk")]
    assert times == sorted(times)


def test_who_did_it_is_the_login_name_unless_it_is_said(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "katherine")
    version = registry.add(artifact())
    registry.promote(version, by="dorothy")
    assert [change.by for change in registry.history("risk")] == ["katherine", "dorothy"]


def test_a_registry_that_is_opened_again_knows_what_it_knew(registry: Registry, place: Place) -> None:
    (version,) = add(registry, 2.0)
    registry.promote(version)
    again = Registry(*place)
    assert again.active("risk") == version
    assert again.history("risk") == registry.history("risk")
    again.close()


def test_a_version_is_found_by_its_first_digits_or_an_alias(registry: Registry) -> None:
    versions = add(registry, *(float(weight) for weight in range(2, 20)))  # 18 ids share a first digit somewhere
    one = versions[0]
    registry.promote(one)
    for name in (one.id, one.id[:8], "champion"):
        assert registry.version("risk", name) == one
    firsts = [version.id[0] for version in versions]
    shared = next(digit for digit in firsts if firsts.count(digit) > 1)
    many = rf'version "{shared}" is not one version, it is the beginning of {firsts.count(shared)}; allowed: champion, '
    with pytest.raises(un.StoreError, match=many):
        registry.version("risk", shared)
    for wrong in ("", "x", "../.."):
        with pytest.raises(un.StoreError, match=r"is not one version; allowed: champion, .*give an alias, or enough"):
            registry.version("risk", wrong)


def test_what_is_not_there_is_said_with_what_there_is(registry: Registry) -> None:
    with pytest.raises(un.StoreError, match=r"predictor risk has no version in .*; allowed: none; register one: "):
        registry.active("risk")
    (version,) = add(registry, 2.0)
    unknown = r'predictor rusk has no version in .*; allowed: risk; did you mean "risk"\? else register one: `unisono'
    for ask in (registry.active, registry.versions, registry.history, lambda name: registry.version(name, "1")):
        with pytest.raises(un.StoreError, match=unknown):
            ask("rusk")
    with pytest.raises(un.StoreError, match=r'predictor "../x" has no version'):
        registry.active("../x")
    with pytest.raises(un.StoreError, match='no version is "champion"; allowed: none; give it to one: `unisono models'):
        registry.active("risk")
    registry.promote(version)
    with pytest.raises(un.StoreError, match='no version is "challenger"; allowed: champion'):
        registry.aliased("risk", "challenger")
    with pytest.raises(un.StoreError, match=r'no file "model.pkl"; allowed: golden.json, graph.onnx'):
        registry.read(version, "model.pkl")
    nothing = Version("risk", "f" * 32, "")
    with pytest.raises(un.StoreError, match=f'there is no version "{"f" * 32}"; allowed: {version.id[:12]}'):
        registry.promote(nothing)
    with pytest.raises(un.StoreError, match="predictor rusk has no version"):
        registry.promote(Version("rusk", version.id, ""))
    assert len(registry.history("risk")) == 2


def test_a_switch_that_was_overtaken_is_refused(registry: Registry) -> None:
    one, two, three = add(registry, 2.0, 3.0, 4.0)
    registry.promote(one, expected=None)
    registry.promote(two, expected=one)
    with pytest.raises(AliasMovedError, match=f"champion is {two.id}; allowed: {one.id}, as expected; see `unisono"):
        registry.promote(three, expected=one.id)
    with pytest.raises(AliasMovedError, match=f"champion is {two.id}; allowed: no version, as expected"):
        registry.promote(three, expected=None)
    with pytest.raises(AliasMovedError, match=f"challenger is no version; allowed: {three.id}, as expected"):
        registry.dismiss(three, "challenger")
    assert registry.active("risk") == two
    assert len(registry.history("risk")) == 5


def test_a_champion_stays_and_a_retired_version_is_given_no_alias(registry: Registry) -> None:
    one, two = add(registry, 2.0, 3.0)
    registry.promote(one)
    with pytest.raises(un.StoreError, match=f"version {one.id} is its champion; allowed: versions without an alias"):
        registry.retire(one)
    with pytest.raises(un.StoreError, match=r"is its champion, and answers; .* promote another version"):
        registry.dismiss(one, "champion")
    registry.retire(two)
    assert registry.retire(two) is None
    with pytest.raises(un.StoreError, match=rf"is retired; .*`unisono models retire risk {two.id[:12]} --undo`"):
        registry.promote(two)
    assert [entry.retired for entry in registry.versions("risk")] == [False, True]
    assert registry.artifact(two) == artifact(3.0)
    registry.unretire(two)
    assert registry.unretire(two) is None
    registry.promote(two)
    assert [(change.what, change.before, change.after) for change in registry.history("risk")[3:5]] == [
        ("retired", "live", "retired"),
        ("unretired", "retired", "live"),
    ]


def test_rolling_back_lets_the_champion_before_answer_again(registry: Registry) -> None:
    one, two, three = add(registry, 2.0, 3.0, 4.0)
    nothing = r"no version was the champion before {}; allowed: to go back to one that was, .*promote another: `unisono"
    with pytest.raises(un.StoreError, match=nothing.format("now")):
        registry.roll_back("risk")
    registry.promote(one)
    with pytest.raises(un.StoreError, match=nothing.format(one.id)):
        registry.roll_back("risk")
    registry.promote(two)
    registry.promote(three, alias="challenger")
    change = registry.roll_back("risk", by="grace", why="worse")
    assert (change.what, change.alias, change.before, change.after) == ("aliased", "champion", two.id, one.id)
    assert (registry.active("risk"), change.by, change.why) == (one, "grace", "worse")
    assert registry.history("risk")[-1] == change
    registry.roll_back("risk")
    assert registry.active("risk") == two
    registry.dismiss(three, "challenger")
    registry.promote(three)
    registry.retire(two)
    registry.roll_back("risk")
    assert registry.active("risk") == one
    with pytest.raises(un.StoreError, match="predictor rusk has no version"):
        registry.roll_back("rusk")


def test_tags_are_given_and_taken(registry: Registry) -> None:
    one, two = add(registry, 2.0, 3.0)
    for tag in ("team:fraud", "2026-q4"):
        registry.tag(one, tag)
    assert registry.tag(one, "2026-q4") is None
    registry.tag(two, "team:fraud")
    assert [entry.tags for entry in registry.versions("risk")] == [("2026-q4", "team:fraud"), ("team:fraud",)]
    assert registry.predictors()[0].tags == ("2026-q4", "team:fraud")
    registry.untag(one, "team:fraud")
    assert registry.untag(one, "team:fraud") is None
    assert [entry.tags for entry in registry.versions("risk")] == [("2026-q4",), ("team:fraud",)]
    last = registry.history("risk")[-1]
    assert (last.what, last.before, last.after) == ("untagged", "team:fraud", None)


def test_predictors_are_listed_with_what_is_known_of_each(registry: Registry) -> None:
    assert registry.predictors() == []
    one, two = add(registry, 2.0, 3.0)
    (late,) = add(registry, 2.0, predictor="late")
    registry.promote(two)
    registry.promote(one, alias="challenger")
    shown = [(entry.name, dict(entry.aliases), entry.versions) for entry in registry.predictors()]
    assert shown == [("late", {}, 1), ("risk", {"challenger": one.id, "champion": two.id}, 2)]
    assert [entry.champion for entry in registry.predictors()] == [None, two.id]
    assert registry.predictors()[1].changed_at == registry.history("risk")[-1].at
    assert registry.versions("late")[0].version == late


@pytest.mark.parametrize("name", ["", "champion!", "cafe", "x" * 101, "a b"])
def test_an_alias_is_a_name_that_is_no_beginning_of_an_id(registry: Registry, name: str) -> None:
    (version,) = add(registry, 2.0)
    with pytest.raises(un.InputError, match="alias "):
        registry.promote(version, alias=name)


@pytest.mark.parametrize("said", [{"by": "a\0b"}, {"why": "x" * 2001}], ids=["NUL", "long"])
def test_what_no_database_keeps_is_refused_before_anything_is_written(
    registry: Registry, place: Place, said: dict[str, str]
) -> None:
    with pytest.raises(un.InputError, match=r"allowed: at most 2000 characters"):
        registry.add(artifact(), **said)
    assert not Path(place.artifacts).exists()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE registry_history SET why = 'forged'",
        "DELETE FROM registry_history",
        "DELETE FROM registry_history WHERE number = 2",
        "TRUNCATE registry_history",
        "INSERT OR REPLACE INTO registry_history SELECT predictor, number, at, changed_by, 'forged', what, version, "
        "alias, before, after FROM registry_history",
        "INSERT INTO registry_history SELECT * FROM registry_history WHERE true "
        "ON CONFLICT (predictor, number) DO UPDATE SET why = 'forged'",
    ],
    ids=["update", "delete", "delete one", "truncate", "replace", "upsert"],
)
def test_the_database_itself_keeps_the_history_as_it_is(registry: Registry, place: Place, statement: str) -> None:
    is_sqlite = place.url.startswith("sqlite")
    if ("TRUNCATE" in statement and is_sqlite) or ("OR REPLACE" in statement and not is_sqlite):
        pytest.skip("this database has no such statement")
    (version,) = add(registry, 2.0)
    registry.promote(version)
    before = registry.history("risk")
    with pytest.raises(un.StoreError, match="the history of a registry is never changed"):
        execute(place, statement)
    assert registry.history("risk") == before


def test_the_database_itself_knows_one_champion_only(registry: Registry, place: Place) -> None:
    one, two = add(registry, 2.0, 3.0)
    registry.promote(one)
    second = f"INSERT INTO registry_aliases (predictor, alias, version) VALUES ('risk', 'champion', '{two.id}')"
    with pytest.raises(un.StoreError, match=r"(?i)unique"):
        execute(place, second)
    assert registry.active("risk") == one


def execute(place: Place, statement: str) -> None:
    with closing(open_database(place.url)) as opened, opened.write() as connection:
        connection.execute(text(statement))


def test_a_registry_of_another_format_is_refused(registry: Registry, place: Place) -> None:
    execute(place, "UPDATE unisono_formats SET format = 9")
    with pytest.raises(un.StoreError, match="the registry is of format 9; allowed: 1; upgrade unisono"):
        Registry(*place)


def test_an_artifact_that_was_changed_is_refused_until_it_is_added_again(registry: Registry) -> None:
    (version,) = add(registry, 2.0)
    flip(Path(version.artifact), 700)
    with pytest.raises(un.StateError, match=r"\.zip: artifact: .*restore the artifact, or register the model again"):
        registry.artifact(version)
    assert add(registry, 2.0) == [version]
    assert registry.artifact(version) == artifact()
    assert len(registry.history("risk")) == 1


def test_an_artifact_in_the_place_of_another_is_refused(registry: Registry) -> None:
    one, two = add(registry, 2.0, 3.0)
    Path(one.artifact).write_bytes(Path(two.artifact).read_bytes())
    with pytest.raises(un.StateError, match=f"version {two.id} of risk; allowed: version {one.id} of risk"):
        registry.read(one, "graph.onnx")


def test_an_artifact_that_is_gone_is_refused(registry: Registry) -> None:
    (version,) = add(registry, 2.0)
    Path(version.artifact).unlink()
    with pytest.raises(un.StoreError, match="there is no artifact; restore"):
        registry.artifact(version)


def test_a_folder_that_cannot_be_written_leaves_no_version(registry: Registry, place: Place) -> None:
    Path(place.artifacts).write_text("a file is in the way")
    with pytest.raises(un.StoreError, match="nothing was registered"):
        registry.add(artifact())
    assert registry.predictors() == []


def test_artifacts_can_be_wherever_fsspec_reaches(place: Place, tmp_path: Path) -> None:
    for where in (f"memory://{os.urandom(4).hex()}/models", f"file://{tmp_path}/elsewhere", f"{tmp_path}/plain/"):
        registry = Registry(place.url, where)
        (version,) = add(registry, 2.0)
        assert registry.artifact(version) == artifact()
        assert version.artifact.endswith(f"risk/{version.id}.zip")
        assert version.artifact.startswith("memory://" if "memory" in where else str(tmp_path))
        registry.close()


def test_an_artifact_is_signed_later_and_trusted_then(registry: Registry, place: Place) -> None:
    ours, theirs = new_key_pair(), new_key_pair()
    wary = Registry(*place, trusted=[ours.public])
    (version,) = add(registry, 2.0)
    with pytest.raises(un.StateError, match="signed by none; allowed: signed by one of"):
        wary.artifact(version)
    with pytest.raises(un.StateError, match="allowed: signed by one of"):
        wary.add(sign(artifact(3.0), theirs.private))
    assert registry.add(sign(artifact(), theirs.private), by="ada") == version
    assert registry.add(sign(artifact(), ours.private), by="grace") == version
    signers = registry.versions("risk")[0].signers
    assert len(signers) == 2
    assert wary.artifact(version).files == artifact().files
    assert [(change.what, change.by) for change in registry.history("risk")] == [
        ("added", "ada"),
        ("signed", "ada"),
        ("signed", "grace"),
    ]
    assert {change.after for change in registry.history("risk")[1:]} == {*signers}
    add(registry, 2.0)  # without a signature: it keeps those that it has
    assert registry.versions("risk")[0].signers == signers
    wary.close()


@pytest.mark.slow
def test_whoever_waits_too_long_for_another_is_told_so(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "PATIENCE_S", 1)
    registry, other = Registry(*place), open_database(place.url)
    (version,) = add(registry, 2.0)
    registry.promote(version)
    with other.write() as connection:
        connection.execute(text("UPDATE registry_predictors SET predictor = predictor"))
        assert registry.active("risk") == version  # readers do not wait
        with pytest.raises(un.StoreError, match=r"another process has held it for .* s; run again once that is done"):
            registry.promote(version)
    assert registry.promote(version) is None
    other.close()
    registry.close()


@pytest.mark.slow
def test_a_server_that_was_restarted_is_asked_again(postgres: Postgres, tmp_path: Path) -> None:
    registry = Registry(postgres.database(), str(tmp_path))
    (version,) = add(registry, 2.0)
    registry.promote(version)
    postgres.stop()
    try:
        with pytest.raises(un.StoreError, match="start the server, or correct the URL"):
            registry.active("risk")
    finally:
        postgres.start()
    assert registry.active("risk") == version
    registry.close()


@pytest.mark.slow
def test_a_user_who_may_not_make_tables_can_use_those_that_are_there(postgres: Postgres, tmp_path: Path) -> None:
    url = postgres.database()
    owner = Registry(url, str(tmp_path))
    with open_database(url).write() as connection:
        for statement in (
            "CREATE ROLE clerk LOGIN",
            "REVOKE CREATE ON SCHEMA public FROM PUBLIC",
            "GRANT SELECT ON unisono_formats TO clerk",
            "GRANT SELECT, INSERT, UPDATE, DELETE ON registry_predictors, registry_versions, registry_aliases, "
            "registry_tags, registry_history TO clerk",
        ):
            connection.execute(text(statement))
    clerk = Registry(url.replace("unisono:", "clerk:"), str(tmp_path))
    (version,) = add(clerk, 2.0)
    clerk.promote(version)
    assert owner.active("risk") == version
    with pytest.raises(un.StoreError, match=r"permission denied .*correct the path, or who may write there"):
        Registry(postgres.database().replace("unisono:", "clerk:"), str(tmp_path))
    owner.close()
    clerk.close()


def test_an_artifact_is_moved_to_its_place_where_a_put_is_not_one_step(tmp_path: Path) -> None:
    class Server(MemoryFileSystem):  # type: ignore[misc]
        """One of those that show a file while it is being written."""

        protocol = "test-server"
        store: ClassVar[dict[str, object]] = {}

        def pipe_file(self, path: str, value: bytes, **options: object) -> None:
            assert path.endswith(".partial")
            super().pipe_file(path, value, **options)

    register_implementation(Server.protocol, Server, clobber=True)
    registry = Registry(str(tmp_path / "registry.sqlite"), f"{Server.protocol}://models")
    (version,) = add(registry, 2.0)
    assert registry.artifact(version) == artifact()
    assert [path.rpartition("/")[2] for path in Server.store] == [f"{version.id}.zip"]
    registry.close()


def test_a_registry_can_be_made_by_many_at_once(place: Place) -> None:
    with ThreadPoolExecutor(8) as pool:
        registries = [*pool.map(lambda _: Registry(*place), range(8))]
    (version,) = add(registries[0], 2.0)
    for registry in registries:
        assert registry.versions("risk")[0].version == version
        registry.close()


@pytest.mark.parametrize(
    ("url", "seen"),
    [
        (f"mysql://ada:{SECRET}@host/x", r'database "mysql"://...: not a URL of a database; allowed: sqlite:///FILE'),
        (f"postgresql://ada:{SECRET}@127.0.0.1:port/x", 'database "postgresql"://...: not a URL'),
        (f"postgresql://ada:{SECRET}@127.0.0.1:1/x?connect_timeout=5", r"ada:\*\*\*@127.0.0.1:1/x: .*start the server"),
        ("sqlite://", "no file; allowed: sqlite:///FILE"),
        ("sqlite:////proc/none/x.sqlite", "/proc/none/x.sqlite: its folder cannot be made .*correct the path"),
        ("sqlite:////proc/x.sqlite", "/proc/x.sqlite: unable to open database file; correct the path, or who may"),
    ],
    ids=["another database", "no port", "no server", "no file", "no folder", "may not"],
)
def test_a_database_that_cannot_be_opened_is_told_without_its_password(url: str, seen: str, tmp_path: Path) -> None:
    with pytest.raises(un.StoreError, match=seen) as caught:
        Registry(url, str(tmp_path))
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("scheme", ["ftp", "nope"])
def test_a_place_of_artifacts_that_cannot_be_reached_is_told_without_its_password(scheme: str, tmp_path: Path) -> None:
    with pytest.raises(un.StoreError, match=rf"{scheme}://\.\.\.: .*correct \[registry\] artifacts") as caught:
        Registry(str(tmp_path / "x.sqlite"), f"{scheme}://ada:{SECRET}@127.0.0.1:1/x")
    assert SECRET not in str(caught.value)


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.sqlite").write_text("a letter, " * 1000)
    with pytest.raises(un.StoreError, match=r"x.sqlite: file is not a database; restore it from a copy"):
        Registry(str(tmp_path / "x.sqlite"), str(tmp_path))
