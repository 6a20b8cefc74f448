"""The result for people, and for docs/serving-performance.md."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.harness import ROOT
from benchmarks.report import machine, rewrite

PAGE = ROOT / "docs" / "serving-performance.md"
_HEAD = """\
| server | requests/s | CPU µs a request | p50 / p99 ms | alone, p50 µs | worker, MB | processes |
|---|---|---|---|---|---|---|"""


def tables(result: Mapping[str, Any]) -> str:
    """Servers, then what is asked of unisono."""
    lines = [_HEAD, *(_server(name, one) for name, one in result["servers"].items())]
    lines += ["", f"The model in memory, one row: {result['model_alone_us']} µs. Runs: {result['runs']}.", ""]
    lines += ["| asked of unisono | is | should be |", "|---|---|---|"]
    lines += [f"| {name} | {value} | {result['targets'][name]} |" for name, value in result["ratios"].items()]
    missing = [f"Not measured: {name} ({why})." for name, why in result["not_measured"].items()]
    return "\n".join([*lines, *([""] if missing else []), *missing])


def _server(name: str, one: Mapping[str, float]) -> str:
    waits = f"{one['p50_us'] / 1e3:.2f} / {one['p99_us'] / 1e3:.2f}"
    failed = f", {one['failed']:.0f} FAILED" if one["failed"] else ""
    cells = (f"{one['rate']:,.0f}{failed}", one["cpu_us"], waits, f"{one['alone_p50_us']:.0f}", one["worker_mb"])
    return f"| {name} | {' | '.join(map(str, cells))} | {one['processes']:.0f} |"


def write(result: Mapping[str, Any]) -> None:
    """Put the tables into the page, with the machine they are from."""
    rewrite(PAGE, f"{machine()}\n\n{tables(result)}")
