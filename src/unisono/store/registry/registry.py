"""The registry: which versions of which predictors there are, which of them answers, and every change of that."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import EllipsisType

from sqlalchemy import Connection

from unisono.spec.active import Version
from unisono.spec.errors import StateError, StoreError
from unisono.spec.wording import did_you_mean, is_name, listing, quoted
from unisono.store.artifacts import Artifact, Limits, read_artifact
from unisono.store.database import open_database
from unisono.store.registry import judging, looking, tables
from unisono.store.registry.changing import Changing, Reason, Row, changing, making
from unisono.store.registry.files import ArtifactFiles
from unisono.store.registry.records import CHAMPION, Change, PredictorEntry, VersionEntry

_SHOWN_DIGITS = 12


class AliasMovedError(StoreError):
    """An alias belongs to another version than was expected: somebody else has moved it."""


class Registry:
    """The versions of predictors; implements `spec.active.ActiveVersions`.

    url:       of the database: `postgresql://USER@HOST/DATABASE`, `sqlite:///FILE`, or the path of a SQLite file.
    artifacts: where artifacts are: a folder, or a URL of fsspec.
    folder:    what relative paths are relative to; None: the current folder.
    trusted:   public keys, each as the content of its PEM file: every artifact has to be signed by one; None: none has.
    clock:     microseconds since 1970 UTC, for the history.

    Threads may share it. A change is one transaction; changes of one predictor come one after the other, whichever
    process makes them. Each takes `by` (None: the login name) and `why`, which its history keeps.

    Raises StoreError, here and in every method, if database or artifacts cannot be reached.
    """

    def __init__(
        self,
        url: str,
        artifacts: str,
        *,
        folder: Path | None = None,
        trusted: Collection[bytes] | None = None,
        clock: Callable[[], int] = lambda: time.time_ns() // 1000,
    ) -> None:
        self._files = ArtifactFiles(artifacts if "://" in artifacts else str((folder or Path()) / artifacts))
        self._database = open_database(url, folder=folder)
        self._database.keep("registry", tables.METADATA, format=tables.FORMAT)
        self._trusted = trusted
        self._clock = clock

    def close(self) -> None:
        """Close its connections; forgetting it does the same."""
        self._database.close()

    # Looking ----------------------------------------------------------------------------------------------------------

    def predictors(self) -> list[PredictorEntry]:
        """Every predictor that has a version, in the order of their names."""
        with self._database.read() as connection:
            return looking.predictor_entries(connection)

    def versions(self, predictor: str) -> list[VersionEntry]:
        """The versions of a predictor, in the order in which they were added. Raises StoreError if there is none."""
        with self._database.read() as connection:
            found = looking.version_entries(connection, predictor, self._version)
            if not found:
                raise self._unknown(connection, predictor)
            return found

    def history(self, predictor: str) -> list[Change]:
        """Every change of a predictor, first to last. Raises StoreError if there is none."""
        with self._database.read() as connection:
            found = looking.changes(connection, predictor)
            if not found:
                raise self._unknown(connection, predictor)
            return found

    def active(self, predictor: str) -> Version:
        """The version that answers. Raises StoreError if there is none. Cost: one question to the database."""
        return self.aliased(predictor, CHAMPION)

    def aliased(self, predictor: str, alias: str) -> Version:
        """The version that has an alias. Raises StoreError if none has."""
        with self._database.read() as connection:
            held = looking.aliases(connection, predictor)
            if alias in held:
                return self._version(predictor, held[alias])
            if not looking.version_ids(connection, predictor):
                raise self._unknown(connection, predictor)
        raise StoreError(
            f"predictor {predictor}: no version is {quoted(alias)}; allowed: {listing(held)}; "
            f"give it to one: `unisono models promote {predictor} VERSION --alias {alias}`"
        )

    def version(self, predictor: str, name: str) -> Version:
        """A version by its id, the first digits of it, or an alias. Raises StoreError if that is not one version."""
        with self._database.read() as connection:
            held = looking.aliases(connection, predictor)
            known = looking.version_ids(connection, predictor)
            if not known:
                raise self._unknown(connection, predictor)
        found = [held[name]] if name in held else [one for one in known if name and one.startswith(name)]
        if len(found) == 1:
            return self._version(predictor, found[0])
        is_many = f", it is the beginning of {len(found)}" if found else ""
        choices = [*held, *(one[:_SHOWN_DIGITS] for one in found or known)]
        raise StoreError(
            f"predictor {predictor}: version {quoted(name)} is not one version{is_many}; allowed: {listing(choices)}; "
            "give an alias, or enough of the first digits of an id"
        )

    def artifact(self, version: Version) -> Artifact:
        """A version's artifact, judged and checked against the version's id.

        Raises StateError if it is not what was registered, StoreError if it is gone.
        """
        limits = Limits()
        content = self._files.read(_key(version), most=limits.artifact_bytes)
        if content is None:
            raise StoreError(f"{version.artifact}: there is no artifact; {_AGAIN}")
        found = self._judged(content, version.artifact)
        if (found.predictor, found.id) != (version.predictor, version.id):
            seen = f"version {found.id} of {found.predictor}"
            raise StateError(
                f"{version.artifact}: {seen}; allowed: version {version.id} of {version.predictor}; {_AGAIN}"
            )
        return found

    def read(self, version: Version, name: str) -> bytes:
        """One file of a version's artifact. Raises what `artifact` does, and StoreError if it has no such file."""
        files = self.artifact(version).files
        if name not in files:
            raise StoreError(
                f"{version.artifact}: no file {quoted(name)}; allowed: {listing(files)}; ask for one of these"
            )
        return files[name]

    # Changing ---------------------------------------------------------------------------------------------------------

    def add(self, artifact: Artifact, *, by: str | None = None, why: str = "") -> Version:
        """Keep an artifact as a version; which one answers stays as it is.

        The same content is the same version: adding it again adds new signatures, and puts a lost or damaged file
        right. The file is there, whole, before the registry names it.
        """
        reason = self._reason(by, why)
        version = self._version(artifact.predictor, artifact.id)
        kept = self._files.read(_key(version), most=Limits().artifact_bytes)
        signed = self._with_signatures_of(artifact, kept)
        content = signed.to_bytes()
        self._judged(content, version.artifact)
        if content != kept:
            self._files.write(_key(version), content)
        row = Row(len(content), tuple(one.fingerprint for one in signed.signatures))
        with self._database.write() as connection:
            making(connection, artifact.predictor, reason).add(artifact.id, row)
        return version

    def promote(
        self,
        version: Version,
        *,
        alias: str = CHAMPION,
        by: str | None = None,
        why: str = "",
        expected: Version | str | EllipsisType | None = ...,
    ) -> Change | None:
        """Give an alias to a version, in one step: readers see the version that had it, or this one.

        alias:    `champion` answers, `challenger` is being judged; any other name means what you let it mean.
        expected: the version, or its id, that must have the alias now; None: nobody; ...: that does not matter.

        Returns the change; None if the version has the alias already.
        Raises StoreError if there is no such version or it is retired, AliasMovedError if another than the expected
        one has the alias.
        """
        judging.judged_alias(alias)
        with self._changing(version, by, why) as own:
            if own.is_retired(version.id):
                raise StoreError(
                    f"predictor {version.predictor}: version {version.id} is retired; allowed: versions that are not; "
                    f"bring it back: `unisono models retire {version.predictor} {version.id[:_SHOWN_DIGITS]} --undo`"
                )
            _check_expected(own, alias, expected)
            return own.move(alias, version.id)

    def roll_back(self, predictor: str, *, by: str | None = None, why: str = "") -> Change:
        """Let the version answer again that was the champion before the present one; retired ones do not count.

        Returns the change. Doing it twice is as before. Raises StoreError if no other version was the champion.
        """
        with self._changing_any(predictor, by, why) as own:
            before = own.version_before(CHAMPION)
            change = None if before is None else own.move(CHAMPION, before)
            if change is None:
                raise StoreError(
                    f"predictor {predictor}: no version was the champion before {own.version_of(CHAMPION) or 'now'}; "
                    "allowed: to go back to one that was, and is not retired; promote another: "
                    f"`unisono models promote {predictor} VERSION`"
                )
            return change

    def dismiss(self, version: Version, alias: str, *, by: str | None = None, why: str = "") -> Change:
        """Take an alias from a version.

        Raises StoreError for the champion, which can only be followed by another; AliasMovedError if the version
        does not have the alias.
        """
        judging.judged_alias(alias)
        with self._changing(version, by, why) as own:
            _check_expected(own, alias, version)
            if alias == CHAMPION:
                raise StoreError(
                    f"predictor {version.predictor}: version {version.id} is its champion, and answers; "
                    "allowed: to take other aliases; promote another version"
                )
            return own.take(alias, version.id)

    def tag(self, version: Version, tag: str, *, by: str | None = None, why: str = "") -> Change | None:
        """Give a version a tag, by which it can be found. Returns the change; None if it has it already."""
        judging.judged_tag(tag)
        with self._changing(version, by, why) as own:
            return own.tag(version.id, tag)

    def untag(self, version: Version, tag: str, *, by: str | None = None, why: str = "") -> Change | None:
        """Take a tag from a version. Returns the change; None if it does not have it."""
        judging.judged_tag(tag)
        with self._changing(version, by, why) as own:
            return own.untag(version.id, tag)

    def retire(self, version: Version, *, by: str | None = None, why: str = "") -> Change | None:
        """Let a version get no alias any more; it can still be read. Returns the change; None if it is so already.

        Raises StoreError if it has an alias: the champion cannot be retired.
        """
        with self._changing(version, by, why) as own:
            if held := own.aliases_of(version.id):
                raise StoreError(
                    f"predictor {version.predictor}: version {version.id} is its {listing(held)}; "
                    f"allowed: versions without an alias; promote another version to {listing(held)} first"
                )
            return own.retire(version.id, retired=True)

    def unretire(self, version: Version, *, by: str | None = None, why: str = "") -> Change | None:
        """Bring a retired version back. Returns the change; None if it was not retired."""
        with self._changing(version, by, why) as own:
            return own.retire(version.id, retired=False)

    # Inside -----------------------------------------------------------------------------------------------------------

    @contextmanager
    def _changing(self, version: Version, by: str | None, why: str) -> Iterator[Changing]:
        with self._changing_any(version.predictor, by, why) as own:
            if own.is_retired(version.id) is None:
                known = looking.version_ids(own.connection, version.predictor)
                shown = listing(one[:_SHOWN_DIGITS] for one in known)
                raise StoreError(
                    f"predictor {version.predictor}: there is no version {quoted(version.id)}; allowed: {shown}; "
                    "use one of these"
                )
            yield own

    @contextmanager
    def _changing_any(self, predictor: str, by: str | None, why: str) -> Iterator[Changing]:
        reason = self._reason(by, why)
        with self._database.write() as connection:
            own = changing(connection, predictor, reason)
            if own is None:
                raise self._unknown(connection, predictor)
            yield own

    def _reason(self, by: str | None, why: str) -> Reason:
        who = judging.login_name() if by is None else by
        return Reason(judging.judged_text("by", who), judging.judged_text("why", why), self._clock())

    def _version(self, predictor: str, identity: str) -> Version:
        return Version(predictor, identity, self._files.place(f"{predictor}/{identity}{_SUFFIX}"))

    def _judged(self, content: bytes, place: str) -> Artifact:
        try:
            return read_artifact(content, trusted=self._trusted)
        except StateError as error:
            raise StateError(f"{place}: {error}") from error

    def _with_signatures_of(self, artifact: Artifact, kept: bytes | None) -> Artifact:
        """An artifact with the signatures that the file has and it has not; a broken file has none."""
        if kept is None or kept == artifact.to_bytes():
            return artifact
        try:
            older = read_artifact(kept).signatures
        except StateError:
            return artifact
        keys = {one.key for one in artifact.signatures}
        for signature in older:
            artifact = artifact if signature.key in keys else artifact.signed(signature)
        return artifact

    def _unknown(self, connection: Connection, predictor: str) -> StoreError:
        known = looking.predictor_names(connection)
        name = predictor if is_name(predictor) else quoted(predictor)
        near = did_you_mean(predictor, known, otherwise="")
        register = f"{'else ' if near else ''}register one: `unisono register {name} MODEL`"
        return StoreError(
            f"predictor {name} has no version in {self._database.name}; allowed: {listing(known)}; "
            f"{' '.join(filter(None, (near, register)))}"
        )


_SUFFIX = ".zip"
_AGAIN = "restore the artifact, or register the model again"


def _key(version: Version) -> str:
    return f"{version.predictor}/{version.id}{_SUFFIX}"


def _check_expected(own: Changing, alias: str, expected: Version | str | EllipsisType | None) -> None:
    if isinstance(expected, EllipsisType):
        return
    wanted = expected.id if isinstance(expected, Version) else expected
    seen = own.version_of(alias)
    if seen != wanted:
        raise AliasMovedError(
            f"predictor {own.predictor}: {alias} is {seen or 'no version'}; allowed: {wanted or 'no version'}, as "
            f"expected; see `unisono models history {own.predictor}`, then decide again"
        )
