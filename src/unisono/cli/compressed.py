"""How a compressed model is told, and a search for recipes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from unisono.cli import prose
from unisono.cli.answer import Answer

if TYPE_CHECKING:
    from unisono.compress.search.document import SearchJson, TrialJson
    from unisono.drivers.compressing import Compressed
    from unisono.drivers.searching import Searched

_SHOWN = 8  # recipes of a front


def told(made: Compressed) -> Answer:
    """What a recipe made, for machines and for people."""
    import msgspec

    from unisono.compress.report.terminal import lines

    registered = made.registered
    data = {
        "predictor": made.report.predictor,
        "version": None if registered is None else registered.version.id,
        "alias": None if registered is None else registered.alias,
        "page": str(made.page),
        "reused": made.reused,
        "report": msgspec.to_builtins(made.report),
        "search": None,
    }
    rows = [*lines(made.report), ("report", str(made.page))]
    return Answer(data, f"{_headline(made)}\n{prose.table(rows)}")


def _headline(made: Compressed) -> str:
    registered = made.registered
    if registered is None:
        return f"compressed {made.report.predictor}: nothing is registered"
    alias = "" if registered.alias is None else f", {registered.alias}"
    return f"compressed {made.report.predictor}: version {registered.version.id}{alias}"


def told_search(predictor: str, found: Searched) -> Answer:
    """What a search found, for machines and for people."""
    import msgspec

    picture = next(str(path) for path in found.files if path.suffix == ".svg")
    data = {
        "predictor": predictor,
        "version": None,
        "alias": None,
        "page": picture,
        "reused": None,
        "report": None,
        "search": msgspec.to_builtins(found.search),
    }
    recipes = [path for path in found.files if path.suffix == ".toml"]
    front = [(str(path), _trial(one)) for path, one in zip(recipes, found.search.best(), strict=True)]
    more = [("...", f"{len(front) - _SHOWN} more")] if len(front) > _SHOWN else []
    rows = [*front[:_SHOWN], *more, ("picture", picture)]
    return Answer(data, f"searched {predictor}: {_outcomes(found.search)}\n{prose.table(rows)}")


def _outcomes(search: SearchJson) -> str:
    """How many trials there were, and what became of them."""
    counts = {kind: sum(one.outcome == kind for one in search.trials) for kind in ("measured", "stopped", "failed")}
    spared = sum(one.outcome == "skipped" for one in search.trials)
    listed = ", ".join(f"{count} {kind}" for kind, count in counts.items() if count)
    return f"{listed or 'nothing tried'}, {spared} skipped; {len(search.front)} that no other beats"


def _trial(one: TrialJson) -> str:
    made = one.figures
    assert made is not None, "the front is of trials that were measured"
    lost = 100 * (made.original - made.accuracy)
    return f"{made.size_bytes / 1e6:.2f} MB, {made.latency_ms:.3f} ms ({made.speedup:.1f}x), {-lost:+.2f} points"
