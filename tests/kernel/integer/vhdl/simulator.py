"""GHDL, asked by text: a line a question in hexadecimal, and a line an answer."""

from __future__ import annotations

import gzip
import json
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

VECTORS = Path(__file__).parents[1] / "vectors"
SEED = 20230408
REPOSITORY = "github.com/albertomarchisio/SwiftTron"

Row = list[int]

_IEEE = Path("/usr/lib/ghdl/src/ieee2008")
_FILES = ("std_logic_1164", "std_logic_1164-body", "numeric_std", "numeric_std-body", "std_logic_textio")
_STOPS = '    assert TOPBIT >= 0 report "NUMERIC_STD.DIVMOD'
_GIVES_UNKNOWN = """\
    if TOPBIT < 0 then
      XQUOT := (XQUOT'range => 'X'); XREMAIN := (XREMAIN'range => 'X'); return;
    end if;
"""


@dataclass(frozen=True, slots=True)
class Design:
    """Published files.

    checkout: folder with the repository.
    commit:   that it is at.
    """

    checkout: Path
    commit: str

    def provenance(self, sources: Sequence[str]) -> dict[str, object]:
        """Where vectors of these files are from."""
        says = subprocess.run(["ghdl", "--version"], capture_output=True, text=True, check=True).stdout
        return {
            "repository": REPOSITORY,
            "commit": self.commit,
            "files": list(sources),
            "generics": "as published: bits_choice 0; MAC with data_size 8 and acc_size 32",
            "simulator": f"{says.splitlines()[0]}; numeric_std gives X for a quotient by zero, where it would stop",
            "seed": SEED,
        }

    def answers(self, sources: Sequence[str], bench: tuple[str, str], asked: Sequence[str]) -> list[str]:
        """What a bench answers, a line a question. bench: its name and its text."""
        name, text = bench
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary)
            _make_library(folder / "ieee")
            (folder / f"{name}.vhd").write_text(text, "utf-8")
            (folder / "asked").write_text("".join(f"{line}\n" for line in asked), "utf-8")
            files = [str((self.checkout / source).resolve()) for source in sources]
            _ghdl(folder, "-a", "-Pieee", *files, f"{name}.vhd")
            generics = ("-gasked=asked", "-ganswered=answered", "--ieee-asserts=disable")
            _ghdl(folder, "--elab-run", "-Pieee", name, *generics)
            return (folder / "answered").read_text("utf-8").splitlines()


def write(name: str, head: dict[str, object], rows: Sequence[tuple[Row, Row]]) -> None:
    """A file of vectors: rows are pairs of what was given and what came out."""
    text = json.dumps({**head, "rows": rows}, separators=(",", ":"))
    VECTORS.mkdir(exist_ok=True)
    (VECTORS / f"{name}.json.gz").write_bytes(gzip.compress(text.encode(), mtime=0))
    print(f"{name}: {len(rows)} rows")


def hexadecimal(number: int, digits: int) -> str:
    """Two's complement."""
    return f"{number & ((1 << 4 * digits) - 1):0{digits}X}"


def signed(word: str) -> int:
    """A number of two's complement, of as many bits as the word has."""
    number, bits = int(word, 16), 4 * len(word)
    return number - (1 << bits) if number >> (bits - 1) else number


def _make_library(folder: Path) -> None:
    """The simulator's own library, but for quotients by zero, which chips have while they are reset."""
    folder.mkdir()
    for name in _FILES:
        text = (_IEEE / f"{name}.vhdl").read_text("latin-1")
        (folder / f"{name}.vhdl").write_text(text.replace(_STOPS, _GIVES_UNKNOWN + _STOPS), "latin-1")
        _ghdl(folder, "-a", "--work=ieee", f"{name}.vhdl")


def _ghdl(folder: Path, command: str, *words: str) -> None:
    subprocess.run(["ghdl", command, "--std=08", "--ieee=none", *words], cwd=folder, check=True)
