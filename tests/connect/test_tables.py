"""Sources and sinks by themselves: addresses, files that are broken, tables that hold something else."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

import unisono as un
from tests.postgres import SECRET, Postgres
from unisono.connect import tables
from unisono.connect.tables import Staged, open_sink, open_source
from unisono.connect.tables.address import Address, parse_address

KINDS = ("csv", "delta", "ndjson", "parquet", "sql")
MODULES = [module.name for module in pkgutil.iter_modules(tables.__path__, f"{tables.__name__}.")]

ROWS = pl.DataFrame(
    {
        "key": [1, 2, 3],
        "text": ['a,"b"\n', "", None],
        "share": [0.1 + 0.2, float("nan"), None],
        "ok": [True, None, False],
        "at": [datetime(2026, 3, 2, 8, 0, 0, 123456, UTC), None, datetime(1969, 12, 31, tzinfo=UTC)],
        "price": [Decimal("1.50"), None, Decimal("-0.01")],
    },
    schema_overrides={"price": pl.Decimal(38, 2)},
)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def publish(sink: str, *frames: pl.DataFrame, run_id: str = "run", append: bool = False) -> list[str]:
    """Write frames as the parts of a run; returns the stamps that were announced."""
    paths = [Path(f"{run_id}-{number}.arrow") for number in range(len(frames))]
    for path, frame in zip(paths, frames, strict=True):
        frame.write_ipc(path)
    stamps: list[str] = []
    opened = open_sink(sink)
    opened.check(frames[0].schema, append=append)
    opened.publish(Staged(run_id, tuple(paths), append), stamps.append)
    return stamps


def read(source: str) -> pl.DataFrame:
    folder = Path("copy")
    folder.mkdir(exist_ok=True)
    table = open_source(source).open(folder)
    return pl.concat(table.read(table.spans(2), table.columns))


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("a/b.parquet", Address("parquet", "a/b.parquet")),
        ("a/*.parquet", Address("parquet", "a/*.parquet")),
        ("a/", Address("parquet", "a/")),
        ("a.CSV", Address("csv", "a.CSV")),
        ("a.json", Address("ndjson", "a.json")),
        ("delta:a/b", Address("delta", "a/b")),
        ("csv:a.txt", Address("csv", "a.txt")),
        ("postgresql://u:p@h/d#s.t", Address("sql", "postgresql://u:p@h/d", "s.t")),
    ],
)
def test_an_address_says_its_kind(text: str, address: Address) -> None:
    assert parse_address(text, KINDS) == address


@pytest.mark.parametrize("text", ["a", "a.xlsx", "parquett:a", "sqlite:///a.db", ""])
def test_an_address_of_no_kind_is_refused(text: str) -> None:
    with pytest.raises(un.InputError, match="allowed: "):
        parse_address(text, KINDS)


@pytest.mark.parametrize("sink", ["t.parquet", "t/", "delta:t", "sqlite:///t.db#t", "t.ndjson", "t.csv"])
def test_values_come_back_from_every_kind_of_table(sink: str) -> None:
    publish(sink, ROWS[:2], ROWS[2:])
    assert rows_of(sink).equals(ROWS if keeps_nan(sink) else ROWS.with_columns(pl.col("share").fill_nan(None)))


def keeps_nan(sink: str) -> bool:
    """Whether a kind of table can hold one: JSON and SQLite have none."""
    return not sink.startswith(("t.ndjson", "sqlite"))


def rows_of(sink: str) -> pl.DataFrame:
    """The rows of a table by key, text as what it says."""
    there = read(sink)
    text = [name for name, dtype in there.schema.items() if dtype == pl.String]
    instant = pl.col("at").str.to_datetime(time_unit="us", time_zone="UTC") if "at" in text else pl.col("at")
    truth = pl.col("ok") == "true" if "ok" in text else pl.col("ok")
    return there.with_columns(instant, truth).cast(ROWS.schema).select(ROWS.columns).sort("key")


@pytest.mark.slow
def test_postgresql_gives_back_what_it_was_given(postgres: Postgres) -> None:
    sink = f"{postgres.database()}#t"
    publish(sink, ROWS[:2], ROWS[2:])
    back = read(sink).sort("key")
    assert back.schema == ROWS.schema
    assert back.equals(ROWS)
    publish(sink, ROWS.with_columns(key=pl.col("key") + 10), run_id="more", append=True)
    assert read(sink)["key"].sort().to_list() == [1, 2, 3, 11, 12, 13]
    assert open_sink(sink).stamp() == "more"


def test_a_sink_that_is_stamped_says_so_until_somebody_else_writes() -> None:
    for sink in ("t.parquet", "t/"):
        (stamp,) = publish(sink, ROWS)
        assert open_sink(sink).stamp() == stamp
    Path("t.parquet").write_bytes(b"else")
    ROWS.write_parquet("t/other.parquet")
    for sink in ("t.parquet", "t/"):
        assert open_sink(sink).stamp() not in (None, stamp)


def test_rows_that_are_added_keep_those_that_are_there() -> None:
    for sink in ("t.parquet", "t/", "t.csv", "t.ndjson", "delta:t_delta", "sqlite:///t.db#t"):
        publish(sink, ROWS)
        publish(sink, ROWS.with_columns(key=pl.col("key") + 10), run_id="more", append=True)
        keys = open_sink(sink).keys("key")
        assert keys is not None
        assert sorted(keys.cast(pl.Int64).to_list()) == [1, 2, 3, 11, 12, 13]
        with pytest.raises(un.InputError, match=r"other columns than the new rows \(extra\)"):
            publish(sink, ROWS.with_columns(extra=1), append=True)


def test_a_folder_with_something_else_in_it_is_not_replaced() -> None:
    Path("t").mkdir()
    Path("t/notes.txt").write_text("mine")
    with pytest.raises(un.StoreError, match=r'the folder holds "notes.txt", which would be lost'):
        open_sink("t/")


def test_lists_do_not_fit_text_and_databases() -> None:
    lists = pl.DataFrame({"a": [[1.0, 2.0]]})
    for sink in ("t.csv", "sqlite:///t.db#t"):
        with pytest.raises(un.InputError, match=r'column "a": .*allowed'):
            publish(sink, lists)


def test_a_broken_file_is_named() -> None:
    ROWS.write_parquet("t.parquet")
    sound = Path("t.parquet").read_bytes()
    for broken in (sound[:-9], b"x" * 100, b""):
        Path("t.parquet").write_bytes(broken)
        with pytest.raises(un.InputError, match=r"t\.parquet: not readable"):
            read("t.parquet")
    damaged = bytearray(sound)
    damaged[4:200] = b"\xff" * 196
    Path("t.parquet").write_bytes(damaged)
    with pytest.raises(un.InputError, match=r"t\.parquet: not readable"):
        read("t.parquet")
    Path("t.csv").write_text('a,b\n1,2\n3,4,5,6\n"')
    with pytest.raises(un.InputError, match=r"t\.csv: not readable"):
        read("t.csv")


def test_files_of_two_tables_are_not_read_as_one() -> None:
    Path("t").mkdir()
    ROWS.write_parquet("t/a.parquet")
    ROWS.drop("price").write_parquet("t/b.parquet")
    with pytest.raises(un.InputError, match=r"b\.parquet: other columns than the first file has \(price\)"):
        read("t")


def test_a_table_that_is_not_there_is_named() -> None:
    for source in ("t.parquet", "t.csv", "t.ndjson", "t/*.parquet", "delta:t", "sqlite:///t.db#t"):
        with pytest.raises(un.StoreError, match="there is no "):
            read(source)


def test_a_password_is_never_shown(postgres: Postgres) -> None:
    url = postgres.database()
    name = open_sink(f"{url}#t").name
    assert SECRET not in name and "unisono:***@/" in name
    with pytest.raises(un.InputError, match="no table is named") as refused:
        open_sink(url)
    assert SECRET not in str(refused.value) and "unisono:***@/" in str(refused.value)


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_in_docstrings_run_and_everything_public_has_one(name: str) -> None:
    module = importlib.import_module(name)
    assert doctest.testmod(module).failed == 0
    own = [thing for thing in vars(module).values() if getattr(thing, "__module__", None) == name]
    assert module.__doc__
    assert [thing for thing in own if callable(thing) and thing.__name__[0] != "_" and not thing.__doc__] == []
