"""The passport of a version: per target what was measured there. Two things are kept apart in it.

`numeric_class` and `bound` say how far the answers of two machines may be apart; golden rows are tried against them
wherever the version is loaded. `verification` says how near the graph is to the fitted model that it was made of, once,
on the machine that registered it.
"""

from __future__ import annotations

import math
import platform
from dataclasses import dataclass
from importlib.metadata import version as version_of
from typing import TYPE_CHECKING, Annotated

import msgspec

from unisono import __version__
from unisono.models.verifying.classes import EXACT, NumericClass, Tolerance
from unisono.spec.errors import ModelError
from unisono.spec.wording import one_line

if TYPE_CHECKING:  # which loads what makes graphs; a server only reads passports
    from unisono.models.verification import Verification

FORMAT = 2

_LIBRARIES = ("numpy", "onnxruntime")
_Count = Annotated[int, msgspec.Meta(ge=0)]
_Size = Annotated[float, msgspec.Meta(ge=0)]


class SkippedJson(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Edge rows that the fitted model does not accept."""

    kind: str
    rows: _Count


class BeyondJson(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Extreme rows of a bounded graph, on which nothing is refused."""

    rows: _Count
    differs: _Count
    max_gap: _Size | None


class VerificationJson(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Graph against fitted model; see `verification.Verification`. A difference that is infinite is null."""

    rows: _Count
    edges: _Count
    splits: _Count
    split_count: _Count
    skipped: list[SkippedJson]
    is_equal: bool
    max_abs: _Size | None
    max_rel: _Size | None
    max_gap: _Size | None
    max_ulp: _Count
    differs: _Count
    flips: _Count
    bound: _Size
    worst: str | None
    beyond: BeyondJson | None


class TargetJson(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One kind of machine.

    numeric_class, bound: how far other machines' answers may be from this one's; bound 0 for exact.
    max_gap, max_ulp: what was measured between ways to run the graph here.
    operators:   those whose bits nobody fixes.
    rows:        that were run in those ways.
    settings:    the ways.
    golden_rows: kept with the version.
    verification: graph against fitted model.
    versions:    of the libraries that ran it, by name.
    """

    numeric_class: NumericClass
    bound: _Size
    max_gap: _Size | None
    max_ulp: _Count
    operators: list[str]
    rows: _Count
    settings: list[str]
    golden_rows: _Count
    verification: VerificationJson
    versions: dict[str, str]


class PassportJson(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole document.

    made_on: the target that registered the version.
    targets: target -> what was measured there.
    """

    format: int
    made_on: str
    targets: dict[str, TargetJson]


class _Header(msgspec.Struct, frozen=True):
    format: int


@dataclass(frozen=True, slots=True)
class Passport:
    """What a version's passport says.

    document: as it is stored.
    """

    document: PassportJson

    def target(self, name: str | None = None) -> TargetJson:
        """What was measured on a target, e.g. "x86_64-linux"; of one without an entry what was where it was made."""
        targets = self.document.targets
        return targets.get(name or this_target()) or targets[self.document.made_on]

    def tolerance(self, name: str | None = None) -> Tolerance:
        """How far a target's answers may be from the golden ones; None: this machine's."""
        found = self.target(name)
        return EXACT if found.numeric_class == "exact" else Tolerance(found.bound)

    def to_bytes(self) -> bytes:
        """As JSON that `read_passport` reads; the same bytes for the same passport."""
        return msgspec.json.encode(self.document, order="sorted")


def make_passport(verification: Verification, *, golden_rows: int) -> Passport:
    """The passport of a version that was verified on this machine."""
    machines = verification.machines
    measured = TargetJson(
        numeric_class=machines.numeric_class,
        bound=machines.bound,
        max_gap=_finite(machines.max_gap),
        max_ulp=machines.max_ulp,
        operators=list(machines.operators),
        rows=machines.rows,
        settings=list(machines.settings),
        golden_rows=golden_rows,
        verification=_verification(verification),
        versions={"unisono": __version__, **{name: version_of(name) for name in _LIBRARIES}},
    )
    return Passport(PassportJson(FORMAT, this_target(), {this_target(): measured}))


def read_passport(content: bytes) -> Passport:
    """What `Passport.to_bytes` wrote. Raises ModelError for anything else."""
    try:
        header = msgspec.json.decode(content, type=_Header)
        if header.format != FORMAT:
            raise _refused(f"format {header.format}")
        document = msgspec.json.decode(content, type=PassportJson)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise _refused(one_line(error)) from error
    if document.made_on not in document.targets:
        raise _refused("nothing about the target that it was made on")
    if any((one.numeric_class == "exact") != (one.bound == 0) for one in document.targets.values()):
        raise _refused("a class that does not go with its bound")
    return Passport(document)


def this_target() -> str:
    """The kind of machine that this is, e.g. "x86_64-linux"."""
    return f"{platform.machine()}-{platform.system().lower()}".lower()


def _refused(seen: str) -> ModelError:
    return ModelError(f"passport: {seen}; allowed: a passport of format {FORMAT}; register the model again")


def _verification(found: Verification) -> VerificationJson:
    beyond = found.beyond
    return VerificationJson(
        rows=found.rows,
        edges=found.edges,
        splits=found.splits,
        split_count=found.split_count,
        skipped=[SkippedJson(one.kind, one.rows) for one in found.skipped],
        is_equal=found.is_equal,
        max_abs=_finite(found.max_abs),
        max_rel=_finite(found.max_rel),
        max_gap=_finite(found.max_gap),
        max_ulp=found.max_ulp,
        differs=found.differs,
        flips=found.flips,
        bound=found.bound,
        worst=None if found.worst is None else str(found.worst),
        beyond=None if beyond is None else BeyondJson(beyond.rows, beyond.differs, _finite(beyond.max_gap)),
    )


def _finite(number: float) -> float | None:
    return number if math.isfinite(number) else None
