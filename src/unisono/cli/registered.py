"""How a registered model is told."""

from __future__ import annotations

from typing import TYPE_CHECKING

from unisono.cli import prose
from unisono.cli.answer import Answer

if TYPE_CHECKING:
    from unisono.drivers.registering import Registered
    from unisono.models.metrics import MetricsJson
    from unisono.models.passport import TargetJson, VerificationJson


def told(registered: Registered) -> Answer:
    """What was registered, for machines and for people."""
    import msgspec

    version, target, metrics = registered.version, registered.passport.target(), registered.metrics
    data = {
        "predictor": version.predictor,
        "version": version.id,
        "artifact": version.artifact,
        "alias": registered.alias,
        "numeric_class": target.numeric_class,
        "bound": target.bound,
        "verification": msgspec.to_builtins(target.verification),
        "golden_rows": target.golden_rows,
        "labelled_rows": metrics.rows,
        "metrics": metrics.values,
        "given_metrics": metrics.given,
        "signed_by": list(registered.signed_by),
    }
    rows = [
        ("alias", _told_alias(registered)),
        ("class", _told_class(target)),
        *_told_verification(target.verification),
        ("golden rows", f"{target.golden_rows}, tried wherever it is loaded"),
        *_told_metrics(metrics),
        *(("signed by", one) for one in registered.signed_by),
        ("artifact", version.artifact),
    ]
    return Answer(data, f"registered {version.predictor}: version {version.id}\n{prose.table(rows)}")


def _told_alias(registered: Registered) -> str:
    version, alias = registered.version, registered.alias
    if alias is None:
        return f"none; to let it answer: `unisono models promote {version.predictor} {version.id[:12]}`"
    return f"{alias}, answers from now on" if alias == "champion" else alias


def _told_class(target: TargetJson) -> str:
    if target.numeric_class == "exact":
        return "exact: every machine gives the same bits"
    return f"bounded: machines may differ by {target.bound:.2g}, because of {', '.join(target.operators) or 'fusions'}"


def _told_verification(found: VerificationJson) -> list[tuple[str, str]]:
    """What of the comparison with the fitted model a reader has to know."""
    said = "equal bits" if found.is_equal else f"differs by at most {_number(found.max_gap)} ({found.max_ulp:,} ulp)"
    flips = f", {found.flips:,} with another label" if found.flips else ""
    differs = "" if found.is_equal else f" in {found.differs:,} rows{flips}"
    lines = [("model", f"{said}{differs}; compared on {found.rows:,} rows and {found.edges:,} at the edges")]
    if found.split_count:
        lines.append(("splits", f"{found.splits:,} of {found.split_count:,} questions of trees were tried"))
    if found.worst is not None:
        lines.append(("worst", found.worst))
    if found.skipped:
        kinds = ", ".join(f"{one.kind} {one.rows:,}" for one in found.skipped)
        lines.append(("not asked", f"the model does not take: {kinds}"))
    if found.beyond is not None:
        beyond = found.beyond
        lines.append(("far out", f"{beyond.rows:,} rows at the limits of floats, {beyond.differs:,} differ"))
    return lines


def _told_metrics(metrics: MetricsJson) -> list[tuple[str, str]]:
    if not metrics.values:
        note = metrics.note or "no row of the sample has a label that is known"
        told = [("metrics", f"none: {note}")]
    else:
        shown = ", ".join(f"{name} {value:.4g}" for name, value in metrics.values.items())
        told = [("metrics", f"{shown} (of {metrics.rows:,} rows with {metrics.label})")]
    given = ", ".join(f"{name} {value:g}" for name, value in metrics.given.items())
    return [*told, *([("your metrics", given)] if given else [])]


def _number(value: float | None) -> str:
    return "infinity" if value is None else f"{value:.2g}"
