"""Changes of one predictor inside one transaction. Each is written down in the same transaction."""

from __future__ import annotations

from dataclasses import astuple, dataclass

from sqlalchemy import ColumnElement, Connection, delete, func, insert, select, text, update

from unisono.store.registry import tables
from unisono.store.registry.records import Change, What

LIVE, RETIRED = "live", "retired"


@dataclass(frozen=True, slots=True)
class Reason:
    """Who changes something, why, and when (microseconds since 1970 UTC)."""

    by: str
    why: str
    at: int


@dataclass(frozen=True, slots=True)
class Row:
    """What is kept of a version's artifact."""

    bytes: int
    signers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Changing:
    """A predictor that nobody else changes until the transaction ends; made by `changing` and `making`."""

    connection: Connection
    predictor: str
    reason: Reason

    def add(self, version: str, row: Row) -> None:
        """Let there be a version; of one that is there, its new signers are written down."""
        values = {"bytes": row.bytes, "signers": " ".join(row.signers)}
        known = self.connection.execute(select(tables.versions).where(*self._is(version))).mappings().first()
        if known is None:
            keys = {"predictor": self.predictor, "version": version, "added_at": self.reason.at, "retired": False}
            self.connection.execute(insert(tables.versions).values(**keys, **values))
            self._note("added", version, after=version)
        elif any(known[name] != value for name, value in values.items()):
            self.connection.execute(update(tables.versions).where(*self._is(version)).values(**values))
        before = () if known is None else known["signers"].split()
        for signer in row.signers:
            if signer not in before:
                self._note("signed", version, after=signer)

    def is_retired(self, version: str) -> bool | None:
        """Whether a version is retired; None if there is none."""
        return self.connection.scalar(select(tables.versions.c.retired).where(*self._is(version)))

    def version_of(self, alias: str) -> str | None:
        """Id of the version that has an alias."""
        where = (tables.aliases.c.predictor == self.predictor, tables.aliases.c.alias == alias)
        return self.connection.scalar(select(tables.aliases.c.version).where(*where))

    def aliases_of(self, version: str) -> list[str]:
        """The aliases of a version, in order."""
        where = (tables.aliases.c.predictor == self.predictor, tables.aliases.c.version == version)
        return sorted(self.connection.scalars(select(tables.aliases.c.alias).where(*where)))

    def version_before(self, alias: str) -> str | None:
        """Id of the last version that had an alias before the one that has it, but for those that are retired."""
        own, column = tables.history.c, tables.versions.c
        question = (
            select(own.before)
            .join(tables.versions, (column.predictor == own.predictor) & (column.version == own.before))
            .where(own.predictor == self.predictor, own.alias == alias, own.before != self.version_of(alias))
            .where(~column.retired)
            .order_by(own.number.desc())
            .limit(1)
        )
        return self.connection.scalar(question)

    def move(self, alias: str, version: str) -> Change | None:
        """Give an alias to a version, whoever had it; None if it has it already."""
        before = self.version_of(alias)
        if before == version:
            return None
        if before is None:
            values = {"predictor": self.predictor, "alias": alias, "version": version}
            self.connection.execute(insert(tables.aliases).values(values))
        else:
            where = (tables.aliases.c.predictor == self.predictor, tables.aliases.c.alias == alias)
            self.connection.execute(update(tables.aliases).where(*where).values(version=version))
        return self._note("aliased", version, alias=alias, before=before, after=version)

    def take(self, alias: str, version: str) -> Change:
        """Take an alias from the version that has it."""
        where = (tables.aliases.c.predictor == self.predictor, tables.aliases.c.alias == alias)
        self.connection.execute(delete(tables.aliases).where(*where))
        return self._note("unaliased", version, alias=alias, before=version)

    def tag(self, version: str, tag: str) -> Change | None:
        """Give a version a tag; None if it has it already."""
        if self._is_tagged(version, tag):
            return None
        values = {"predictor": self.predictor, "version": version, "tag": tag}
        self.connection.execute(insert(tables.tags).values(values))
        return self._note("tagged", version, after=tag)

    def untag(self, version: str, tag: str) -> Change | None:
        """Take a tag from a version; None if it does not have it."""
        if not self._is_tagged(version, tag):
            return None
        self.connection.execute(delete(tables.tags).where(*self._has(version, tag)))
        return self._note("untagged", version, before=tag)

    def retire(self, version: str, *, retired: bool) -> Change | None:
        """Retire a version, or bring it back; None if it is so already."""
        if self.is_retired(version) == retired:
            return None
        self.connection.execute(update(tables.versions).where(*self._is(version)).values(retired=retired))
        what: What = "retired" if retired else "unretired"
        before, after = (LIVE, RETIRED) if retired else (RETIRED, LIVE)
        return self._note(what, version, before=before, after=after)

    def _is_tagged(self, version: str, tag: str) -> bool:
        return self.connection.scalar(select(tables.tags.c.tag).where(*self._has(version, tag))) is not None

    def _is(self, version: str) -> tuple[ColumnElement[bool], ...]:
        return tables.versions.c.predictor == self.predictor, tables.versions.c.version == version

    def _has(self, version: str, tag: str) -> tuple[ColumnElement[bool], ...]:
        own = tables.tags.c.predictor == self.predictor
        return own, tables.tags.c.version == version, tables.tags.c.tag == tag

    def _note(
        self,
        what: What,
        version: str,
        *,
        alias: str | None = None,
        before: str | None = None,
        after: str | None = None,
    ) -> Change:
        column = tables.history.c
        last = self.connection.scalar(select(func.max(column.number)).where(column.predictor == self.predictor))
        reason = self.reason
        change = Change(
            *(self.predictor, 1 + (last or 0), reason.at, reason.by, reason.why),
            *(what, version, alias, before, after),
        )
        self.connection.execute(insert(tables.history).values(dict(zip(column.keys(), astuple(change), strict=True))))
        return change


def making(connection: Connection, predictor: str, reason: Reason) -> Changing:
    """A predictor, made if there is none, and locked until the transaction ends."""
    into = "INSERT INTO registry_predictors (predictor) VALUES (:name) ON CONFLICT DO NOTHING"
    connection.execute(text(into), {"name": predictor})
    _lock(connection, predictor)
    return Changing(connection, predictor, reason)


def changing(connection: Connection, predictor: str, reason: Reason) -> Changing | None:
    """A predictor, locked until the transaction ends; None if there is none."""
    return Changing(connection, predictor, reason) if _lock(connection, predictor) else None


def _lock(connection: Connection, predictor: str) -> bool:
    """Let others wait who want to change a predictor; returns whether there is one. SQLite has locked all of it."""
    own = tables.predictors.c.predictor
    return connection.scalar(select(own).where(own == predictor).with_for_update()) is not None
