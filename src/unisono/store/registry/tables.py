"""The tables of the registry. What is in the history stays: the database itself refuses to change it."""

from __future__ import annotations

from sqlalchemy import (
    DDL,
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Integer,
    MetaData,
    Table,
    Text,
    event,
)

FORMAT = 1
"""Written and read by unisono 0.2."""

METADATA = MetaData()

predictors = Table(
    "registry_predictors",
    METADATA,
    Column("predictor", Text, primary_key=True),
)

versions = Table(
    "registry_versions",
    METADATA,
    Column("predictor", Text, ForeignKey(predictors.c.predictor), primary_key=True),
    Column("version", Text, primary_key=True),
    Column("added_at", BigInteger, nullable=False),  # every instant: microseconds since 1970 UTC
    Column("bytes", BigInteger, nullable=False),
    Column("signers", Text, nullable=False),  # fingerprints, a space between
    Column("retired", Boolean, nullable=False),
)

# The key is why there are never two champions.
aliases = Table(
    "registry_aliases",
    METADATA,
    Column("predictor", Text, primary_key=True),
    Column("alias", Text, primary_key=True),
    Column("version", Text, nullable=False),
    ForeignKeyConstraint(["predictor", "version"], [versions.c.predictor, versions.c.version]),
)

tags = Table(
    "registry_tags",
    METADATA,
    Column("predictor", Text, primary_key=True),
    Column("version", Text, primary_key=True),
    Column("tag", Text, primary_key=True),
    ForeignKeyConstraint(["predictor", "version"], [versions.c.predictor, versions.c.version]),
)

history = Table(
    "registry_history",
    METADATA,
    Column("predictor", Text, ForeignKey(predictors.c.predictor), primary_key=True),
    Column("number", Integer, primary_key=True),  # 1, 2, 3, ... without a gap
    Column("at", BigInteger, nullable=False),
    Column("changed_by", Text, nullable=False),
    Column("why", Text, nullable=False),
    Column("what", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("alias", Text),
    Column("before", Text),
    Column("after", Text),
    sqlite_with_rowid=False,  # a row number would be a second key, by which a row could be replaced
)

REFUSAL = "the history of a registry is never changed"

_SQLITE = "CREATE TRIGGER registry_history_{name} BEFORE {when} BEGIN SELECT RAISE(ABORT, '{refusal}'); END"
# INSERT OR REPLACE deletes without asking the trigger for DELETE.
_SQLITE_TRIGGERS = {
    "no_update": "UPDATE ON registry_history",
    "no_delete": "DELETE ON registry_history",
    "no_replace": "INSERT ON registry_history WHEN EXISTS "
    "(SELECT 1 FROM registry_history WHERE predictor = NEW.predictor AND number = NEW.number)",
}
_POSTGRESQL = (
    "CREATE FUNCTION registry_history_stays() RETURNS trigger LANGUAGE plpgsql "
    f"AS $$ BEGIN RAISE EXCEPTION '{REFUSAL}'; END $$",
    "CREATE TRIGGER registry_history_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON registry_history "
    "EXECUTE FUNCTION registry_history_stays()",
)

for _name, _when in _SQLITE_TRIGGERS.items():
    _trigger = DDL(  # type: ignore[no-untyped-call]
        _SQLITE.format(name=_name, when=_when, refusal=REFUSAL)
    )
    event.listen(history, "after_create", _trigger.execute_if(dialect="sqlite"))
for _statement in _POSTGRESQL:
    _function = DDL(_statement)  # type: ignore[no-untyped-call]
    event.listen(history, "after_create", _function.execute_if(dialect="postgresql"))
