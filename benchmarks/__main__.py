"""`python -m benchmarks`: all benchmarks with both kinds of values, then the tables of benchmarks/README.md.

With --only some of them are run, and the tables of the others are kept. With --events the tables are printed and the
README is left as it is.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks.harness import ask_process, say
from benchmarks.report import machine, renew, tables
from benchmarks.workload import EVENTS, VALUES

README = Path(__file__).parent / "README.md"
SHAPED = ("frame", "stream", "read")
OTHERS = (
    "batch",
    "engines",
    "one_row",
    "serving",
    "http_layer",
    "prediction_log",
    "switching",
    "burst",
    "registry",
    "imports",
)


def commands(events: int, only: list[str]) -> list[list[str]]:
    """Arguments of `python -m`, in the order of the tables."""
    size = [] if events == EVENTS else ["--events", str(events)]
    shaped = [[f"benchmarks.{name}", "--values", kind, *size] for name in SHAPED for kind in VALUES if name in only]
    return shaped + [[f"benchmarks.{name}"] for name in OTHERS if name in only]


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--events", type=int, default=EVENTS, help="a smaller workload, to try things out")
    options.add_argument("--only", default=",".join(SHAPED + OTHERS), help="comma-separated names")
    arguments = options.parse_args()
    only = arguments.only.split(",")
    if unknown := set(only) - {*SHAPED, *OTHERS}:
        options.error(f"--only {','.join(sorted(unknown))}: none of {', '.join(SHAPED + OTHERS)}")
    results = []
    for command in commands(arguments.events, only):
        say(f"python -m {' '.join(command)}")
        results.append((command, ask_process(["-m", *command, "--json"])))
    if arguments.events == EVENTS:
        renew(README, machine(), tables(results))
    print("\n\n".join(tables(results).values()))


if __name__ == "__main__":
    main()
