"""Point-in-time frame of 500 k requests over 5 M events: whole processes, wall time, peak memory, Parquet in and out.

Every formulation of every peer is first run once and its answer compared with unisono's. The fastest right one of each
peer, its usual one, and all that come near the fastest of all are then timed, in turn with unisono. The best of them is
`fastest_peer`. `floor` computes nothing: Polars reads the inputs and writes the finished answer.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from benchmarks.harness import FOREVER_S, Measured, Result, ask_process, finish, parser, prepare, run_process, say
from benchmarks.workload import Workload

# Of each peer the usual formulation first; it is timed whether it is fast or not.
PEERS = {
    "polars": ("rolling", "axis", "merged_axis", "prefix"),
    "duckdb": ("window", "asof", "range_join"),
}
SPEEDUP_TARGET = 5.0
MEMORY_TARGET = 0.35
# In the qualifying round, whoever needs HOPELESS times the best so far is stopped; whoever is within NEAR of the best
# is timed.
HOPELESS = 8.0
HOPELESS_S = 15.0
NEAR = 1.5


@dataclass(slots=True)
class Contestant:
    """An engine and a formulation, with what was measured of it; `first` is the qualifying run."""

    engine: str
    formulation: str = ""
    first: Measured | None = None
    timed: list[Measured] = field(default_factory=list)

    @property
    def name(self) -> str:
        return f"{self.engine} {self.formulation}".strip()

    @property
    def first_s(self) -> float:
        return self.first.wall_s if self.first else FOREVER_S

    @property
    def wall_s(self) -> float:
        return median(run.wall_s for run in self.timed)

    @property
    def peak_mb(self) -> float:
        return median(run.peak_mb for run in self.timed)

    @property
    def cpu_s(self) -> float:
        return median(run.cpu_s for run in self.timed)

    @property
    def figures(self) -> Result:
        return {"s": round(self.wall_s, 3), "cpu_s": round(self.cpu_s, 3), "peak_mb": round(self.peak_mb, 1)}

    @property
    def usual(self) -> bool:
        """Whether it is the usual formulation of its engine."""
        return self.formulation == PEERS[self.engine][0]

    def run(self, workload: Workload, out: Path, *, limit_s: float = FOREVER_S) -> Measured:
        module = "unisono_frame" if self.engine == "unisono" else f"peers.{self.engine}_frame"
        formulation = [self.formulation] if self.formulation else []
        files = [str(workload.events_path), str(workload.requests_path), str(out)]
        return run_process(["-m", f"benchmarks.{module}", *formulation, workload.values, *files], limit_s=limit_s)


def qualify(contestant: Contestant, workload: Workload, ours: Path, *, limit_s: float) -> bool:
    """Runs a peer once; whether it was in time and answered as unisono did."""
    theirs = ours.with_name("theirs.parquet")
    run = contestant.run(workload, theirs, limit_s=limit_s)
    if run.code:
        say(f"  {contestant.name}: {'stopped' if run.code < 0 else 'failed'} after {run.wall_s:.1f} s")
        return False
    verdict = ask_process(["-m", "benchmarks.agreement", str(ours), str(theirs), workload.values])
    verb = f"equal, largest error {verdict['largest_error']}" if verdict["equal"] else f"differs: {verdict['first']}"
    say(f"  {contestant.name}: {run.wall_s:.2f} s, {run.peak_mb:.0f} MB, {verb}")
    contestant.first = run
    return bool(verdict["equal"])


def choose(workload: Workload, peers: Sequence[str], ours: Path) -> list[Contestant]:
    """The formulations worth timing."""
    right: list[Contestant] = []
    for contestant in (Contestant(peer, formulation) for peer in peers for formulation in PEERS[peer]):
        best_s = min((rival.first_s for rival in right), default=FOREVER_S)
        if qualify(contestant, workload, ours, limit_s=max(HOPELESS_S, HOPELESS * best_s)):
            right.append(contestant)
    if not right:
        raise SystemExit("no peer gave unisono's answer")
    right.sort(key=lambda contestant: contestant.first_s)
    near_s = NEAR * right[0].first_s
    leaders = {contestant.engine: contestant for contestant in reversed(right)}
    return [
        contestant
        for contestant in right
        if contestant.first_s <= near_s or contestant in leaders.values() or contestant.usual
    ]


def race(contestants: Sequence[Contestant], workload: Workload, runs: int, out: Path) -> None:
    """Times them in turn, so that a busy minute of the machine meets them all."""
    for turn in range(runs):
        for contestant in contestants:
            run = contestant.run(workload, out)
            if run.code:
                raise SystemExit(f"{contestant.name} failed in run {turn + 1}")
            contestant.timed.append(run)
            say(f"  run {turn + 1}, {contestant.name}: {run.wall_s:.2f} s, {run.peak_mb:.0f} MB")


def floor_s(workload: Workload, answer: Path, runs: int, out: Path) -> float:
    """The seconds of reading and writing alone."""
    files = [str(answer), str(workload.events_path), str(workload.requests_path), str(out)]
    return median(run_process(["-m", "benchmarks.peers.floor_frame", *files]).wall_s for _ in range(runs))


def summarize(ours: Contestant, peers: Sequence[Contestant], workload: Workload, *, floor_s: float) -> Result:
    fastest = min(peers, key=lambda contestant: contestant.wall_s)
    speedup, memory_ratio = fastest.wall_s / ours.wall_s, ours.peak_mb / fastest.peak_mb
    return {
        "benchmark": "frame",
        "values": workload.values,
        "events": workload.events,
        "requests": workload.requests,
        "runs": len(ours.timed),
        "unisono_s": round(ours.wall_s, 3),
        "unisono_cpu_s": round(ours.cpu_s, 3),
        "unisono_peak_mb": round(ours.peak_mb, 1),
        "fastest_peer": fastest.name,
        "fastest_peer_s": round(fastest.wall_s, 3),
        "fastest_peer_cpu_s": round(fastest.cpu_s, 3),
        "fastest_peer_peak_mb": round(fastest.peak_mb, 1),
        "speedup": round(speedup, 2),
        "speedup_target": SPEEDUP_TARGET,
        "memory_ratio": round(memory_ratio, 3),
        "memory_ratio_target": MEMORY_TARGET,
        "floor_s": round(floor_s, 3),
        "met": speedup >= SPEEDUP_TARGET and memory_ratio <= MEMORY_TARGET,
        "peers": {peer.name: peer.figures for peer in peers},
    }


def main() -> None:
    options = parser(str(__doc__), runs=3)
    options.add_argument("--peers", default=",".join(PEERS), help="comma-separated, of: " + ", ".join(PEERS))
    arguments = options.parse_args()
    peers = arguments.peers.split(",")
    if not set(peers) <= set(PEERS):
        options.error(f"--peers {arguments.peers}: known are {', '.join(PEERS)}")
    workload = prepare(arguments)
    with tempfile.TemporaryDirectory() as folder:
        answer = Path(folder) / "ours.parquet"
        ours = Contestant("unisono")
        if ours.run(workload, answer).code:
            sys.exit("unisono failed")
        contestants = choose(workload, peers, answer)
        out = Path(folder) / "timed.parquet"
        race([ours, *contestants], workload, arguments.runs, out)
        floor = floor_s(workload, answer, arguments.runs, out)
    finish(summarize(ours, contestants, workload, floor_s=floor), as_json=arguments.json)


if __name__ == "__main__":
    main()
