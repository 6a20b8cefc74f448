"""python -m unisono.kernel.build: compile the kernel for one, several or all targets."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from unisono.kernel.build.functions import KernelSourceError
from unisono.kernel.build.link import LinkError
from unisono.kernel.build.maker import compiled, is_fresh, make, native_target
from unisono.kernel.build.targets import TARGETS, Target

LIBRARY_FOLDER = Path(__file__).parents[1] / "lib"
OTHER_FOLDER = Path("build/kernel")


def main(arguments: Sequence[str] | None = None) -> int:
    """Build what the arguments name; 0 if all was built or fresh, 1 if the kernel's source or a linker refused."""
    options = _parser().parse_args(arguments)
    wanted = list(_placed(_targets(options), options.out))
    stale = [(target, folder) for target, folder in wanted if options.force or not is_fresh(target, folder)]
    for target, folder in wanted:
        if (target, folder) not in stale:
            print(f"{target.name}: {folder / target.file} is up to date")
    try:
        _build(stale)
    except (KernelSourceError, LinkError) as error:
        print(f"kernel build: {error}", file=sys.stderr)
        return 1
    return 0


def _build(stale: Sequence[tuple[Target, Path]]) -> None:
    if not stale:
        return
    started = time.perf_counter()
    kernel = compiled()
    print(f"compiled {len(kernel.exports)} exports in {time.perf_counter() - started:.1f} s")
    for target, folder in stale:
        started = time.perf_counter()
        file = make(kernel, target, folder)
        print(f"{target.name}: {file} {file.stat().st_size} bytes in {time.perf_counter() - started:.1f} s")


def _targets(options: argparse.Namespace) -> list[Target]:
    if options.all:
        return list(TARGETS.values())
    if options.target:
        return [TARGETS[name] for name in dict.fromkeys(options.target)]
    native = native_target()
    if native is None:
        _parser().error(f"this machine is not a target; name one with --target: {', '.join(TARGETS)}")
    return [native]


def _placed(targets: Sequence[Target], out: Path | None) -> Iterator[tuple[Target, Path]]:
    native = native_target()
    for target in targets:
        if out is not None:
            yield target, out if len(targets) == 1 else out / target.name
        else:
            yield target, LIBRARY_FOLDER if target == native else OTHER_FOLDER / target.name


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m unisono.kernel.build",
        description="Compile the kernel. Without arguments: for this machine, into the package, if it is out of date.",
    )
    parser.add_argument("--target", action="append", choices=tuple(TARGETS), help="a target to build; may be repeated")
    parser.add_argument("--all", action="store_true", help="build every target")
    parser.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        help="where the file goes: DIR for one target, DIR/TARGET for several "
        "(default: the package for this machine's own target, build/kernel/TARGET for the others)",
    )
    parser.add_argument("--force", action="store_true", help="build even what is up to date")
    return parser


if __name__ == "__main__":
    sys.exit(main())
