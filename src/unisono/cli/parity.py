"""`unisono parity`: the proof that every route agrees."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from unisono.cli import prose
from unisono.cli.answer import Answer
from unisono.cli.exit_codes import DIFFERENT, DONE
from unisono.cli.options import COMMON_DEFAULTS, Common, PredictorName, option
from unisono.cli.progress import progress

if TYPE_CHECKING:
    from unisono.drivers.parity import ParityReport

EXAMPLES = (
    "unisono parity late --json",
    "unisono parity late --plant drop-event:stream",
)
FIELDS = {
    "predictor": "its name",
    "requests": "compared",
    "events": "of the log",
    "features": "a request",
    "outputs": "a request",
    "drivers": "who answered; the others are compared with the first",
    "differing_bits": "of the other drivers, together",
    "differing_values": "values that have any",
    "first": "the first difference: driver, against, feature, key, time, position, value, expected; or null",
    "seconds": "how long each driver took",
    "planted": "the fault that was put in on purpose, or null",
}


def parity(
    predictor: PredictorName,
    /,
    *,
    plant: Annotated[
        str | None,
        option(
            "FAULT:DRIVER",
            "Test of this test: put a fault into what one driver is given. FAULT:DRIVER; faults: drop-event, "
            "swap-events, flip-bit, change-weight; drivers: batch, stream, online. Default: none.",
        ),
    ] = None,
    common: Common = COMMON_DEFAULTS,
) -> Answer:
    """Run every driver over the same log and compare features and predictions, bit by bit.

    First what the files in unisono.toml hold and the log lacks is added to the log. Then batch, stream and online
    each answer every request of the log, in temporary stores. Exit code 0 says that no bit differs; 1 that some do:
    driver, feature, key, time and both values of the first difference are named. --json prints requests, features,
    drivers, differing_bits, the first difference, and more.
    """
    from unisono.drivers.project import load

    project = load(common.project)
    with progress(quiet=common.quiet) as report:
        found = project.parity(predictor, plant=plant, progress=report)
    return Answer(found.as_dict(), _text(found), DIFFERENT if found.differing_bits else DONE)


def _text(report: ParityReport) -> str:
    values = f"{report.features} features and {report.outputs} outputs"
    compared = f"{report.requests:,} requests, {values} each; drivers: {', '.join(report.drivers)}"
    first = report.first
    if first is None:
        return f"{compared}\nno bit differs"
    key = ", ".join(f"{column} = {value}" for column, value in first.key.items())
    place = (
        ("driver", first.driver),
        ("feature", first.feature),
        ("key", key),
        ("time", first.time),
        ("position", first.position),
        (first.driver, first.value),
        (first.against, first.expected),
    )
    count = f"{report.differing_bits:,} bits of {report.differing_values:,} values differ; the first:"
    return f"{compared}\n{count}\n{prose.table(place)}"
