"""`unisono models`: what the registry knows, and changes of it."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter
from cyclopts.types import PositiveInt

from unisono.cli import model_lines as lines
from unisono.cli.answer import Answer
from unisono.cli.options import COMMON_DEFAULTS, Common, PredictorName, option

if TYPE_CHECKING:
    from unisono.spec.active import Version
    from unisono.store.registry import Change, Registry

HELP = "Look at the registry and change it: versions of predictors, which of them answers, and their history."

LIST_EXAMPLES = ("unisono models list", "unisono models list late", "unisono models list --tag team:parcels")
SHOW_EXAMPLES = ("unisono models show late", "unisono models show late challenger")
COMPARE_EXAMPLES = ("unisono models compare late champion challenger",)
HISTORY_EXAMPLES = ("unisono models history late", "unisono models history late --alias champion --limit 5")
TAG_EXAMPLES = ('unisono models tag late champion team:parcels --why "the team owns it"',)
PROMOTE_EXAMPLES = (
    'unisono models promote late 3f2a91 --why "3 % better on November"',
    "unisono models promote late 3f2a91 --alias challenger",
    "unisono models promote late challenger --expected 9c07d4",
)
ROLLBACK_EXAMPLES = ('unisono models rollback late --why "it refuses too many"',)
RETIRE_EXAMPLES = ("unisono models retire late 9c07d4", "unisono models retire late 9c07d4 --undo")

LIST_FIELDS = {
    "predictors": "of each: predictor, aliases (name -> version), versions (how many), tags, changed_at (RFC 3339)",
    "versions": "with PREDICTOR, of each: version, artifact, added_at, bytes, retired, aliases, tags, signers",
}
SHOW_FIELDS = {
    "predictor": "its name",
    "version": "of it: version, artifact, added_at, bytes, retired, aliases, tags, signers",
    "facts": "sizes (bytes of each file), metrics, passport, lineage, features, spec: of each, path -> value",
}
COMPARE_FIELDS = {
    "predictor": "its name",
    "one": "id of the first version",
    "other": "id of the second",
    "comparison": "sizes, metrics, passport, lineage, features, spec: of each, path -> the two values",
}
HISTORY_FIELDS = {
    "changes": "of each: predictor, number, at (RFC 3339), by, why, what, version, alias, before, after; first to last"
}
CHANGED_FIELDS = {
    "predictor": "its name",
    "version": "id of the version",
    "changes": "that were made, none if it was so already; of each what `unisono models history` says",
}

VersionName = Annotated[str, Parameter(help="Id of the version, its first digits, or an alias.")]
By = Annotated[str | None, option("NAME", "Who does it, for the history. Default: your login name.")]
Why = Annotated[str, option("TEXT", "For what reason, for the history. Default: none is given.")]


def list_(
    predictor: Annotated[
        str | None, option("PREDICTOR", "Name of a predictor, to see its versions. Default: all predictors.")
    ] = None,
    /,
    *,
    name: Annotated[str | None, option("TEXT", "Only predictors that have this in their name. Default: all.")] = None,
    tag: Annotated[
        str | None,
        option(
            "TAG", "Only predictors with a version that has this tag; with PREDICTOR, only such versions. Default: all."
        ),
    ] = None,
    common: Common = COMMON_DEFAULTS,
) -> Answer:
    """List the predictors of the registry, a line each, or the versions of one.

    Of a predictor: the version that answers (its champion), how many versions there are, when the last change was made,
    its other aliases, and the tags of its versions. Of a version: when it was added, its size, its aliases and tags.
    Nothing of the project's definitions is run.
    """
    with closing(_registry(common)) as registry:
        entries = registry.predictors()
        versions = None if predictor is None else registry.versions(predictor)
    if versions is None:
        found = [one for one in entries if (name or "") in one.name and (tag is None or tag in one.tags)]
        data = {"predictors": [lines.predictor_data(one) for one in found], "versions": None}
        text = f"{lines.predictor_table(found)}\n{len(found)} of {len(entries)} predictors"
        return Answer(data, text if entries else "no predictors; register one: `unisono register PREDICTOR MODEL`")
    found_versions = [one for one in versions if tag is None or tag in one.tags]
    data = {
        "predictors": [lines.predictor_data(one) for one in entries if one.name == predictor],
        "versions": [lines.version_data(one) for one in found_versions],
    }
    return Answer(data, f"{lines.version_table(found_versions)}\n{len(found_versions)} of {len(versions)} versions")


def show(
    predictor: PredictorName,
    version: Annotated[
        str, option("VERSION", "Id of the version, its first digits, or an alias. Default: champion.")
    ] = "champion",
    /,
    *,
    common: Common = COMMON_DEFAULTS,
) -> Answer:
    """Show all that is known of one version: where it is, how large, its metrics, passport and lineage, its spec.

    The artifact is read and checked against its id on the way: what is shown is what would answer. Nothing of it
    is run.
    """
    from unisono.store.registry.comparing import facts

    with closing(_registry(common)) as registry:
        chosen = registry.version(predictor, version)
        entry = next(one for one in registry.versions(predictor) if one.version == chosen)
        known = facts(registry.artifact(chosen))
    data = lines.version_data(entry)
    text = lines.fact_tables({f"{predictor}, version {chosen.id}": lines.plain(data), **known})
    return Answer({"predictor": predictor, "version": data, "facts": known}, text)


def compare(
    predictor: PredictorName,
    one: Annotated[str, Parameter(help="Id of a version, its first digits, or an alias.")],
    other: Annotated[str, Parameter(help="The same of another version.")],
    /,
    *,
    common: Common = COMMON_DEFAULTS,
) -> Answer:
    """Compare two versions of a predictor side by side: sizes, metrics, passports, lineage, features, spec.

    Sizes (in bytes), metrics, passports and lineage are shown whole, with a * before what differs; of features and
    specs only what differs. Neither version is run: the figures are those that were measured when each was registered.
    """
    from unisono.store.registry.comparing import compare as compared

    with closing(_registry(common)) as registry:
        chosen = [registry.version(predictor, name) for name in (one, other)]
        comparison = compared(*map(registry.artifact, chosen))
    first, second = (version.id for version in chosen)
    data = {"predictor": predictor, "one": first, "other": second, "comparison": comparison}
    return Answer(data, lines.comparison_tables(comparison, (first[: lines.DIGITS], second[: lines.DIGITS])))


def history(
    predictor: PredictorName,
    /,
    *,
    alias: Annotated[
        str | None, option("NAME", "Only changes of this alias, e.g. champion. Default: all changes.")
    ] = None,
    limit: Annotated[PositiveInt, option("NUMBER", "At most so many, the last. Default: 50.")] = 50,
    common: Common = COMMON_DEFAULTS,
) -> Answer:
    """Show every change of a predictor: which version was added, promoted, tagged or retired; when, by whom and why.

    Changes are numbered without a gap, and none can be changed or removed: the database refuses it. The last ones are
    shown, first to last.
    """
    with closing(_registry(common)) as registry:
        changes = registry.history(predictor)
    shown = [one for one in changes if alias is None or one.alias == alias][-limit:]
    text = f"{lines.change_table(shown)}\n{len(shown)} of {len(changes)} changes"
    return Answer({"changes": [lines.change_data(one) for one in shown]}, text)


def tag(
    predictor: PredictorName,
    version: VersionName,
    tag: Annotated[str, Parameter(help="Letters, digits and _ . : / -, e.g. team:parcels.")],
    /,
    *,
    remove: Annotated[
        bool, Parameter(help="Take the tag from the version instead.", negative="", show_default=False)
    ] = False,
    by: By = None,
    why: Why = "",
    common: Common = COMMON_DEFAULTS,
) -> Answer:
    """Give a version a tag, by which `unisono models list --tag` finds it; or take one from it.

    A tag says something of a version, and many may have the same one: a team, a data set, an approval. What one version
    at a time is, as champion, is an alias: see `unisono models promote`.
    """
    with closing(_registry(common)) as registry:
        chosen = registry.version(predictor, version)
        change = (registry.untag if remove else registry.tag)(chosen, tag, by=by, why=why)
    return _changed(chosen, change)


def promote(
    predictor: PredictorName,
    version: VersionName,
    /,
    *,
    alias: Annotated[
        str,
        option(
            "NAME", "What it becomes: champion (answers), challenger (is judged) or a name of yours. Default: champion."
        ),
    ] = "champion",
    expected: Annotated[
        str | None,
        option(
            "VERSION",
            "Only if this version has the alias now (`none`: if no version has it). Default: whichever has it.",
        ),
    ] = None,
    remove: Annotated[
        bool, Parameter(help="Take the alias from the version instead.", negative="", show_default=False)
    ] = False,
    by: By = None,
    why: Why = "",
    common: Common = COMMON_DEFAULTS,
) -> Answer:
    """Let a version answer from now on, or give it another alias; or take an alias from it.

    The switch is one step: whoever asks gets the old version or the new one, and there is never more than one
    champion. `unisono models rollback` switches back. With --expected nothing is changed if somebody else has switched
    meanwhile.
    """
    with closing(_registry(common)) as registry:
        chosen = registry.version(predictor, version)
        if remove:
            return _changed(chosen, registry.dismiss(chosen, alias, by=by, why=why))
        wanted = ... if expected is None else None if expected == "none" else registry.version(predictor, expected)
        change = registry.promote(chosen, alias=alias, by=by, why=why, expected=wanted)
    return _changed(chosen, change)


def rollback(
    predictor: PredictorName,
    /,
    *,
    by: By = None,
    why: Why = "",
    common: Common = COMMON_DEFAULTS,
) -> Answer:
    """Let the version answer again that was the champion before the present one.

    One step, in one transaction, like promoting it; versions that are retired since do not count. Servers notice within
    a second. Rolling back twice is as before: whoever wants a version of long ago promotes it.
    """
    with closing(_registry(common)) as registry:
        change = registry.roll_back(predictor, by=by, why=why)
        return _changed(registry.version(predictor, change.version), change)


def retire(
    predictor: PredictorName,
    version: VersionName,
    /,
    *,
    undo: Annotated[bool, Parameter(help="Bring the version back instead.", negative="", show_default=False)] = False,
    by: By = None,
    why: Why = "",
    common: Common = COMMON_DEFAULTS,
) -> Answer:
    """Retire a version: it can still be looked at and used by its id, but no longer be champion or anything else.

    A version that has an alias cannot be retired: promote another one first. Nothing is deleted; --undo brings it back.
    """
    with closing(_registry(common)) as registry:
        chosen = registry.version(predictor, version)
        change = (registry.unretire if undo else registry.retire)(chosen, by=by, why=why)
    return _changed(chosen, change)


def _registry(common: Common) -> Registry:
    from unisono.drivers.config import read_config
    from unisono.drivers.registries import open_registry

    root = common.project.resolve()
    return open_registry(root, read_config(root))


def _changed(version: Version, change: Change | None) -> Answer:
    made = [] if change is None else [change]
    data = {"predictor": version.predictor, "version": version.id, "changes": [lines.change_data(one) for one in made]}
    text = lines.change_table(made) if made else f"{version.predictor}, version {version.id}: it was so already"
    return Answer(data, text)
