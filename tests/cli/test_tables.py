from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

import unisono as un
from unisono.cli import tables
from unisono.connect.files import read_table
from unisono.spec.errors import InputError, StoreError

FRAME = pl.DataFrame(
    {
        "name": ["a", None, 'c, "quoted"'],
        "at": [datetime(2026, 3, 2, 8, 0, 0, 123456, UTC), None, datetime(1969, 12, 31, tzinfo=UTC)],
        "share": [0.1 + 0.2, None, 5e-324],
        "minutes": [-(2**62), None, 7],
        "late": [True, None, False],
        "price": [Decimal("1.50"), None, Decimal("-0.01")],
    },
    schema_overrides={"price": pl.Decimal(18, 2)},
)
COLUMNS = {
    "name": un.String,
    "at": un.Timestamp,
    "share": un.Float64,
    "minutes": un.Int64,
    "late": un.Bool,
    "price": un.Decimal(places=2),
}


@pytest.mark.parametrize("name", ["table.parquet", "table.csv", "table.CSV"])
def test_a_table_that_is_written_is_read_back_the_same(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    tables.check_suffix(path)
    tables.write(FRAME, path)
    read = read_table(path, COLUMNS, what="a table")
    assert read.cast({"price": pl.Decimal(38, 2), "at": pl.Datetime("us", "UTC")}).rows() == FRAME.rows()
    assert [entry.name for entry in tmp_path.iterdir()] == [name]


def test_lists_do_not_fit_csv(tmp_path: Path) -> None:
    table = pl.DataFrame({"probabilities": [[0.1, 0.9]]})
    with pytest.raises(InputError, match=r'column "probabilities": CSV has no lists; allowed: \.parquet'):
        tables.write(table, tmp_path / "table.csv")
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_cannot_be_written_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "table.csv").mkdir()
    with pytest.raises(StoreError, match=r"table\.csv: could not be written"):
        tables.write(FRAME, tmp_path / "table.csv")
    assert [path.name for path in tmp_path.iterdir()] == ["table.csv"]


def test_a_table_is_shown_column_by_column(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    size, *lines = tables.shown(FRAME).splitlines()
    assert size == "3 rows, 6 columns; the last rows:"
    assert [line.split()[:3] for line in lines] == [
        ["name", "String", "33%"],
        ["at", "Datetime", "33%"],
        ["share", "Float64", "33%"],
        ["minutes", "Int64", "33%"],
        ["late", "Boolean", "33%"],
        ["price", "Decimal", "33%"],
    ]
    assert all(len(line) <= 100 for line in lines)


def test_many_columns_and_no_rows_are_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    table = pl.DataFrame({f"column_{index}": [] for index in range(100)})
    shown = tables.shown(table)
    assert shown.startswith("0 rows, 100 columns")
    assert len(shown.splitlines()) == 1 + tables.COLUMNS_SHOWN + 1
    assert f"\n  ... {100 - tables.COLUMNS_SHOWN} columns more ...\n" in shown
    assert shown.splitlines()[1].split()[0] == "column_0"
    assert shown.splitlines()[-1].split()[0] == "column_99", "the last are the outputs: they are what was asked for"
    assert tables.shown(pl.DataFrame()) == "0 rows, 0 columns; the last rows:"
