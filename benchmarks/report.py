"""The benchmarks' results as text for benchmarks/README.md."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

BEGIN, END = "<!-- begin: written by make bench -->", "<!-- end -->"
LIBRARIES = ("polars", "duckdb", "lmdb", "numpy")
# From a command to the next one.
_TABLE = re.compile(r"^`python -m ([^`]+)`:.*?(?=^`python -m |\Z)", re.MULTILINE | re.DOTALL)
# Of a result: what names the run or stands in the table already.
UNLISTED = {"benchmark", "values", "met"}


def machine() -> str:
    """One line of what the figures depend on."""
    libraries = ", ".join(f"{name} {version(name)}" for name in LIBRARIES)
    return (
        f"{processor()}, {os.cpu_count()} cores, {memory_gb():.0f} GB, {platform.system()} "
        f"{platform.release()}, Python {platform.python_version()}, {libraries}."
    )


def processor() -> str:
    information = Path("/proc/cpuinfo")
    lines = information.read_text().splitlines() if information.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def memory_gb() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9


def tables(results: Sequence[tuple[list[str], Mapping[str, object]]]) -> dict[str, str]:
    """Command -> its table."""
    return {" ".join(command): table(command, result) for command, result in results}


def table(command: Sequence[str], result: Mapping[str, object]) -> str:
    """The command, then a line a figure."""
    lines = [f"`python -m {' '.join(command)}`: {'targets met' if result['met'] else 'targets missed'}", ""]
    lines += ["| | |", "|---|---|"]
    lines += [f"| {name} | {cell(value)} |" for name, value in result.items() if name not in UNLISTED]
    return "\n".join(lines)


def cell(value: object) -> str:
    if isinstance(value, Mapping):
        return "; ".join(f"{name}: {cell(inner)}" for name, inner in value.items()) or "none"
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return str(value)


def rewrite(page: Path, text: str) -> None:
    """Puts `text` between the marks of a page."""
    before, _, rest = page.read_text().partition(BEGIN)
    page.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{rest.partition(END)[2]}")


def renew(page: Path, about: str, made: Mapping[str, str]) -> None:
    """Puts tables between the marks of a page; those of other commands stay.

    about: what stands before them.
    """
    kept = page.read_text().partition(BEGIN)[2].partition(END)[0]
    rewrite(page, "\n\n".join([about, *{**tables_in(kept), **made}.values()]))


def tables_in(text: str) -> dict[str, str]:
    """Command -> its table, of those that a text has."""
    return {found.group(1): found.group().strip() for found in _TABLE.finditer(text)}
