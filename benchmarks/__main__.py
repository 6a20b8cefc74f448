"""`python -m benchmarks`: all benchmarks with both kinds of values, then the tables of benchmarks/README.md.

With --events the tables are printed and the README is left as it is.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks.harness import ask_process, say
from benchmarks.report import machine, rewrite, tables
from benchmarks.workload import EVENTS, VALUES

README = Path(__file__).parent / "README.md"


def commands(events: int) -> list[list[str]]:
    """Arguments of `python -m`, in the order of the tables."""
    size = [] if events == EVENTS else ["--events", str(events)]
    shaped = [[f"benchmarks.{name}", "--values", kind] for name in ("frame", "stream", "read") for kind in VALUES]
    others = [[f"benchmarks.{name}"] for name in ("batch", "engines", "registry", "imports")]
    return [[*command, *size] for command in shaped] + others


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--events", type=int, default=EVENTS, help="a smaller workload, to try things out")
    events = options.parse_args().events
    results = []
    for command in commands(events):
        say(f"python -m {' '.join(command)}")
        results.append((command, ask_process(["-m", *command, "--json"])))
    text = f"{machine()}\n\n{tables(results)}"
    if events == EVENTS:
        rewrite(README, text)
    print(text)


if __name__ == "__main__":
    main()
