"""A Parquet table of 30 floats scored into Parquet by 200 trees: rows per CPU second, wall time, peak memory.

unisono reads, checks, scores and publishes in whole processes, by onnxruntime and by its own engine for trees. Its
measure is the bare engine in memory: the same trees in the same session, on a matrix that is there already, in the
fastest of three sizes of calls; nothing read, nothing written. Both run on one core, and both on all, where cores that
share their caches take more CPU seconds for the same. Beside them the two usual ways: DuckDB with a Python function on
Arrow, and a loop with Polars and onnxruntime by hand, on all cores. Every contestant runs once before it is timed, and
its answers must have the same bits.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from benchmarks.harness import Measured, Result, ask_process, finish, parser, run_process, say
from benchmarks.scores import COLUMNS, ROWS, Table

OURS = ("onnxruntime", "trees")
PEERS = ("polars", "duckdb")
ONE_CORE = f"unisono {OURS[0]}, one core"
EFFICIENCY_TARGET = 0.9
MEMORY_TARGET_MB = 1000.0
ENGINE_TARGET = 2.0


@dataclass(slots=True)
class Contestant:
    """Who scores the table, with what was measured of it.

    name:    as results call it.
    command: after `python -m`, but for the file to write.
    """

    name: str
    command: tuple[str, ...]
    timed: list[Measured] = field(default_factory=list)

    def run(self, out: Path) -> Measured:
        out.unlink(missing_ok=True)
        measured = run_process(["-m", *self.command, str(out)])
        if measured.code:
            raise SystemExit(f"{self.name} failed")
        return measured

    def figures(self, rows: int) -> Result:
        cpu_s, wall_s = (median(getattr(run, kind) for run in self.timed) for kind in ("cpu_s", "wall_s"))
        peak_mb = median(run.peak_mb for run in self.timed)
        return {
            "rows_per_cpu_s": round(rows / cpu_s),
            "cpu_s": round(cpu_s, 2),
            "s": round(wall_s, 2),
            "peak_mb": round(peak_mb, 1),
        }


def contestants(table: Table, engines: Sequence[str], peers: Sequence[str]) -> list[Contestant]:
    project, graph, rows = str(table.project), str(table.engine_path), str(table.path)
    ours = [Contestant(f"unisono {name}", ("benchmarks.unisono_batch", name, "0", project, rows)) for name in engines]
    ours.append(Contestant(ONE_CORE, ("benchmarks.unisono_batch", OURS[0], "1", project, rows)))
    return ours + [Contestant(name, (f"benchmarks.peers.batch_{name}", graph, rows)) for name in peers]


def bare(table: Table, out: Path) -> tuple[float, float]:
    """Rows per CPU second of the engine in memory, on one core and on all."""
    told = ask_process(["-m", "benchmarks.peers.batch_engine", str(table.engine_path), str(table.path), str(out)])
    one, every = (float(str(told["rows"])) / float(str(told[f"{cores}_cpu_s"])) for cores in ("one_core", "all_cores"))
    return one, every


def qualify(entrants: Sequence[Contestant], table: Table, folder: Path) -> None:
    """Runs everybody once; whose answers have other bits than the bare engine's is an error."""
    reference, out = folder / "reference.parquet", folder / "out.parquet"
    bare(table, reference)
    for contestant in entrants:
        run = contestant.run(out)
        verdict = ask_process(["-m", "benchmarks.batch_agreement", str(reference), str(out), str(table.rows)])
        say(f"  {contestant.name}: {run.cpu_s:.1f} CPU s, {run.wall_s:.1f} s, {run.peak_mb:.0f} MB, {verdict['says']}")
        if not verdict["equal"]:
            raise SystemExit(f"{contestant.name} gave other answers: {verdict['says']}")


def race(entrants: Sequence[Contestant], table: Table, runs: int, folder: Path) -> tuple[float, float]:
    """Times everybody in turn, so that a busy minute of the machine meets them all; returns the bare engine's rates."""
    rates = []
    for turn in range(runs):
        rates.append(bare(table, folder / "bare.parquet"))
        say(f"  run {turn + 1}, bare engine in memory: {rates[-1][0]:,.0f} rows per CPU second")
        for contestant in entrants:
            run = contestant.run(folder / "out.parquet")
            contestant.timed.append(run)
            rate = table.rows / run.cpu_s
            say(f"  run {turn + 1}, {contestant.name}: {rate:,.0f} rows per CPU second, {run.peak_mb:.0f} MB")
        rates.append(bare(table, folder / "bare.parquet"))
    return median(one for one, _ in rates), median(every for _, every in rates)


def summarize(entrants: Sequence[Contestant], bare_rates: tuple[float, float], table: Table) -> Result:
    figures = {contestant.name: contestant.figures(table.rows) for contestant in entrants}
    all_cores, peak_mb = (_number(figures, f"unisono {OURS[0]}", kind) for kind in ("rows_per_cpu_s", "peak_mb"))
    one_core = _number(figures, ONE_CORE, "rows_per_cpu_s")
    engines = [_number(figures, name, "rows_per_cpu_s") for name in figures if name == f"unisono {OURS[1]}"]
    efficiency, speedup = one_core / bare_rates[0], max(engines, default=0.0) / all_cores
    return {
        "benchmark": "batch",
        "rows": table.rows,
        "columns": len(COLUMNS),
        "runs": len(entrants[0].timed),
        "bare_rows_per_cpu_s": round(bare_rates[0]),
        "unisono_rows_per_cpu_s": round(one_core),
        "efficiency": round(efficiency, 3),
        "efficiency_all_cores": round(all_cores / bare_rates[1], 3),
        "efficiency_target": EFFICIENCY_TARGET,
        "unisono_peak_mb": peak_mb,
        "peak_mb_target": MEMORY_TARGET_MB,
        "engine_speedup": round(speedup, 2),
        "engine_speedup_target": ENGINE_TARGET,
        "met": efficiency >= EFFICIENCY_TARGET and peak_mb <= MEMORY_TARGET_MB and speedup >= ENGINE_TARGET,
        "contestants": figures,
    }


def _number(figures: Mapping[str, Result], name: str, kind: str) -> float:
    return float(str(figures[name][kind]))


def main() -> None:
    options = parser(str(__doc__), runs=3, workload=False)
    options.add_argument("--rows", type=int, default=ROWS, help="rows of the table")
    options.add_argument("--engines", default=",".join(OURS), help="comma-separated, onnxruntime among them")
    options.add_argument("--peers", default=",".join(PEERS), help="comma-separated, of: " + ", ".join(PEERS))
    arguments = options.parse_args()
    peers, engines = [name for name in arguments.peers.split(",") if name], arguments.engines.split(",")
    if not set(peers) <= set(PEERS) or OURS[0] not in engines:
        options.error(f"--peers of {', '.join(PEERS)}; --engines with {OURS[0]}")
    table = Table(arguments.rows)
    say(f"workload: {table.rows:,} rows of {len(COLUMNS)} floats")
    table.ensure()
    entrants = contestants(table, engines, peers)
    with tempfile.TemporaryDirectory(dir=table.path.parent) as folder:
        qualify(entrants, table, Path(folder))
        rates = race(entrants, table, arguments.runs, Path(folder))
    finish(summarize(entrants, rates, table), as_json=arguments.json)


if __name__ == "__main__":
    main()
