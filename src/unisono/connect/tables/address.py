"""Where a table is, as people write it: a path, a URL with a table, or either after the kind of table."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from unisono.spec.errors import InputError
from unisono.spec.wording import listing, quoted, without_password

SPELLINGS = {"json": "ndjson", "jsonl": "ndjson"}
"""Endings of files that are not called like their kind."""

_PATTERN = "*?["


@dataclass(frozen=True, slots=True)
class Address:
    """Where a table is.

    kind:  "parquet", "csv", "ndjson", "delta", "sql", or one that was installed.
    where: a path, a pattern of paths, or a URL.
    table: the name of a table there; "" where there is one table only.
    """

    kind: str
    where: str
    table: str = ""

    @property
    def path(self) -> Path:
        """The path, whole."""
        return Path(self.where).expanduser().absolute()

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder, or written like one."""
        return self.path.is_dir() or self.where.endswith("/")

    def __str__(self) -> str:
        return f"{self.where}#{self.table}" if self.table else self.where


def parse_address(text: str | Path, kinds: Collection[str]) -> Address:
    """The address that people write as PATH, URL#TABLE or KIND:PATH. Raises InputError if its kind cannot be told.

    kinds: those that there are.

    >>> parse_address("scores.jsonl", ["ndjson"])
    Address(kind='ndjson', where='scores.jsonl', table='')
    >>> parse_address("sqlite:///shop.db#scores", ["sql"])
    Address(kind='sql', where='sqlite:///shop.db', table='scores')
    """
    written = str(text) + ("/" if isinstance(text, Path) and text.is_dir() else "")
    if "://" in written:
        return _url(written, kinds)
    kind, colon, rest = written.partition(":")
    if colon and kind in kinds:
        return Address(kind, rest)
    guessed = _guess(written)
    if guessed not in kinds:
        raise InputError(
            f"table {quoted(written)}: its kind cannot be told; allowed: a file that ends in one of "
            f"{listing(sorted({*kinds, *SPELLINGS} - {'sql', 'delta'}))}, a folder (PATH/), delta:PATH, or URL#TABLE; "
            "rename it, or put KIND: before it"
        )
    return Address(guessed, written)


def _url(written: str, kinds: Collection[str]) -> Address:
    scheme = written.partition("://")[0]
    where, _, table = written.partition("#")
    kind = scheme if scheme in kinds else "sql"
    if kind == "sql" and not table:
        raise InputError(f"table {quoted(without_password(where))}: no table is named; allowed: URL#TABLE; add #TABLE")
    return Address(kind, where, table)


def _guess(written: str) -> str:
    path = Path(written).expanduser()
    if (path / "_delta_log").is_dir():
        return "delta"
    if written and (path.is_dir() or written.endswith("/")):
        return "parquet"
    suffix = path.suffix.lower().removeprefix(".")
    return SPELLINGS.get(suffix, suffix)


def matching(path: Path) -> list[Path]:
    """The paths that a whole path stands for, in order: itself, or those that fit the pattern."""
    if not any(sign in str(path) for sign in _PATTERN):
        return [path]
    return sorted(Path(path.anchor).glob(str(path.relative_to(path.anchor))))
